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
    spec: SandboxSpec, command: str, args: Iterable[str], cwd: str | None
) -> list[tuple[str, int]]:
    """Paths without links, and the rights beneath each; a right counts if any rule gives it.

    Args:
        spec: what the server may do.
        command: the program that is started, an absolute path.
        args: its arguments: what they name is readable.
        cwd: where it was told to start; that folder is its own, unless it holds everything.
    """
    own = KEEP if spec.level == "strict" else KEEP | n.EXECUTE
    places = [*spec.write, *([] if cwd is None or wide(Path(cwd)) else [cwd])]
    changeable = changed(spec, cwd)
    found = [(path, RUN) for path in PROGRAMS]
    found += [(path, LOOK) for path in (*SETTINGS, *RESOLVER, *MACHINE)]
    found += [(path, USE) for path in DEVICES]
    found += [(path, RUN) for path in of_arguments(args, cwd or str(Path.cwd()))]
    found += [(path, RUN) for path in spec.read]
    found += [(path, own) for path in places]
    # What it installs for itself it also has to run: npx and uvx keep programs there.
    found.append((spec.home, KEEP | n.EXECUTE))
    found += [(str(path), RUN) for path in of_program(command)]
    links: dict[str, str | None] = {}
    settled = [(settle(str(path), changeable, links), allowed) for path, allowed in found]
    # An installation of an interpreter is known by its looks, whatever has led there.
    settled += [(str(path.resolve()), RUN) for path in installations(command)]
    itself = [(ITSELF if spec.level == "strict" else PROCESSES, LOOK)]
    return itself + [(path, allowed) for path, allowed in settled if path is not None]


def changed(spec: SandboxSpec, cwd: str | None) -> tuple[str, ...]:
    """The folders and files that the server may change: without links, none within another."""
    places = [spec.home, *spec.write, *([] if cwd is None or wide(Path(cwd)) else [cwd])]
    real = dict.fromkeys(str(Path(path).resolve()) for path in places)
    return tuple(one for one in real if not any(one.startswith(f"{other}/") for other in real))


def settle(
    path: str, changeable: Iterable[str], links: dict[str, str | None] | None = None
) -> str | None:
    """What a path leads to; None where the server itself may have laid a link on the way.

    Otherwise a server could put a link in one of its folders and be given, at its next start, what
    the link leads to. `links` remembers what was a link and what was none.
    """
    links = {} if links is None else links
    real, rest = "", [one for one in path.split("/") if one][::-1]
    for _ in range(_STEPS):
        if not rest:
            return real or "/"
        part = rest.pop()
        if part == ".":
            continue
        if part == "..":
            real = real.rpartition("/")[0]
            continue
        step = f"{real}/{part}"
        leads_to = _link(step, links)
        if leads_to is None:
            real = step
            continue
        if any(f"{real}/".startswith(f"{one}/") for one in changeable):
            return None
        if leads_to.startswith("/"):
            real = ""
        rest += [one for one in leads_to.split("/") if one][::-1]
    return None


def _link(path: str, links: dict[str, str | None]) -> str | None:
    """What a link says; None if it is none."""
    if path not in links:
        try:
            links[path] = os.readlink(path)  # noqa: PTH115 - there are hundreds
        except OSError:
            links[path] = None
    return links[path]


_STEPS: Final = 1000
"""More than any path has parts, its links included."""


def of_program(command: str) -> Iterator[Path]:
    """A program's file, link by link."""
    path = Path(command)
    for _ in range(40):  # as many links as the system follows
        yield path
        try:
            leads_to = path.readlink()
        except OSError:
            return
        path = Path(os.path.normpath(path.parent / leads_to))


def installations(command: str) -> Iterator[Path]:
    """The installations of Python or Node that a program is of."""
    for path in of_program(command):
        prefix = path.parent.parent
        settings = prefix / "pyvenv.cfg"
        if _installed(prefix) or (settings.is_file() and not wide(prefix)):
            yield prefix
        if settings.is_file() and (home := _home_of(settings)) and _installed(home):
            yield home


def _installed(prefix: Path) -> bool:
    """Whether a folder looks like nothing but an installation of an interpreter."""
    if wide(prefix):
        return False
    python = any(prefix.glob("lib/python3*/os.py"))
    return python or (prefix / "lib/node_modules/npm/package.json").is_file()


def _home_of(settings: Path) -> Path | None:
    """The installation a virtual environment was made from."""
    try:
        lines = settings.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "home" and Path(value.strip()).is_absolute():
            return Path(value.strip()).parent
    return None


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
        if wide(path):
            continue
        yield str(path)
        real = path.resolve()
        if real.is_file() and real.suffix in CODE and not wide(real.parent):
            yield str(real.parent)


CODE: Final = frozenset({".cjs", ".js", ".mjs", ".mts", ".php", ".pl", ".py", ".rb", ".sh", ".ts"})
"""What files of programs end with."""


def wide(path: Path) -> bool:
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
