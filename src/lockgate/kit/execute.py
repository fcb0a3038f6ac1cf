"""Runs Python that somebody else wrote, in a sandbox that the system enforces, or not at all.

Must not know: what the code is for. The sandbox is the one of stdio servers, level `strict`
(docs/security/sandbox.md): Landlock, seccomp and ceilings, no network, a folder of its own that is
gone afterwards. Linux only; where anything of it cannot be enforced, nothing is run.

    | the code                                       | what comes of it                            |
    |------------------------------------------------|---------------------------------------------|
    | reads or changes files outside of its folder   | refused, but for programs, libraries, and   |
    |                                                | the settings libraries need                 |
    | reaches the network, other programs' sockets   | refused                                     |
    | signals, debugs or reads other processes       | refused                                     |
    | sees the server's environment                  | there is none of it                         |
    | runs for too long, in wall time or CPU time    | it is killed, with all it has started       |
    | takes too much memory or too many processes,   | refused to it                               |
    | writes too large a file                        |                                             |
    | prints without end                             | cut off                                     |

What it cannot: stop a defect of the kernel (a virtual machine or gVisor does), bound how many files
are written in the time there is, keep the code from learning that files exist, or say that what it
prints is true or harmless: that is a stranger's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from lockgate.kit.errors import InvalidInput, ToolError, Unavailable
from lockgate.kit.running import Running
from lockgate.kit.validate import filename
from lockgate.upstreams import groups
from lockgate.upstreams.sandbox.host import this_host
from lockgate.upstreams.sandbox.plan import Plan, Unenforceable, plan
from lockgate.upstreams.sandbox.spec import SandboxSpec
from lockgate.upstreams.sandbox.starting import Fence
from lockgate.upstreams.spawning import spawn

MIB: Final = 1024 * 1024
OPEN_FILES: Final = 64
_INTERPRETER: Final = ("-I", "-B", "-X", "utf8")
"""Without the environment, without the current folder among what is imported, without caches."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it.

    stdout, stderr  what it printed, up to the bound.
    code            what it ended with; negative: a signal ended it.
    timed_out       it was ended for taking too long.
    cut             it printed more than was taken.
    files           what it left in its folder, by name: of the first level, within the bound.
    seconds         of wall time, its start included.
    """

    stdout: str
    stderr: str
    code: int | None
    timed_out: bool
    cut: bool
    files: dict[str, bytes]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it came to its own end without an error."""
        return self.code == 0 and not self.timed_out


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one run.

    seconds    of wall time; of CPU time one more.
    memory     bytes each of its processes may allocate.
    processes  processes and threads at once; None: as many as it gets, for hosts that cannot
               count them.
    output     bytes of each of stdout and stderr.
    file       bytes of each file it may write.
    files      bytes of what is taken of the files it leaves; 0: none.
    """

    seconds: float = 10.0
    memory: int = 256 * MIB
    processes: int | None = 16
    output: int = 256 * 1024
    file: int = 16 * MIB
    files: int = 0


DEFAULT: Final = Limits()


async def python(
    code: str,
    *,
    stdin: str = "",
    files: Mapping[str, str | bytes] | None = None,
    limits: Limits = DEFAULT,
) -> Outcome:
    """What a program of Python comes to, run by this interpreter's own installation.

    The packages of this environment can be imported and read; secrets do not belong there.

    Args:
        code: the program.
        stdin: what it reads.
        files: what is put into its folder, by name.
        limits: bounds.

    Raises:
        InvalidInput: a name of a file is none.
        Unavailable: this host cannot enforce the sandbox; says what is missing.
        ToolError: the system let nothing be started.
    """
    names = {filename(name, name="the name of a file"): one for name, one in (files or {}).items()}
    if names.keys() & {"main.py", "tmp"}:
        raise InvalidInput("main.py is the program itself, and tmp its folder for temporary files")
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="lockgate-execute-"))
    try:
        work = folder / "work"
        await asyncio.to_thread(_lay_out, folder, work, {**names, "main.py": code})
        return await _run(work, stdin.encode(), limits)
    finally:
        await asyncio.to_thread(_clear, folder)


def missing(limits: Limits = DEFAULT) -> list[str]:
    """What this host lacks to run anything; empty when nothing."""
    try:
        _plan(Path(tempfile.gettempdir(), "lockgate-execute"), limits)
    except Unenforceable as error:
        return [lack.what for lack in error.lacks]
    return []


def _lay_out(folder: Path, work: Path, files: Mapping[str, str | bytes]) -> None:
    (work / "tmp").mkdir(parents=True, mode=0o700)
    for name, content in files.items():
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _clear(folder: Path) -> None:
    """Remove it, whatever the code has made of its folders' modes; nothing of it runs any more."""
    for place, names, _ in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _plan(work: Path, limits: Limits) -> Plan:
    spec = SandboxSpec(
        level="strict",
        home=str(work),
        network="none",
        memory=limits.memory,
        processes=limits.processes,
        stays=True,
    )
    made = plan(
        spec,
        this_host(),
        command=str(Path(sys.executable).absolute()),
        args=(*_INTERPRETER, str(work / "main.py")),
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        declared={},
        cwd=None,
        open_files=OPEN_FILES,
    )
    if sys.platform == "win32":
        return made
    import resource  # noqa: PLC0415 - absent on Windows

    more = (
        (resource.RLIMIT_CPU, max(1, round(limits.seconds) + 1)),
        (resource.RLIMIT_FSIZE, limits.file),
    )
    return replace(made, limits=(*made.limits, *more))


async def _run(work: Path, stdin: bytes, limits: Limits) -> Outcome:
    began = perf_counter()
    run = Running(limits.output)
    try:
        fence = Fence(_plan(work, limits), work.parent / "hosts", "execute")
    except Unenforceable as error:
        raise Unavailable(
            f"Code cannot be run safely here: {error}", "Do without running code."
        ) from None
    try:
        timed_out = not await _ended(run, fence, work, stdin, limits.seconds)
    except (OSError, ValueError) as error:
        raise ToolError(f"The code could not be started: {error}") from error
    finally:
        await run.end()
        fence.close()
        fence.ended()
    left = await asyncio.to_thread(_left, work, limits.files) if limits.files else {}
    return Outcome(
        stdout=run.text(1),
        stderr=run.text(2),
        code=run.code,
        timed_out=timed_out,
        cut=run.cut,
        files=left,
        seconds=round(perf_counter() - began, 3),
    )


async def _ended(run: Running, fence: Fence, work: Path, stdin: bytes, seconds: float) -> bool:
    """Start it; whether it ended by itself in time."""
    groups.GROUPS.prepare()
    await spawn(run, fence.command[0], (), {}, str(work), OPEN_FILES, fence)
    run.feed(stdin)
    try:
        async with asyncio.timeout(seconds):
            await run.gone.wait()
    except TimeoutError:
        return False
    return True


def _left(work: Path, most: int) -> dict[str, bytes]:
    """What is read of the files that are there; links are not followed."""
    found: dict[str, bytes] = {}
    for entry in sorted(work.iterdir()):
        if entry.name == "main.py" or entry.is_symlink() or not entry.is_file():
            continue
        data = _read(entry, most)
        most -= len(data)
        found[entry.name] = data
    return found


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(max(0, most))
