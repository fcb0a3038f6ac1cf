"""One process that `execute` has started: what it prints, and that nothing of it is left.

Must not know: what is run, or what it may do.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from lockgate.upstreams import groups
from lockgate.upstreams.spawning import Process

REAPED: Final = 5.0
"""Seconds the system may take to end what was killed."""


class Running:
    """See `lockgate.upstreams.spawning.Owner`.

    gone  set when it has ended and all it printed has arrived.
    cut   it printed more than is taken; the rest is read and dropped.
    """

    def __init__(self, most: int) -> None:
        """`most` bytes of each of its outputs are taken."""
        self._most = most
        self._said = {1: bytearray(), 2: bytearray()}
        self._process: Process | None = None
        self._code: int | None = None
        self.cut = False
        self.gone = asyncio.Event()

    @property
    def code(self) -> int | None:
        """What it ended with, negative for a signal."""
        return self._code

    def text(self, fd: int) -> str:
        """What it printed, on 1 or 2."""
        return self._said[fd].decode("utf-8", "replace")

    def feed(self, data: bytes) -> None:
        """All that it is to read."""
        stdin = None if self._process is None else self._process.stdin
        if stdin is None or stdin.is_closing():
            return
        if data:
            stdin.write(data)
        if stdin.can_write_eof():
            stdin.write_eof()
        else:
            stdin.close()

    async def end(self) -> None:
        """See that it is gone, with all that it has started."""
        if self._process is None:
            return
        pid = self._process.pid
        # Its sandbox lets nothing leave the group.
        groups.kill(pid)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), REAPED)
        groups.GROUPS.remove(pid)

    def began(self, process: Process) -> None:
        """See `Owner.began`."""
        self._process = process
        groups.GROUPS.add(process.pid)

    def data(self, fd: int, data: bytes) -> None:
        """See `Owner.data`."""
        said = self._said[fd]
        room = self._most - len(said)
        said += data[:room]
        self.cut = self.cut or len(data) > room

    def exited(self) -> None:
        """See `Owner.exited`. What it started and left behind holds its pipes open."""
        if (process := self._process) is not None:
            self._code = process.code
            groups.kill(process.pid)

    def closed(self) -> None:
        """See `Owner.closed`."""
        if (process := self._process) is not None:
            self._code = process.code
            process.close()
        self.gone.set()
