"""Child processes that speak in lines, from start to the last of their group.

Must not know: what a line means.

Each child leads a process group of its own, so Ctrl-C at the terminal does not reach it and all it
has started ends with it. Ending is: close its input, wait, SIGTERM to the group, wait, SIGKILL.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from lockgate.upstreams import groups
from lockgate.upstreams.environment import child_environment
from lockgate.upstreams.launch import SpawnFailed, refused, resolve
from lockgate.upstreams.lines import Lines
from lockgate.upstreams.memory import WATCH, OverMemory
from lockgate.upstreams.sandbox.starting import Fence, fence
from lockgate.upstreams.spawning import Process, spawn
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits

__all__ = ["ChildProcess", "SpawnFailed", "abort_all", "spawner"]

_log: Final = logging.getLogger("lockgate.servers")

BACKLOG: Final = 64 * 1024 * 1024
"""Bytes a child may leave unread before it is taken for stuck."""
STDERR_KEPT: Final = 20
LAST_WORDS: Final = 2000
"""Characters of stderr that are kept for whoever asks why a child ended."""
POLITE: Final = 0.5
"""The share of the grace a child has to end by itself before it is told to."""
LINGER: Final = 0.25
"""Seconds in which the rest of the output arrives after a child's end."""
FAREWELL: Final = 1.0
"""Seconds between SIGTERM and SIGKILL for a child that holds too much memory."""
REAPED: Final = 5.0
"""Seconds the system may take to end what was killed."""


class ChildProcess:
    """One child. `start` it, `write` lines, and `stop` it; it cannot be started again."""

    def __init__(
        self,
        name: str,
        spec: StdioSpec,
        limits: UpstreamLimits,
        on_line: Callable[[bytes], None],
        on_exit: Callable[[str], None],
        on_too_long: Callable[[bytes], None] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: the server's name, for logs.
            spec: what to run.
            limits: bounds on what it may write.
            on_line: gets each line of its output without the line's end; blank ones are left out.
            on_exit: told once, after `start` and the last line, why there is no child any more.
            on_too_long: gets the first bytes of a line over the bound, which is dropped.
        """
        self._name = name
        self._spec = spec
        self._limits = limits
        self._on_line = on_line
        self._on_exit = on_exit
        self._on_too_long = on_too_long
        self._starting: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self._cutting: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._strays: dict[int, str] = {}
        self._around: Fence | None = None
        self._closed = False
        self._known = False
        self._gone = asyncio.Event()
        self._reason = ""
        self._said: deque[str] = deque(maxlen=STDERR_KEPT)
        self._out = Lines(limits.message_bytes, self._take, self._too_long)
        self._err = Lines(limits.stderr_line_bytes, self._hear, self._hear_part)
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None or self._gone.is_set() else self._process.pid

    @property
    def last_words(self) -> str:
        """The last lines of its standard error, as one; for its owner, not for clients."""
        return " | ".join(line for line in self._said if line)[-LAST_WORDS:]

    async def start(self) -> None:
        """Start it.

        Raises:
            SpawnFailed: the command or directory is missing, or the environment is refused.
        """
        environment = child_environment(self._spec.env, os.environ)
        command = resolve(self._spec, environment)
        try:
            groups.GROUPS.prepare()
            self._around = around = self._fence(command, environment)
            self._starting = asyncio.get_running_loop().create_task(
                spawn(
                    self,
                    command,
                    self._spec.args,
                    environment,
                    self._spec.cwd,
                    self._limits.open_files,
                    around,
                )
            )
            await asyncio.shield(self._starting)
        except SpawnFailed:
            raise
        except (OSError, ValueError) as error:
            raise refused(self._spec.command, error) from error
        except asyncio.CancelledError:
            # What is half started is ended as a whole, not only its first process.
            self._known = True
            if self._starting is not None:
                self._starting.add_done_callback(self._unwanted)
            raise
        self._known = True
        if self._gone.is_set():
            # Whoever starts it has to hear of its start before of its end.
            asyncio.get_running_loop().call_soon(self._on_exit, self._reason)

    def _fence(self, command: str, environment: dict[str, str]) -> Fence | None:
        spec = self._spec
        if spec.sandbox is None:
            return None
        return fence(
            spec.sandbox,
            command=command,
            args=spec.args,
            env=environment,
            declared=spec.env,
            cwd=spec.cwd,
            open_files=self._limits.open_files,
            server=self._name,
        )

    def _unwanted(self, starting: asyncio.Task[None]) -> None:
        if starting.cancelled() or starting.exception() is None:
            self._stopping = True
            self._end("it was not wanted any more")

    def write(self, line: bytes) -> None:
        """Write one line, given without its end. A child that reads nothing any more is ended."""
        stdin = None if self._process is None else self._process.stdin
        if stdin is None or stdin.is_closing():
            return
        # Judged by what was there before, so that one large message is no reason to end anybody.
        if stdin.get_write_buffer_size() > BACKLOG:
            self._end(f"it left more than {BACKLOG // 1024 // 1024} MiB unread")
            return
        stdin.write(line + b"\n")

    async def stop(self, grace: float) -> None:
        """End it and everything it started; takes little more than `grace` seconds at most.

        Cancelling ends it at once.
        """
        self._stopping = True
        if self._starting is not None and not self._starting.done():
            await asyncio.wait([self._starting])
        pid = self.pid
        if pid is None:
            return
        # Asked now: once their parents are gone, nobody can tell whose they are.
        strays = groups.escaped(pid)
        try:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            if not await self._ended_within(grace * POLITE):
                strays |= groups.escaped(pid)
                groups.terminate(pid)
                groups.terminate_strays(strays)
                await self._ended_within(grace * (1 - POLITE))
        finally:
            groups.kill_strays(strays)
            if not self._gone.is_set():
                groups.kill(pid)
                # However it was ended: nobody else would bury it.
                await self._ended_within(REAPED)

    def abort(self) -> None:
        """End it and what it started at once, waiting for nothing."""
        self._stopping = True
        self._end("it is not wanted any more")

    async def _ended_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)
        return self._gone.is_set()

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        if (pid := self.pid) is not None:
            strays = groups.escaped(pid)
            groups.kill(pid)
            groups.kill_strays(strays)

    def _too_much(self, used: int) -> None:
        """It holds more memory than it may. It is asked to end, but not for long: it may grow."""
        pid = self.pid
        if pid is None or self._limits.memory_bytes is None:
            return
        why = OverMemory(self._limits.memory_bytes, used)
        self._reason = self._reason or why
        self._strays = groups.escaped(pid)
        groups.terminate(pid)
        groups.terminate_strays(self._strays)
        self._ending = asyncio.get_running_loop().call_later(FAREWELL, self._end, why)

    # What the process says.

    def began(self, process: Process) -> None:
        """See `Owner.began`."""
        self._process = process
        groups.GROUPS.add(process.pid)
        if self._limits.memory_bytes is not None:
            WATCH.add(process.pid, self._limits.memory_bytes, self._too_much)

    def data(self, fd: int, data: bytes) -> None:
        """See `Owner.data`."""
        (self._out if fd == 1 else self._err).feed(data)

    def exited(self) -> None:
        """See `Owner.exited`. What it started may still hold its pipes open."""
        if (process := self._process) is not None:
            if groups.POSIX:  # elsewhere the number may be somebody else's by now
                groups.terminate(process.pid)
            self._cutting = asyncio.get_running_loop().call_later(LINGER, self._cut, process)

    def _cut(self, process: Process) -> None:
        self._cutting = None
        if groups.POSIX:
            groups.kill(process.pid)
        if self._closed:
            self._finish(process)
        else:
            process.close()

    def closed(self) -> None:
        """See `Owner.closed`. What it started has its moment to end, then that is all."""
        self._closed = True
        if (process := self._process) is None:
            return
        if self._cutting is not None:
            if groups.exists(process.pid):
                return
            self._cutting.cancel()
        self._finish(process)

    def _finish(self, process: Process) -> None:
        self._out.end()
        self._err.end()
        groups.GROUPS.remove(process.pid)
        WATCH.remove(process.pid)
        if self._around is not None:
            self._around.ended()
        if self._ending is not None:
            self._ending.cancel()
        groups.kill_strays(self._strays)
        self._gone.set()
        self._reason = reason = self._reason or _ending(process.code)
        if not self._stopping and self._said:
            _log.debug("%s: %s. It last said: %s", self._name, reason, self.last_words)
        if self._known:
            self._on_exit(reason)

    def _take(self, line: bytes) -> None:
        try:
            self._on_line(line)
        except Exception:
            # The rest of what has arrived must be read, whatever one line did to its reader.
            _log.exception("%s: a message could not be handled", self._name)

    def _too_long(self, head: bytes) -> None:
        size = self._limits.message_bytes
        _log.warning("%s wrote a message over %d bytes; it was dropped", self._name, size)
        if self._on_too_long is not None:
            self._on_too_long(head)

    def _hear(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self._said.append(text)
        _log.debug("%s: %s", self._name, text)

    def _hear_part(self, head: bytes) -> None:
        self._hear(head + b" [cut]")


def _ending(code: int | None) -> str:
    if code is None:
        return "its output ended"
    return f"it ended with code {code}" if code >= 0 else f"it was ended by signal {-code}"


def spawner(
    name: str, spec: StdioSpec, limits: UpstreamLimits
) -> Callable[
    [Callable[[bytes], None], Callable[[str], None], Callable[[bytes, int], None]], ChildProcess
]:
    """A maker of children of one server, for its upstream."""

    def spawn(
        on_line: Callable[[bytes], None],
        on_exit: Callable[[str], None],
        on_too_long: Callable[[bytes, int], None],
    ) -> ChildProcess:
        def too_long(head: bytes) -> None:
            on_too_long(head, limits.message_bytes)

        return ChildProcess(name, spec, limits, on_line, on_exit, too_long)

    return spawn


def abort_all() -> None:
    """SIGKILL every child and what it started; for a process that is about to exit."""
    groups.GROUPS.end_all()
