"""Whether and how a stdio server can be launched: its command found, its dangers named.

Must not know: event loops, or what happens once it runs. Nothing here starts anything.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lockgate.core.programs import INSTALL
from lockgate.upstreams.environment import impossible, unsafe
from lockgate.upstreams.spec import StdioSpec


class SpawnFailed(OSError):
    """A child could not be started; the text says why and what to do, in one line.

    what    why, alone.
    remedy  what to do: a sentence.
    reason  what `lockgate.core.codes` calls it.
    """

    def __init__(self, what: str, remedy: str, *, reason: str = "start-failed") -> None:
        super().__init__(f"{what}. {remedy}")
        self.what = what
        self.remedy = remedy
        self.reason = reason


def resolve(spec: StdioSpec, environment: Mapping[str, str]) -> str:
    """The program that runs, looked up on the PATH of `environment`, the child's own.

    Raises:
        SpawnFailed: the command or directory is missing or unusable, or the environment is refused.
    """
    if not spec.allow_unsafe_env and (names := unsafe(spec.env)):
        raise SpawnFailed(
            f"its environment sets {', '.join(names)}, which changes what code it runs",
            "Set allow_unsafe_env if that is meant.",
        )
    if names := impossible(spec.env):
        listed = ", ".join(map(repr, names))
        raise SpawnFailed(
            f"its environment has a name or value no environment can hold: {listed}",
            "Correct env.",
        )
    if impossible({str(number): text for number, text in enumerate((spec.command, *spec.args))}):
        raise SpawnFailed(
            "its command or an argument has a character no argument can hold",
            "Correct command and args.",
        )
    if spec.sandbox is not None and spec.sandbox.pinned and (what := unpinned(spec)):
        raise SpawnFailed(
            f"its sandbox wants packages pinned, and {what}",
            "Name an exact version or digest: package@1.2.3, package==1.2.3, image@sha256:…; or "
            "set `packages: any` in its sandbox.",
            reason="package-unpinned",
        )
    directory = _directory(spec.cwd)
    command = spec.command
    if os.sep in command and not Path(command).is_absolute():
        command = str(directory / command)
    found = shutil.which(command, path=environment.get("PATH", os.defpath))
    if found is None:
        raise _unfound(spec.command, Path(command))
    # The child starts elsewhere, so an entry of PATH relative to here must not be taken there.
    return str(Path(found).absolute())


def _directory(cwd: str | None) -> Path:
    here = Path.cwd()
    if cwd is None:
        return here
    if "\0" in cwd or not (here / cwd).exists():
        raise SpawnFailed(f"its directory {cwd!r} does not exist", "Correct cwd.")
    if not (here / cwd).is_dir():
        raise SpawnFailed(f"its directory {cwd!r} is a file", "Correct cwd.")
    if not os.access(here / cwd, os.X_OK):
        raise SpawnFailed(
            f"its directory {cwd!r} may not be entered", "Correct cwd, or its permissions."
        )
    return here / cwd


def _unfound(command: str, path: Path) -> SpawnFailed:
    if os.sep not in command:
        remedy = INSTALL.get(command, "Install it, or write its full path as command.")
        return SpawnFailed(f"the command {command!r} was not found on PATH", remedy)
    if path.is_dir():
        return SpawnFailed(f"the command {command!r} is a directory", "Correct command.")
    if path.exists():
        return SpawnFailed(
            f"the command {command!r} may not be run",
            "Make it executable, or name its interpreter as command and the file in args.",
        )
    return SpawnFailed(f"the command {command!r} was not found", "Correct command.")


_SYSTEM_REMEDIES: Final = {
    errno.E2BIG: "Shorten args and env.",
    errno.EAGAIN: "Allow more processes on this machine.",
    errno.EMFILE: "Allow more open files (ulimit -n).",
    errno.ENFILE: "Allow more open files on this machine.",
    errno.ENOEXEC: "Name its interpreter as command and the file in args.",
    errno.ENOMEM: "Free some memory.",
}


def refused(command: str, error: OSError | ValueError) -> SpawnFailed:
    """What the system's refusal to run a command that was found means."""
    number = error.errno if isinstance(error, OSError) else None
    why = error.strerror if isinstance(error, OSError) else None
    return SpawnFailed(
        f"{command!r} cannot be run: {why or 'the system does not take its arguments'}",
        _SYSTEM_REMEDIES.get(number or 0, "Correct command, args, env or cwd."),
    )


@dataclass(frozen=True, kw_only=True)
class LaunchFinding:
    """One thing worth knowing about how a server is launched. Never holds a value of `env`.

    id  shell, inline-code or unpinned-package.
    """

    id: str
    summary: str
    remedy: str


_SHELLS: Final = frozenset(
    {"bash", "cmd", "csh", "dash", "fish", "ksh", "powershell", "pwsh", "sh", "tcsh", "zsh"}
)
_INLINE: Final[dict[str, frozenset[str]]] = {
    "bun": frozenset({"-e", "--eval", "-p", "--print"}),
    "deno": frozenset({"eval"}),
    "lua": frozenset({"-e"}),
    "node": frozenset({"-e", "--eval", "-p", "--print", "-pe"}),
    "perl": frozenset({"-e", "-E"}),
    "php": frozenset({"-r"}),
    "pypy": frozenset({"-c"}),
    "python": frozenset({"-c"}),
    "ruby": frozenset({"-e"}),
}
"""Interpreters, and the arguments after which their program stands as text."""

_RUNNERS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "bun": (("x",),),
    "bunx": ((),),
    "npm": (("exec",), ("x",)),
    "npx": ((),),
    "pipx": (("run",),),
    "pnpm": (("dlx",),),
    "pnpx": ((),),
    "uv": (("tool", "run"),),
    "uvx": ((),),
    "yarn": (("dlx",),),
}
"""Programs that download a package and run it, and the words that make them do so."""

_TAKE_A_VALUE: Final = frozenset(
    {"-c", "--call", "--python", "--index-url", "--index", "--with", "--cache", "--registry"}
    | {"-i", "--default-index", "--directory", "--project", "--python-preference"}
)
_NAMES_A_PACKAGE: Final = frozenset({"--package", "--from", "--spec"})
_PYTHON_RUNNERS: Final = frozenset({"pipx", "uv", "uvx"})
_package: Final = re.compile(r"@?[A-Za-z0-9][\w.\-]*(/[\w.\-]+)?(\[[\w,.\-]*\])?")
_CONTAINERS: Final = frozenset({"docker", "nerdctl", "podman"})
_ALONE: Final = frozenset(
    {"-d", "-i", "-it", "-P", "-q", "-t", "-ti", "--detach", "--init", "--interactive"}
    | {"--no-healthcheck", "--oom-kill-disable", "--privileged", "--publish-all", "--quiet"}
    | {"--read-only", "--rm", "--sig-proxy", "--tty", "--use-api-socket"}
)
"""Options of `docker run` that take no value."""
_digest: Final = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_whole: Final = re.compile(r"@v?\d+\.\d+\.\d+[\w.+\-]*\Z")
_commit: Final = re.compile(r"[@#][0-9a-f]{40}\Z")
_exact: Final = re.compile(r"(@v?|===?)\d[\w.+!\-]*\Z")
_version: Final = re.compile(r"[\d.]+\Z")


def launch_findings(spec: StdioSpec) -> list[LaunchFinding]:
    """What a careful reader would ask about; empty when there is nothing."""
    program = _program(spec.command)
    found = [_code(program, spec.args), _download(program, spec.args)]
    return [finding for finding in found if finding is not None]


def _program(command: str) -> str:
    name = re.split(r"[/\\]", command)[-1].lower()
    name = re.sub(r"\.(exe|cmd|bat|ps1)\Z", "", name)
    return _version.sub("", name) or name


def _code(program: str, args: tuple[str, ...]) -> LaunchFinding | None:
    if program in _SHELLS:
        return LaunchFinding(
            id="shell",
            summary=f"{program} is a shell: it runs whatever its arguments and files expand to.",
            remedy="Name the program itself as command, and its arguments in args.",
        )
    flags = _INLINE.get(program)
    if flags is None or not any(_inline(arg, flags) for arg in _own(args)):
        return None
    return LaunchFinding(
        id="inline-code",
        summary=f"{program} is given its program as text, which no review or pin covers.",
        remedy="Put the program in a file and name the file in args.",
    )


def _own(args: tuple[str, ...]) -> list[str]:
    """The arguments before the first that is no option: after it they are the program's."""
    own: list[str] = []
    for arg in args:
        own.append(arg)
        if not arg.startswith("-") or arg in {"--", "-m"}:
            break
    return own


def _inline(arg: str, flags: frozenset[str]) -> bool:
    if arg.partition("=")[0] in flags:
        return True
    # `-Sc` is `-S -c`, and `-cprint(1)` is `-c print(1)`.
    short = {flag[1] for flag in flags if len(flag) == 2}
    return len(arg) > 2 and arg[0] == "-" and arg[1] != "-" and (
        arg[1] in short or (arg[1:].isalpha() and arg[-1] in short)
    )  # fmt: skip


def _download(program: str, args: tuple[str, ...]) -> LaunchFinding | None:
    name = _package_of(program, args)
    if name is None or _local(name) or ":" in name or _exact.search(name):
        return None
    written = _package.match(name)
    return LaunchFinding(
        id="unpinned-package",
        summary=f"{program} runs whatever version of {written[0] if written else 'the package'} "
        "is newest at that moment.",
        remedy="Name an exact version, for example package@1.2.3 (with --from: package==1.2.3).",
    )


def _package_of(program: str, args: tuple[str, ...]) -> str | None:
    """The package or address that is run, as it is written; None when there is none."""
    words = next((one for one in _RUNNERS.get(program, ()) if args[: len(one)] == one), None)
    if words is None:
        return None
    rest = iter(args[len(words) :])
    name: str | None = None
    for arg in rest:
        flag, _, value = arg.partition("=")
        if flag == "-p":  # a Python for some, a package for others
            flag = "--python" if program in _PYTHON_RUNNERS else "--package"
        if flag in _NAMES_A_PACKAGE:
            name = value or next(rest, None)
            break
        if flag in _TAKE_A_VALUE and not value:
            next(rest, None)
        elif not arg.startswith("-"):
            name = arg
            break
    return name


def _local(name: str) -> bool:
    """Whether it is a file of this machine."""
    return name.startswith((".", "/", "~", "file:"))


def unpinned(spec: StdioSpec) -> str | None:
    """What this command runs whose content its own words do not settle; None if they do.

    The end of a sentence. A package of a runner needs an exact version, an address in a version
    control system a whole commit, the image of a container its digest.
    """
    program = _program(spec.command)
    if program in _CONTAINERS:
        image = _image_of(spec.args)
        return None if image is None or _digest.search(image) else f"{program} gets no digest"
    if program == "deno" and any(arg.startswith(("npm:", "jsr:", "http")) for arg in spec.args):
        return "deno gets its program from the network"
    name = _package_of(program, spec.args)
    if name is None or _local(name):
        return None
    settled = _commit if ":" in name else _exact
    if program not in _PYTHON_RUNNERS and settled is _exact:
        settled = _whole  # `@1` and `@1.2` are ranges there
    return None if settled.search(name) else f"{program} gets no exact version"


def _image_of(args: tuple[str, ...]) -> str | None:
    """The image that `docker run` is given."""
    rest = iter(args)
    if "run" not in rest:  # leaves what comes after it
        return None
    for arg in rest:
        if not arg.startswith("-"):
            return arg
        if arg not in _ALONE and "=" not in arg:
            next(rest, None)
    return None
