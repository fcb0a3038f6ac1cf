"""The stdio front: one client on the other end of two byte streams, one message a line.

Must not know: where the streams come from, HTTP.

Source: specification 2026-07-28 and 2025-11-25, basic/transports, "stdio". The era is decided by
each message: requests that carry their own protocol version are stateless; after an `initialize`
the rest belongs to the one session there is. A client may mix both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from lockgate.core.message import Failure
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.modern import Modern
from lockgate.fronts.sessions import Session
from lockgate.fronts.settings import Engine, ExchangeSettings
from lockgate.fronts.streams import BEAT, Running
from lockgate.wire import handshake_in, modern_in
from lockgate.wire.envelope import failure_error
from lockgate.wire.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Malformed,
    Notice,
    Request,
    RequestId,
    Response,
    decode,
    encode_result,
    too_deep,
)
from lockgate.wire.modern_in import Refusal

_CHUNK: Final = 64 * 1024
_FACTS: Final[Mapping[str, Any]] = {"transport": "stdio"}
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
        line_bytes: int = 4 * 1024 * 1024,
        running: int = 256,
        grace: float = 5.0,
    ) -> None:
        """Serve with `engine`.

        Args:
            engine: answers calls.
            settings: as for HTTP, where they apply.
            line_bytes: longest message taken.
            running: requests answered at once; more are refused.
            grace: how long requests may still run after the end of input, seconds.
        """
        self._settings = settings or ExchangeSettings()
        self._dialogue = Dialogue(engine, self._settings)
        self._core = Modern(engine, self._settings)
        self._line_bytes = line_bytes
        self._grace = grace
        self._most = running
        self._session: Session | None = None
        self._modern: dict[RequestId, Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
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
            reading.cancel()
            ending.cancel()
            sweep.cancel()
            await self._finish()
            await asyncio.gather(reading, ending, sweep, return_exceptions=True)
            self._served.set()

    async def drain(self, grace: float) -> None:
        """Take nothing new; returns once what runs has finished, or grace is over."""
        self._grace = grace
        self._ending.set()
        await self._served.wait()

    async def _read(self, lines: Lines) -> None:
        while True:
            try:
                line = await lines.next()
            except TooLong:
                over = f"A message is longer than {self._line_bytes} bytes."
                self.write(_malformed(Malformed(INVALID_REQUEST, over)))
                continue
            if line is None:
                return
            if line.strip():
                await self._take(line)

    async def _take(self, line: bytes) -> None:
        try:
            message = decode(line)
            if too_deep(line, self._settings.depth):
                raise Malformed(
                    INVALID_REQUEST,
                    f"The message nests deeper than {self._settings.depth} levels.",
                    getattr(message, "id", None),
                )
        except Malformed as error:
            self.write(_malformed(error))
            await self._flush()
            return
        if isinstance(message, Request):
            # Who is not reading our answers is not read from either.
            await self._flush()
            if len(self._tasks) >= self._most:
                # Not read on instead: what ends the running ones comes by the same way.
                self.write(failure_error(message.id, _too_many(self._most)))
                return
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # A cancellation may be the next line: the request has to be known by then.
            await asyncio.sleep(0)
        else:
            self._other(message)

    async def _answer(self, request: Request) -> None:
        running = Line(self)
        try:
            body = await self._response(request, running)
        except asyncio.CancelledError:
            if not running.settle():
                raise
            return
        self.write(body)
        await self._flush()

    async def _response(self, request: Request, running: Running) -> bytes:
        if modern_in.claims_modern(request.params):
            return await self._stateless(request, running)
        if request.method == "initialize":
            return await self._initialize(request)
        session = self._session
        if session is None:
            if request.method == "ping":
                return encode_result(request.id, b"{}")
            # Nothing opened a session, so only a stateless request could have been meant.
            return await self._stateless(request, running)
        return await self._dialogue.request(session, request, running, _FACTS)

    async def _stateless(self, request: Request, running: Running) -> bytes:
        if request.id in self._modern:
            taken = Failure(INVALID_REQUEST, "This id is in use.", "client", "id-in-use")
            return failure_error(request.id, taken)
        self._modern[request.id] = running
        try:
            lifted = self._core.lift(request)
            modern_in.check_served(lifted.client.protocol_version)
            modern_in.check_method(request.method)
            return (await self._core.run(request, lifted, running, _FACTS))[1]
        except Refusal as refused:
            return failure_error(request.id, refused.failure)
        finally:
            del self._modern[request.id]

    async def _initialize(self, request: Request) -> bytes:
        opening = handshake_in.read_initialize(request.params)
        if isinstance(opening, Failure):
            return failure_error(request.id, opening)
        client = handshake_in.client_facts(opening.version, opening.info, opening.capabilities)
        if self._session is not None:
            self._session.close()
        session = self._session = Session("", _AFFINITY, client, self._settings)
        return await self._dialogue.open(session, request, _FACTS)

    def _other(self, message: Notice | Response) -> None:
        if isinstance(message, Response):
            if self._session is not None:
                self._session.asks.answer(message)
            return
        if message.method == "notifications/cancelled":
            request_id = message.params.get("requestId")
            running = self._modern.get(request_id) if isinstance(request_id, str | int) else None
            if running is not None:
                running.cancel()
                return
        session = self._session
        if session is None:
            return
        if message.method == "notifications/initialized" and not len(session.hub):
            session.hub.attach(Line(self))
            self._dialogue.listen(session)
        self._dialogue.notice(session, message)

    def write(self, message: bytes) -> None:
        """Write one message; line breaks in it can only be white space between tokens."""
        if self._writer is not None:
            if b"\n" in message or b"\r" in message:
                message = message.replace(b"\r", b" ").replace(b"\n", b" ")
            self._writer.write(message + b"\n")

    async def _flush(self) -> None:
        if self._writer is not None:
            try:
                await self._writer.drain()
            except (ConnectionError, OSError):
                # The client has closed its end: nobody is left to answer.
                self._ending.set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if self._session is not None:
                self._session.asks.sweep(self._settings.clock.monotonic())

    async def _finish(self) -> None:
        self._core.drain()
        if self._session is not None and self._session.listening is not None:
            self._session.listening.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        for task in tuple(self._tasks):
            task.cancel()
        if self._session is not None:
            self._session.close()
            self._dialogue.end(self._session)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dialogue.settle()


class Line(Running):
    """A request whose notifications go out as lines among all others."""

    __slots__ = ("_front",)

    def __init__(self, front: StdioFront) -> None:
        super().__init__()
        self._front = front

    def event(self, message: bytes, /) -> None:
        """See `Running.event`."""
        self._front.write(message)

    def close(self) -> None:
        """Nothing to close: the line is everybody's."""


def _too_many(limit: int) -> Failure:
    return Failure(
        INTERNAL_ERROR,
        f"Too many requests at once: {limit} are running, the most allowed.",
        "gateway",
        "too-many-calls",
        remedy="Wait for running requests to end.",
    )


def _malformed(error: Malformed) -> bytes:
    failure = Failure(
        error.code,
        error.message,
        "client",
        "malformed-message",
        remedy="Send one JSON-RPC 2.0 message per line.",
    )
    return failure_error(error.id, failure)
