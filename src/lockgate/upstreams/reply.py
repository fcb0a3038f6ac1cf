"""A response on its way in: status, headers, and a body that waits to be read.

Must not know: how responses are parsed, or which connection comes next for whom. The connection
puts body bytes in; one reader takes them out. A body nobody reads stops the connection from
reading, so that what is buffered here stays bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol

from lockgate.upstreams.failures import ConnectionLost, HttpFailure, TooLarge


class Source(Protocol):
    """Where a body comes from, as far as its reader may meddle with it."""

    def pause_reading(self) -> None:
        """Take no more bytes from the network."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...


class HttpReply:
    """One response. Its head has arrived; its body may still be coming.

    status   200 to 599; interim responses have been skipped. Redirects are not followed.
    headers  lower-case names; a name sent more than once has its values joined with `, `.

    Whoever holds a reply either reads it to the end or calls `close` (or uses `async with`). One
    reader at a time: `read` and `chunks` take bytes out.
    """

    __slots__ = (
        "_chunks",
        "_complete",
        "_failure",
        "_high_water",
        "_paused",
        "_reader",
        "_size",
        "_source",
        "_taken",
        "_until_whole",
        "headers",
        "status",
    )

    def __init__(
        self, status: int, headers: dict[bytes, bytes], source: Source | None, high_water: int
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks: list[bytes] = []
        self._size = 0
        self._complete = False
        self._failure: HttpFailure | None = None
        self._source: Source | None = source
        self._high_water = high_water
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._until_whole = False
        self._taken = False

    def __repr__(self) -> str:
        return f"HttpReply({self.status})"

    @property
    def complete(self) -> bool:
        """The whole body has arrived, so that reading it will not wait."""
        return self._complete

    async def read(self, limit: int) -> bytes:
        """The (rest of the) body, at most `limit` bytes of it.

        Raises:
            TooLarge: there is more; the connection is dropped.
            ConnectionLost: the connection ended before the body did.
            TimedOut: the body was silent for too long.
            BadResponse: the body's framing is broken.
        """
        if not self._complete:
            await self._arrive(limit)
        return self.whole(limit)

    def whole(self, limit: int) -> bytes:
        """As `read`, of a body that is complete. Raises TooLarge."""
        if self._size > limit:
            self.close()
            raise TooLarge(f"the response body is over {limit} bytes")
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._size = 0
        return body

    async def _arrive(self, limit: int) -> None:
        """Wait until the body is complete or over `limit`. Raises what broke it."""
        announced = self.headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > limit and not self._taken:
            self.close()
            raise TooLarge(f"the response body is over {limit} bytes")
        self._high_water = limit
        self._until_whole = True
        while not self._complete and self._size <= limit:
            await self._more()
        self._until_whole = False

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces of no particular size.

        Raises:
            ConnectionLost, TimedOut, BadResponse: as `read`; only after everything that did
                arrive has been given out.
        """
        return _Chunks(self)

    async def arrived(self) -> list[bytes]:
        """The pieces that have arrived since, at least one; none at the end. Raises as `chunks`."""
        while not self._chunks:
            if self._complete:
                return []
            await self._more()
        taken, self._chunks, self._size = self._chunks, [], 0
        self._taken = True
        return taken

    async def _more(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._reader is not None:
            raise RuntimeError("a reply has one reader at a time")
        if self._paused:
            self._resume()
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def close(self) -> None:
        """Give up on the rest of the body: an unfinished reply takes its connection with it."""
        source, self._source = self._source, None
        if source is not None:
            self._failure = ConnectionLost("the reader gave up on the answer", sent=True)
            source.abort()
            self._wake()

    async def __aenter__(self) -> HttpReply:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The connection's side.

    def put(self, data: bytes) -> None:
        """Body bytes have arrived."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > self._high_water:
            self._wake()
            if not self._paused and self._source is not None:
                self._paused = True
                self._source.pause_reading()
        elif not self._until_whole:
            self._wake()

    def finish(self) -> None:
        """The body is complete, and the connection is no longer this reply's."""
        self._complete = True
        self._source = None
        self._wake()

    def fail(self, failure: HttpFailure) -> None:
        """The body ends here, broken; the connection is gone."""
        self._failure = failure
        self._source = None
        self._wake()

    @property
    def paused(self) -> bool:
        """The reader is behind, so that silence is not the server's fault."""
        return self._paused

    def _resume(self) -> None:
        self._paused = False
        if self._source is not None:
            self._source.resume_reading()

    def _wake(self) -> None:
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)


class _Chunks:
    """What gives a body out; no generator, which the compiler cannot compile."""

    __slots__ = ("_pieces", "_reply")

    def __init__(self, reply: HttpReply) -> None:
        self._reply = reply
        self._pieces: list[bytes] = []  # the next one is the last

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            self._pieces = (await self._reply.arrived())[::-1]
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class WholeReply(HttpReply):
    """A reply whose whole body is here, and whose connection is no longer its own."""

    __slots__ = ()

    def __init__(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        # Nearly every reply is one of these, so only what a complete one is ever asked for.
        self.status = status
        self.headers = headers
        self._chunks = [body]
        self._size = len(body)
        self._complete = True
        self._source = None
        self._paused = False
