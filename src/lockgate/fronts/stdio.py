"""The stdio front: one client on the other end of two byte streams, one message a line.

Must not know: where the streams come from, HTTP.

Source: specification 2026-07-28 and 2025-11-25, basic/transports, "stdio".
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from lockgate.fronts.conversation import MOST_RUNNING, Conversation, OverLimit
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.modern import Modern
from lockgate.fronts.settings import Engine, ExchangeSettings
from lockgate.fronts.streams import BEAT

_CHUNK: Final = 64 * 1024
_LOOK: Final = 64 * 1024  # bytes written after which it is looked whether the client reads
_log: Final = logging.getLogger("lockgate.fronts")
_AFFINITY: Final = "stdio"


class Reader(Protocol):
    """What messages are read from; `asyncio.StreamReader` is one."""

    async def read(self, n: int, /) -> bytes:
        """Up to `n` bytes; empty at the end."""
        ...


class Writer(Protocol):
    """What messages are written to; `asyncio.StreamWriter` is one."""

    def write(self, data: bytes, /) -> None:
        """Take bytes without waiting."""
        ...

    async def drain(self) -> None:
        """Wait until the other end has taken enough."""
        ...


class TooLong(Exception):
    """A line is longer than allowed; the rest of it has been skipped."""


class Lines:
    """Cuts a byte stream into lines of bounded length."""

    def __init__(self, reader: Reader, limit: int) -> None:
        """At most `limit` bytes to a line."""
        self._reader = reader
        self._limit = limit
        self._buffer = bytearray()
        self._skipping = False
        self._searched = 0

    async def next(self) -> bytes | None:
        """The next line without its end; None when there are no more.

        Raises:
            TooLong: once for a line over the limit; the line after it comes next.
        """
        while True:
            at = self._buffer.find(b"\n", self._searched)
            if at >= 0:
                line = bytes(self._buffer[:at])
                del self._buffer[: at + 1]
                self._searched = 0
                if self._skipping:
                    self._skipping = False
                    continue
                if len(line) > self._limit:
                    raise TooLong
                return line
            self._searched = len(self._buffer)
            if self._searched > self._limit and not self._skipping:
                self._skipping = True
                self._forget()
                raise TooLong
            if self._skipping:
                self._forget()
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                return self._last()
            self._buffer += chunk

    def _forget(self) -> None:
        self._buffer.clear()
        self._searched = 0

    def _last(self) -> bytes | None:
        line = b"" if self._skipping else bytes(self._buffer)
        self._forget()
        return line or None


class StdioFront:
    """Serves one client until its input ends."""

    def __init__(
        self,
        engine: Engine,
        settings: ExchangeSettings | None = None,
        *,
        line_bytes: int | None = None,
        running: int = MOST_RUNNING,
        grace: float = 5.0,
    ) -> None:
        """Serve with `engine`.

        Args:
            engine: answers calls.
            settings: as for HTTP, where they apply.
            line_bytes: longest message taken; None: the one of the settings.
            running: requests answered at once; more are refused.
            grace: how long requests may still run after the end of input, seconds.
        """
        self._settings = settings or ExchangeSettings()
        self._dialogue = Dialogue(engine, self._settings)
        self._core = Modern(engine, self._settings)
        self._conversation = Conversation(
            self,
            self._dialogue,
            self._core,
            self._settings,
            affinity=_AFFINITY,
            facts={"endpoint": self._settings.endpoint, "transport": "stdio"},
            running=running,
        )
        self._line_bytes = self._settings.message_bytes if line_bytes is None else line_bytes
        self._grace = grace
        self._unsent = 0
        self._given_up = False
        self._looking: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._served = asyncio.Event()
        self._served.set()
        self._writer: Writer | None = None

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Serve until end of input, or until `drain`; then let what runs finish, within grace."""
        self._writer = writer
        self._served.clear()
        sweep = asyncio.create_task(self._sweep())
        reading = asyncio.create_task(self._read(Lines(reader, self._line_bytes)))
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Read on meanwhile: what runs may wait for answers that the client owes.
            await self._finish()
            reading.cancel()
            ending.cancel()
            sweep.cancel()
            await asyncio.gather(reading, ending, sweep, return_exceptions=True)
            self._served.set()

    async def drain(self, grace: float) -> None:
        """Take nothing new; returns once what runs has finished, or grace is over."""
        self._grace = grace
        self._ending.set()
        await self._served.wait()

    async def _read(self, lines: Lines) -> None:
        conversation = self._conversation
        while True:
            try:
                line = await lines.next()
            except TooLong:
                over = f"A message is longer than {self._line_bytes} bytes."
                conversation.refuse(OverLimit(over, "body_bytes"))
                continue
            if line is None:
                return
            if line.strip():
                await conversation.take(line)

    def write(self, message: bytes) -> None:
        """Write one message; line breaks in it can only be white space between tokens.

        A client that leaves too much unread is given up: nothing more is said, and serving ends.
        """
        if self._writer is None or self._given_up:
            return
        # Looked at before this message is added: one alone, however large, is never too much.
        if self._unsent > self._settings.unsent_bytes:
            self._give_up()
            return
        if b"\n" in message or b"\r" in message:
            message = message.replace(b"\r", b" ").replace(b"\n", b" ")
        self._writer.write(message + b"\n")
        self._unsent += len(message) + 1
        if self._unsent > _LOOK and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    def _give_up(self) -> None:
        self._given_up = True
        self._ending.set()
        _log.error(
            "the client has left %d bytes unread, so it is given up; "
            "lockgate.limits.unsent_bytes is the most allowed",
            self._unsent,
        )

    async def _look(self) -> None:
        """Find out whether the client reads; notifications wait for nobody."""
        try:
            await self.flush()
        finally:
            self._looking = None

    async def flush(self) -> None:
        """Wait until the client has read enough."""
        if self._writer is not None:
            try:
                await self._writer.drain()
                self._unsent = 0
            except (ConnectionError, OSError):
                # The client has closed its end: nobody is left to answer.
                self._ending.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self._conversation.sweep(self._settings.clock.monotonic())

    async def _finish(self) -> None:
        self._core.drain()
        await self._conversation.settle(0.0 if self._given_up else self._grace)
        await self._conversation.end()
        if self._looking is not None:
            self._looking.cancel()
        await self._dialogue.settle()
