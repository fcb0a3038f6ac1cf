"""Starting a child that has a sandbox, and hearing how that went.

Must not know: what a sandbox allows.
"""

from __future__ import annotations

import asyncio
import errno
import marshal
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lockgate.upstreams.launch import SpawnFailed
from lockgate.upstreams.sandbox import inner
from lockgate.upstreams.sandbox.host import this_host
from lockgate.upstreams.sandbox.plan import Plan, Unenforceable, plan
from lockgate.upstreams.sandbox.spec import SandboxSpec

UNENFORCED: Final = "sandbox-unenforceable"
FAILED: Final = "sandbox-failed"
REPORT_BYTES: Final = 8192
ALLOW_LESS: Final = "or set `unenforced: allow` in its sandbox to run it with what can be enforced."
_FOR_THE_INTERPRETER: Final = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""What an interpreter built as a shared library may need to start at all."""


class Fence:
    """The sandbox of one child, from its plan to the report of its start."""

    def __init__(self, made: Plan) -> None:
        """Opens two descriptors; `close` them whatever happens."""
        self.plan: Final = made
        self._told = os.memfd_create("plan")
        self._report, self._said = os.pipe()
        data = memoryview(marshal.dumps(made.told(os.getpid())))
        while data:
            data = data[os.write(self._told, data) :]
        os.lseek(self._told, 0, os.SEEK_SET)

    @property
    def descriptors(self) -> tuple[int, int]:
        """Those that the child inherits. Its program does not: they are closed by then."""
        return self._told, self._said

    @property
    def command(self) -> list[str]:
        """What is started in place of the server's program."""
        script = str(Path(inner.__file__))
        return [sys.executable, "-I", "-S", script, str(self._told), str(self._said)]

    @property
    def env(self) -> dict[str, str]:
        """What that needs of an environment; the program gets its own."""
        return {name: os.environ[name] for name in _FOR_THE_INTERPRETER if name in os.environ}

    def started(self) -> None:
        """The child has its descriptors now."""
        self._shut("_told")
        self._shut("_said")

    async def passed(self) -> None:
        """Return when the server's program has taken its place.

        Raises:
            SpawnFailed: it has not, and will not.
        """
        loop = asyncio.get_running_loop()
        heard = bytearray()
        done = loop.create_future()

        def readable() -> None:
            try:
                data = os.read(self._report, REPORT_BYTES)
            except BlockingIOError:
                return
            heard.extend(data)
            if not data and not done.done():
                done.set_result(None)

        os.set_blocking(self._report, False)
        loop.add_reader(self._report, readable)
        try:
            await done
        finally:
            loop.remove_reader(self._report)
        if heard:
            raise explained(self.plan.command, bytes(heard))

    def close(self) -> None:
        """Close what is still open here."""
        self.started()
        self._shut("_report")

    def _shut(self, name: str) -> None:
        if (descriptor := getattr(self, name)) >= 0:
            setattr(self, name, -1)
            os.close(descriptor)


def fence(
    spec: SandboxSpec,
    *,
    command: str,
    args: tuple[str, ...],
    env: Mapping[str, str],
    declared: Mapping[str, str],
    cwd: str | None,
    open_files: int | None,
) -> Fence | None:
    """The sandbox of a child; None when the host has none and `spec` allows that.

    Raises:
        SpawnFailed: it cannot be enforced, or a folder of it cannot be used.
    """
    host = this_host()
    prepare(spec)
    try:
        made = plan(
            spec,
            host,
            command=command,
            args=args,
            env=env,
            declared=declared,
            cwd=None if cwd is None else str(Path(cwd).absolute()),
            open_files=open_files,
        )
    except Unenforceable as error:
        what = f"its sandbox ({spec.level}) cannot be enforced here: {error}"
        remedies = " ".join(dict.fromkeys(lack.remedy.rstrip(".") for lack in error.lacks))
        raise SpawnFailed(what, f"{remedies}; {ALLOW_LESS}", reason=UNENFORCED) from None
    return Fence(made) if host.linux else None


def prepare(spec: SandboxSpec) -> None:
    """Have the folders that are the server's own, for nobody else to read.

    Raises:
        SpawnFailed: they cannot be made, or what the sandbox names is missing.
    """
    for path in (*spec.read, *spec.write):
        if not Path(path).exists():
            raise SpawnFailed(
                f"its sandbox names {path!r}, which does not exist",
                "Create it, or correct `sandbox.read` and `sandbox.write`.",
                reason=FAILED,
            )
    try:
        Path(spec.home, "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(spec.home).chmod(0o700)
    except OSError as error:
        raise SpawnFailed(
            f"its sandbox's own folder {spec.home!r} cannot be made: {error.strerror}",
            "Set `sandbox.home` to a folder that Lockgate may write to.",
            reason=FAILED,
        ) from None


_STEPS: Final = {
    "parent": "it could not be tied to Lockgate's own end",
    "group": "its control group could not be entered",
    "limits": "a ceiling could not be set",
    "capabilities": "its privileges could not be given up",
    "privileges": "new privileges could not be ruled out",
    "files": "its view of the file system could not be set",
    "calls": "its system calls could not be filtered",
    "namespaces": "it could not be given a network of its own",
}


def explained(command: str, report: bytes) -> SpawnFailed | OSError:
    """What the child said before it ended."""
    said: Any = marshal.loads(report)  # noqa: S302 - written by our own script, to a pipe of ours
    step, number, about = said
    if step == "program":
        if number == errno.EACCES:
            return SpawnFailed(
                f"{command!r} may not be run inside its sandbox: Permission denied",
                "Make it executable; if it is a script, its interpreter has to be in the "
                "sandbox's view too: name its folder in `sandbox.read`.",
                reason=FAILED,
            )
        return OSError(number, os.strerror(number))
    where = about.decode("utf-8", "replace") if isinstance(about, bytes) else str(about)
    detail = f" ({where})" if where else ""
    return SpawnFailed(
        f"its sandbox failed: {_STEPS.get(step, step)}: {os.strerror(number)}{detail}",
        "`lockgate check` says what this host supports.",
        reason=FAILED,
    )
