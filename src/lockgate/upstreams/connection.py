"""One HTTP/1.1 connection to a server: it writes a request and parses the response (RFC 9112).

Must not know: which request comes next, pooling rules, MCP. It serves one exchange at a time and
tells its owner when it is free again or gone. A server's bytes can do three things only: make a
response, make a typed failure, or get the connection dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from typing import Protocol, cast

import httptools

from lockgate.upstreams.failures import BadResponse, ConnectionLost, HttpFailure, TimedOut
from lockgate.upstreams.reply import HttpReply, WholeReply
from lockgate.wire.repeated import Head, remember

_ONE_WRITE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLimits:
    """What a server may send. Sizes in bytes.

    header_count  header fields of one response, interim responses included.
    header_bytes  all of them together; also trailers, and framing between body bytes.
    unread_bytes  body bytes that wait for a reader; then the connection stops reading.
    """

    header_count: int = 200
    header_bytes: int = 64 * 1024
    unread_bytes: int = 256 * 1024


class Owner(Protocol):
    """Who hears what became of a connection."""

    def opened(self, connection: Connection) -> None:
        """The transport is there."""
        ...

    def free(self, connection: Connection, keep_alive: bytes | None) -> None:
        """The exchange is over and the next may come. `keep_alive`: the header, if one came."""
        ...

    def gone(self, connection: Connection) -> None:
        """It can serve no more. Told once."""
        ...

    def closed(self, connection: Connection) -> None:
        """The transport has let go of its socket."""
        ...


class _StopParsing(Exception):
    """Nothing after this point is wanted."""


class Connection(asyncio.Protocol):
    """See the module. `shown` names the origin in messages."""

    __slots__ = (
        "_done",
        "_exchanges",
        "_head",
        "_header_bytes",
        "_headers",
        "_heard",
        "_keep",
        "_known",
        "_limits",
        "_loop",
        "_owner",
        "_parser",
        "_quiet",
        "_refusal",
        "_reply",
        "_shown",
        "_silent_since",
        "_stall",
        "_to_eof",
        "_transport",
        "_until",
        "_waiter",
        "usable",
    )

    def __init__(
        self, owner: Owner, limits: ResponseLimits, shown: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.usable = False
        self._owner = owner
        self._limits = limits
        self._shown = shown
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._exchanges = 0
        self._waiter: asyncio.Future[HttpReply] | None = None
        self._reply: HttpReply | None = None
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._quiet = 0
        self._head = False
        self._done = False
        self._keep = False
        self._known: tuple[Head, dict[bytes, bytes]] | None = None
        self._to_eof = False
        self._heard = False
        self._until = inf
        self._stall = inf
        self._silent_since = 0.0
        self._refusal: str | None = None

    def __repr__(self) -> str:
        return f"Connection({self._shown})"

    def ready(self) -> bool:
        """It can take a request, as far as anybody here knows."""
        transport = self._transport
        return self.usable and transport is not None and not transport.is_closing()

    def send(
        self, head: bytes, body: bytes, *, is_head: bool, until: float, stall: float
    ) -> asyncio.Future[HttpReply]:
        """Write a request; only when `ready`.

        Args:
            head: request line and headers.
            body: exactly as long as the headers say.
            is_head: the method is HEAD, so the response has no body.
            until: when the response's headers must be there, on the loop's clock.
            stall: seconds the body may be silent.

        Returns:
            What gives the reply, or raises an `HttpFailure`.
        """
        self._exchanges += 1
        self._head = is_head
        self._headers = {}
        self._header_bytes = self._quiet = 0
        self._until = until
        self._stall = stall
        self._waiter = waiter = self._loop.create_future()
        transport = self._transport
        assert transport is not None  # noqa: S101 - `ready` says so
        if len(body) < _ONE_WRITE:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        return waiter

    def tick(self, now: float) -> None:
        """Look at the time limits of the exchange under way."""
        if self._waiter is not None:
            if self._until <= now:
                self._fail(TimedOut(f"{self._shown} did not begin to answer in time", phase="head"))
        elif self._reply is not None:
            if self._heard or self._reply.paused:
                self._heard = False
                self._silent_since = now
            elif now - self._silent_since >= self._stall:
                self._fail(TimedOut(f"{self._shown} stopped sending", phase="body"))

    def close(self) -> None:
        """Close an idle connection in good order."""
        self._retire()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection and what it was doing; nobody waits for that any more."""
        self._waiter = self._reply = None
        self._drop()

    def forsake(self) -> None:
        """Let go of a connection that was made for somebody who had just stopped waiting.

        uvloop closes its socket and tells nobody: `connection_lost` is never called for it.
        """
        if self._transport is not None:
            self.usable = False
            self._transport.abort()
            self.connection_lost(None)

    def lose(self) -> None:
        """Drop the connection; whoever waits for its answer hears that it was lost."""
        self._fail(self._lost())

    # The reply's side.

    def pause_reading(self) -> None:
        """See `reply.Source`."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See `reply.Source`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports do not inherit from asyncio's, so there is nothing to check against.
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)
        self.usable = True
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._waiter is None and self._reply is None:
            # Nothing was asked: a late or forged answer must not meet the next request.
            self._drop()
            return
        self._quiet += len(data)
        self._heard = True
        first = self._quiet == len(data) and self._waiter is not None
        if first and self._known is not None and self._again(data, *self._known):
            return
        assert self._parser is not None  # noqa: S101 - made with the transport
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keep = False
            if not self._done:
                cause = self._refusal or f"it is not valid HTTP ({error})"
                self._refuse(cause)
                return
        if self._done:
            if first:
                self._remember(data)
            self._finish()
        elif self._quiet > self._limits.header_bytes:
            self._refuse("its headers or framing are over the limit")

    def _again(self, data: bytes, head: Head, headers: dict[bytes, bytes]) -> bool:
        """Hand out a response whose head has been parsed before, but for its length."""
        waiter = self._waiter
        found = head.body(data)
        if found is None or waiter is None or waiter.done() or self._head:
            return False
        digits, start = found
        if headers[b"content-length"] != digits:
            headers = {**headers, b"content-length": digits}
        self._waiter = None
        waiter.set_result(WholeReply(200, headers, data[start:]))
        self._keep = True
        self._serve_again(headers)
        return True

    def _remember(self, data: bytes) -> None:
        """Keep the head of a response that came whole, for the ones that follow it."""
        reply = self._reply
        if reply is None or reply.status != 200 or self._head or not self._keep:
            return
        head = remember(data)
        if head is not None and head.body(data) is not None:
            self._known = head, reply.headers

    def eof_received(self) -> None:
        """See `asyncio.Protocol`. The transport closes next."""
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._transport is None:
            return
        self._end(exc)
        # The parser holds bound methods of this object, and this object the parser.
        self._parser = self._transport = None
        self._owner.closed(self)

    # The parser's side.

    def on_message_begin(self) -> None:
        """A response starts; behind a finished one, nobody asked for it."""
        if self._done:
            raise _StopParsing

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field, or a trailer field, which is dropped."""
        if self._reply is not None:
            return
        headers = self._headers
        self._header_bytes += len(name) + len(value)
        name = name.lower()
        value = value.rstrip(b" \t")
        if name in headers:
            # A later line joins the earlier one (RFC 9110 section 5.3).
            value = headers[name] + b", " + value
        headers[name] = value
        if (
            len(headers) > self._limits.header_count
            or self._header_bytes > self._limits.header_bytes
        ):
            self._reject("its headers are over the limit")

    def on_headers_complete(self) -> None:
        """The head is whole: judge it and hand out the reply."""
        parser = self._parser
        assert parser is not None  # noqa: S101 - it is calling
        status = parser.get_status_code()
        headers = self._headers
        if status < 200:
            self._interim(status)
            return
        if status > 599:
            self._reject("its status is not between 100 and 599")
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() not in (
            b"identity",
            b"",
        ):
            self._reject("it is compressed although nobody asked for that")
        if b"transfer-encoding" in headers:
            if headers[b"transfer-encoding"].lower() != b"chunked":
                self._reject("its transfer encoding is not chunked")
            self._to_eof = False
        else:
            self._to_eof = b"content-length" not in headers
        reply = HttpReply(status, headers, self, self._limits.unread_bytes)
        self._quiet = 0
        self._reply = reply
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            # Cancelled a moment ago. The connection must not serve anybody else before whoever
            # cancelled gets to drop it.
            self._reject("nobody waits for it any more")
        else:
            waiter.set_result(reply)
        if self._head:
            # The parser cannot know that no body follows, so it must not see what comes next.
            self._done = True
            self._keep = False
            raise _StopParsing

    def on_body(self, data: bytes) -> None:
        """Body bytes, without their framing."""
        self._quiet = 0
        reply = self._reply
        if reply is not None:
            reply.put(data)

    def on_message_complete(self) -> None:
        """The response is whole (an interim one does not count)."""
        if self._reply is not None:
            parser = self._parser
            assert parser is not None  # noqa: S101 - it is calling
            self._done = True
            self._keep = parser.should_keep_alive()

    def _interim(self, status: int) -> None:
        if status < 100 or status == 101:
            self._reject("it switches protocols although nobody asked for that")
        self._headers = {}

    def _reject(self, cause: str) -> None:
        self._refusal = cause
        raise _StopParsing

    # Ends.

    def _finish(self) -> None:
        """The response is whole and everything that came with it has been looked at."""
        reply, self._reply = self._reply, None
        self._done = False
        if reply is None:
            self._drop()
            return
        if reply.paused:
            self.resume_reading()
        reply.finish()
        self._serve_again(reply.headers)

    def _serve_again(self, headers: dict[bytes, bytes]) -> None:
        """Be there for the next request, if that can be."""
        transport = self._transport
        # A server that answers before it has read the request will not read the next one either.
        if (
            self._keep
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self._owner.free(self, headers.get(b"keep-alive"))
        else:
            self._drop()

    def _end(self, error: Exception | None) -> None:
        """The server has closed, or the network has broken, the connection."""
        if self._reply is not None and self._to_eof and error is None:
            self._keep = False
            self._finish()
        elif self._reply is not None or self._waiter is not None:
            self._fail(self._lost())
        else:
            self._retire()

    def _lost(self) -> ConnectionLost:
        answered = self._reply is not None or self._quiet > 0
        return ConnectionLost(
            f"{self._shown} closed the connection "
            + ("in the middle of its answer" if answered else "without an answer"),
            sent=True,
            reused=self._exchanges > 1,
            answered=answered,
        )

    def _refuse(self, cause: str) -> None:
        self._fail(BadResponse(f"the answer of {self._shown} was refused: {cause}"))

    def _fail(self, failure: HttpFailure) -> None:
        waiter, self._waiter = self._waiter, None
        reply, self._reply = self._reply, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(failure)
        if reply is not None:
            reply.fail(failure)
        self._drop()

    def _drop(self) -> None:
        self._retire()
        if self._transport is not None:
            self._transport.abort()

    def _retire(self) -> None:
        if self.usable:
            self.usable = False
            self._owner.gone(self)
