"""One process with three pipes on an event loop, whichever loop it is.

Must not know: what the process is for, how it is to be ended, or how its output is read.

On POSIX the process is made by `subprocess` and only its pipes are given to the loop. What uvloop
starts itself has sockets for stdin, stdout and stderr, which nobody can open as /dev/stderr;
inherits whatever descriptor was left inheritable; and a file that is no program is run by /bin/sh.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from lockgate.upstreams import descriptors

POSIX: Final = sys.platform != "win32"

Environment = dict[str, str]


class Owner(Protocol):
    """Who is told of the process."""

    def began(self, process: Process) -> None:
        """It runs; comes first, and before anything else is waited for."""
        ...

    def data(self, fd: int, data: bytes) -> None:
        """Output has arrived, on 1 or 2."""
        ...

    def exited(self) -> None:
        """It has ended and was waited for; its pipes may still be open."""
        ...

    def closed(self) -> None:
        """It has ended and nothing more will arrive; comes last."""
        ...


class Fence(Protocol):
    """What a process with a sandbox is started through."""

    @property
    def descriptors(self) -> Sequence[int]:
        """Descriptors it inherits."""
        ...

    @property
    def command(self) -> Sequence[str]:
        """What is started, to become the program in the end."""
        ...

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of that."""
        ...

    def started(self) -> None:
        """It runs."""
        ...

    async def passed(self) -> None:
        """Return once it has become the program. Raises OSError when it will not."""
        ...

    def close(self) -> None:
        """It is needed no more."""
        ...


class Process(Protocol):
    """A process that runs or has run."""

    pid: int

    @property
    def code(self) -> int | None:
        """What it ended with, negative for a signal; None while it runs."""
        ...

    @property
    def stdin(self) -> asyncio.WriteTransport | None:
        """Its input, once connected."""
        ...

    def close(self) -> None:
        """Close the pipes, whoever still holds the other ends. Once it has exited only."""
        ...


async def spawn(
    owner: Owner,
    command: str,
    args: Sequence[str],
    environment: Environment,
    cwd: str | None,
    open_files: int | None = None,
    fence: Fence | None = None,
) -> None:
    """Start a process in a session of its own (on Windows: a group), out of reach of Ctrl-C.

    open_files  how many it may have open; None: as this process was started. Not on Windows.
    fence       what it is started through, in place of `command`, `args` and `environment`, all
                of which that knows already. Not on Windows.

    Raises:
        OSError, ValueError: the system refused.
    """
    if POSIX:
        try:
            await _Popen(owner, [command, *args], environment, cwd, open_files, fence).connect()
        finally:
            if fence is not None:
                fence.close()
        return
    await asyncio.get_running_loop().subprocess_exec(
        lambda: _Proactor(owner),
        command,
        *args,
        env=environment,
        cwd=cwd,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


class _Popen:
    """The process on POSIX."""

    def __init__(
        self,
        owner: Owner,
        words: Sequence[str],
        environment: Mapping[str, str],
        cwd: str | None,
        open_files: int | None,
        fence: Fence | None,
    ) -> None:
        self._owner = owner
        self._fence = fence
        pipe = subprocess.PIPE
        inherited: Sequence[int] = ()
        before = descriptors.restorer(open_files)
        if fence is not None:
            words, environment, inherited = fence.command, fence.env, fence.descriptors
        self._popen = subprocess.Popen(  # noqa: S603 - an argument list, resolved and checked
            words,
            bufsize=0,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=environment,
            cwd=cwd,
            start_new_session=True,
            pass_fds=inherited,
            preexec_fn=before,  # noqa: PLW1509 - one system call; see there
        )
        if fence is not None:
            fence.started()
        self.pid = self._popen.pid
        self.code: int | None = None
        self.stdin: asyncio.WriteTransport | None = None
        self._input = _Input()
        self._outputs: dict[int, asyncio.BaseTransport] = {}
        self._open = {1, 2}
        owner.began(self)

    async def connect(self) -> None:
        """Give the pipes to the loop. If that fails or is cancelled, the process is ended."""
        try:
            if self._fence is not None:
                await self._fence.passed()
            await self._connect(asyncio.get_running_loop())
        except BaseException:
            self._popen.kill()
            self.close()
            for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
                if pipe is not None:
                    pipe.close()
            self.code = self._popen.wait()
            self._owner.exited()
            self._owner.closed()
            raise

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        popen = self._popen
        self.stdin, _ = await loop.connect_write_pipe(lambda: self._input, popen.stdin)
        for fd, pipe in ((1, popen.stdout), (2, popen.stderr)):
            reader = _Output(self, fd)
            self._outputs[fd], _ = await loop.connect_read_pipe(lambda it=reader: it, pipe)
        self._watch(loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            watched = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # macOS, or an old kernel
            threading.Thread(target=self._wait, args=(loop,), daemon=True).start()
            return

        def ended() -> None:
            loop.remove_reader(watched)
            os.close(watched)
            self._ended(self._popen.wait())

        loop.add_reader(watched, ended)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._popen.wait()
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(self._ended, code)

    def _ended(self, code: int) -> None:
        self.code = code
        self._owner.exited()
        self._check()

    def arrived(self, fd: int, data: bytes) -> None:
        self._owner.data(fd, data)

    def lost(self, fd: int) -> None:
        self._open.discard(fd)
        self._check()

    def _check(self) -> None:
        if self.code is not None and not self._open:
            self._close_input()
            self._owner.closed()

    def _close_input(self) -> None:
        if self.stdin is None or self._input.lost:
            return
        # Closing would wait until somebody reads what is still unwritten.
        self.stdin.abort() if self.stdin.get_write_buffer_size() else self.stdin.close()

    def close(self) -> None:
        self._close_input()
        for transport in self._outputs.values():
            transport.close()


class _Input(asyncio.BaseProtocol):
    """Knows whether the input is still there."""

    lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class _Output(asyncio.Protocol):
    """Hands on what a pipe says."""

    def __init__(self, process: _Popen, fd: int) -> None:
        self._process = process
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._process.arrived(self._fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.lost(self._fd)


class _Proactor(asyncio.SubprocessProtocol):
    """The process on Windows, where only the loop itself can make pipes it can wait for."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.SubprocessTransport | None = None
        self.stdin: asyncio.WriteTransport | None = None
        self.pid = 0

    @property
    def code(self) -> int | None:
        return None if self._transport is None else self._transport.get_returncode()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self.pid = self._transport.get_pid()
        self.stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        self._owner.began(self)

    def pipe_data_received(self, fd: int, data: bytes | Any) -> None:
        self._owner.data(fd, bytes(data))

    def process_exited(self) -> None:
        self._owner.exited()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.closed()
