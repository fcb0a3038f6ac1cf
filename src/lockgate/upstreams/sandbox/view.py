"""Which part of the file system a sandboxed server sees, and what it may do there.

Must not know: who enforces it. What is not named here is out of reach, so that a new kind of secret
in a new place is, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from lockgate.upstreams.sandbox import numbers as n
from lockgate.upstreams.sandbox.spec import SandboxSpec

LOOK: Final = n.READ_FILE | n.READ_DIR
RUN: Final = LOOK | n.EXECUTE
KEEP: Final = (
    LOOK | n.WRITE_FILE | n.TRUNCATE | n.REMOVE_DIR | n.REMOVE_FILE | n.MAKE_DIR | n.MAKE_REG
    | n.MAKE_SOCK | n.MAKE_FIFO | n.MAKE_SYM | n.REFER
)  # fmt: skip
"""Everything that is done with files of one's own; device files are nobody's own."""
USE: Final = n.READ_FILE | n.WRITE_FILE | n.IOCTL_DEV

PROGRAMS: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/gnu/store",
    "/nix/store",
    "/run/current-system/sw",
    "/snap",
)
"""Where programs and their libraries are; nobody but the system's administrator writes there."""

SETTINGS: Final = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives",
        "ca-certificates",
        "ca-certificates.conf",
        "crypto-policies",
        "fonts",
        "gai.conf",
        "group",
        "host.conf",
        "hostname",
        "hosts",
        "inputrc",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "ld.so.preload",
        "locale.alias",
        "localtime",
        "machine-id",
        "magic",
        "mime.types",
        "nsswitch.conf",
        "os-release",
        "passwd",
        "pki/ca-trust",
        "pki/tls/certs",
        "pki/tls/openssl.cnf",
        "protocols",
        "resolv.conf",
        "services",
        "ssl/cert.pem",
        "ssl/certs",
        "ssl/openssl.cnf",
        "timezone",
    )
)
"""What libraries read as they start. All of /etc would be more than they need: it holds keys."""

RESOLVER: Final = (
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/resolvconf/resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/mnt/wsl/resolv.conf",
)
"""Where /etc/resolv.conf may lead to."""

DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

MACHINE: Final = (
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/fs/file-max",
    "/proc/sys/kernel/cap_last_cap",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/random",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
)
"""What runtimes read to learn how large this machine is."""

ITSELF: Final = "/proc/self"
PROCESSES: Final = "/proc"


def rules(
    spec: SandboxSpec, command: str, args: Iterable[str], cwd: str | None, temporary: str
) -> list[tuple[str, int]]:
    """Paths, and the rights beneath each; a right counts if any rule gives it.

    Args:
        spec: what the server may do.
        command: the program that is started, an absolute path.
        args: its arguments: what they name is readable.
        cwd: where it was told to start; that folder is its own.
        temporary: its folder for temporary files.
    """
    own = KEEP if spec.level == "strict" else KEEP | n.EXECUTE
    found: list[tuple[str, int]] = []
    found += [(path, RUN) for path in PROGRAMS]
    found += [(path, LOOK) for path in (*SETTINGS, *RESOLVER, *MACHINE)]
    found += [(path, USE) for path in DEVICES]
    found.append((ITSELF if spec.level == "strict" else PROCESSES, LOOK))
    found += [(path, RUN) for path in of_program(command)]
    base = cwd or str(Path.cwd())
    found += [(path, RUN) for path in of_arguments(args, base)]
    found += [(path, RUN) for path in spec.read]
    found += [(path, own) for path in spec.write]
    if cwd is not None:
        found.append((cwd, own))
    # What it installs for itself it also has to run: npx and uvx keep programs there.
    found.append((spec.home, KEEP | n.EXECUTE))
    found.append((temporary, own))
    return found


def of_program(command: str) -> Iterator[str]:
    """What a program needs of itself: its file, and the folder of an environment it belongs to."""
    for path in _chain(Path(command)):
        yield str(path)
        yield from _environment(path.parent)


def _chain(path: Path) -> Iterator[Path]:
    """A path and what it leads to, link by link."""
    for _ in range(40):  # as many links as the system follows
        yield path
        try:
            leads_to = path.readlink()
        except OSError:
            return
        path = Path(os.path.normpath(path.parent / leads_to))


def _environment(programs: Path) -> Iterator[str]:
    """The prefix of a Python environment, or of an installed Python or Node, if it is one."""
    prefix = programs.parent
    if programs.name not in ("bin", "Scripts") or _wide(prefix):
        return
    settings = prefix / "pyvenv.cfg"
    if settings.is_file():
        yield str(prefix)
        yield from _home_of(settings)
    elif any(prefix.glob("lib/python3*/os.py")) or (prefix / "lib/node_modules/npm").is_dir():
        yield str(prefix)


def _home_of(settings: Path) -> Iterator[str]:
    """The installation a virtual environment was made from."""
    try:
        lines = settings.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "home" and Path(value.strip()).is_absolute():
            programs = Path(value.strip())
            if not _wide(programs.parent):
                yield str(programs.parent)


def of_arguments(args: Iterable[str], base: str) -> Iterator[str]:
    """Files and folders that arguments name, and the folder a script is in.

    Whoever wrote the arguments wants the server to use what they name. The folder of a file is
    added because programs load what lies beside them.
    """
    for arg in args:
        value = arg.partition("=")[2] if arg.startswith("-") else arg
        if not value or "\0" in value or len(value) > 4096:
            continue
        path = Path(base) / Path(value)
        named = Path(value).is_absolute() or os.sep in value or path.is_file()
        try:
            if not named or not path.exists():
                continue
        except OSError:
            continue
        if _wide(path):
            continue
        yield str(path)
        real = path.resolve()
        if real.is_file() and real.suffix in CODE and not _wide(real.parent):
            yield str(real.parent)


CODE: Final = frozenset({".cjs", ".js", ".mjs", ".mts", ".php", ".pl", ".py", ".rb", ".sh", ".ts"})
"""What files of programs end with."""


def _wide(path: Path) -> bool:
    """Whether a folder holds so much that it is never given as a whole unless it is named."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        return True
    home = Path(os.environ.get("HOME") or "/root").resolve()
    return real in (Path("/"), home, home / ".local") or real in home.parents or len(real.parts) < 3


def environment(env: Mapping[str, str], home: str, temporary: str) -> dict[str, str]:
    """The child's environment, with the folders that are its own where it did not say otherwise."""
    return {**env, "HOME": home, "TMPDIR": temporary}
