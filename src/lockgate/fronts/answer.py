"""The native server's `Responder`: how one answer is written (RFC 9112).

Must not know: how requests are read, which request comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Protocol

import msgspec

from lockgate.core.codes import ENTRIES
from lockgate.fronts.http import Headers, HttpRequest, Passage, Tunnel
from lockgate.fronts.state import ServerState

_CRLF: Final = b"\r\n"
_SHELL_WRITES: Final = frozenset((b"connection", b"date", b"transfer-encoding"))
_AND_LENGTH: Final = _SHELL_WRITES | {b"content-length"}
_BODILESS: Final = frozenset((204, 205, 304))
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_SHORT: Final = 64 * 1024  # up to here joining head and body is cheaper than a second write
_FIXED_PARTS: Final = 2
_PARTS_PER_HEADER: Final = 4


class Line(Protocol):
    """What an answer needs of its connection."""

    state: ServerState
    loop: asyncio.AbstractEventLoop

    def put(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        ...

    def backlog(self) -> int:
        """Bytes the network has not taken yet."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...

    def finished(self, answer: Answer) -> None:
        """`answer` is complete."""
        ...

    def take_over(self, answer: Answer, tunnel: Tunnel) -> Passage | None:
        """Make the connection the tunnel's; None when that cannot be."""
        ...


def head(
    status: int, headers: Headers, date: bytes, omit: frozenset[bytes] = _SHELL_WRITES
) -> bytes:
    """Status line, `date` (a finished line or nothing) and header lines, without the empty line.

    Leaves out the fields in `omit`: they are the shell's to write. Raises ValueError for a status
    that is no final one, and for a line break inside a name or value: it would let whoever chose
    the value write headers, or a second answer, of their own.
    """
    line = _STATUS_LINES.get(status)
    if line is None or status < HTTPStatus.OK:
        if not HTTPStatus.OK <= status <= 999:
            raise ValueError(f"{status} is no final HTTP status")
        line = b"HTTP/1.1 %d \r\n" % status
    parts = [line, date]
    for name, value in headers:
        if name not in omit:
            parts += (name, b": ", value, _CRLF)
    written = b"".join(parts)
    lines = 1 + bool(date) + (len(parts) - _FIXED_PARTS) // _PARTS_PER_HEADER
    if written.count(b"\n") != lines or written.count(b"\r") != lines or b"\0" in written:
        raise ValueError("a header name or value contains a line break or NUL")
    return written


def refusal(status: int, message: str, date: bytes) -> bytes:
    """A whole closing answer with a JSON body, for what never reaches a handler."""
    body = refusal_body(status, message)
    return (
        b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
        % (
            head(status, _RETRY if status == _FULL else (), date),
            len(body),
            body,
        )
    )


_FULL: Final = 503
_SOON: Final = 1
"""Seconds after which a connection may be free again."""
_RETRY: Final[Headers] = ((b"retry-after", b"%d" % _SOON),)
_LIMITS: Final = {
    408: "request-too-slow",
    413: "body-too-large",
    414: "target-too-long",
    431: "headers-too-large",
    503: "too-many-connections",
}


def refusal_body(status: int, message: str) -> bytes:
    """What is wrong with a request as a whole, and what to do about it."""
    reason = _LIMITS.get(status, "bad-request")
    entry = ENTRIES[reason]
    error: dict[str, object] = {
        "code": entry.code,
        "reason": reason,
        "message": message,
        "remedy": entry.remedy,
    }
    if status == _FULL:
        error["retry_after"] = _SOON
    return msgspec.json.encode({"error": error})


class Answer:
    """One answer on one connection. See `Responder` for what each call means.

    keep_alive  the connection may carry another request after this one.
    http10      the client speaks HTTP/1.0: no chunks, and keep-alive has to be said.
    task        the handler at work on it.

    Whoever holds the answer is let go of when it is complete: it refers back here, and what a call
    leaves behind shall need no garbage collector.
    """

    __slots__ = (
        "_bare",
        "_begun",
        "_callback",
        "_chunked",
        "_done",
        "_gone",
        "_held",
        "_left",
        "_line",
        "_told",
        "http10",
        "keep_alive",
        "request",
        "task",
    )

    def __init__(self, line: Line, request: HttpRequest, *, keep_alive: bool, http10: bool) -> None:
        self._line = line
        self.request = request
        self.keep_alive = keep_alive
        self.http10 = http10
        self.task: asyncio.Task[None] | None = None
        self._begun = False
        self._done = False
        self._gone = False
        self._told = False
        self._bare = request.method == "HEAD"
        self._chunked = False
        self._left: int | None = None
        self._held = b""
        self._callback: Callable[[], None] | None = None

    @property
    def started(self) -> bool:
        """See `Responder.started`."""
        return self._begun or self._gone

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """See `Responder.send`. Raises RuntimeError, ValueError."""
        if self._begun:
            raise RuntimeError("this request has been answered already")
        if self._gone:
            self._begun = self._done = True
            return
        top = self._head(status, headers)
        self._begun = self._done = True
        self._callback = None
        line = self._line
        ordinary = self.keep_alive and not self.http10 and not line.state.draining
        connection = b"" if ordinary else self._connection()
        if body and status not in _BODILESS and not self._bare and len(body) <= _SHORT:
            length = b"content-length: %d\r\n" % len(body)
            line.put(b"".join((top, length, connection, _CRLF, body)))
        else:
            self._send_apart(status, top, connection, body)
        line.finished(self)

    def _send_apart(self, status: int, top: bytes, connection: bytes, body: bytes) -> None:
        """Write a head, and then the body if there is to be one."""
        length = b"content-length: %d\r\n" % len(body)
        if status in _BODILESS:
            body = b""
            length = b"content-length: 0\r\n" if status == HTTPStatus.RESET_CONTENT else b""
        self._line.put(b"".join((top, length, connection, _CRLF)))
        if body and not self._bare:
            self._line.put(body)

    def _head(self, status: int, headers: Headers) -> bytes:
        """The head of a whole answer; nearly always that of the answer before it."""
        state = self._line.state
        kept = state.kept_head
        if kept is not None and kept[0] == status and kept[1] is headers:
            return kept[2]
        written = head(status, headers, state.date, _AND_LENGTH)
        if isinstance(headers, tuple):
            state.kept_head = status, headers, written
        return written

    def start(self, status: int, headers: Headers) -> None:
        """See `Responder.start`. Raises RuntimeError, ValueError."""
        if self._begun:
            raise RuntimeError("this request has been answered already")
        top = head(status, headers, self._line.state.date)
        self._begun = True
        if self._gone:
            self._done = True
            return
        if status in _BODILESS:
            self._bare = True
        framing = self._framing(status, headers)
        self._held = b"".join((top, framing, self._connection(), _CRLF))
        self._line.loop.call_soon(self._flush)

    def _framing(self, status: int, headers: Headers) -> bytes:
        for name, value in headers:
            if name == b"content-length":
                self._left = int(value)
                return b""
        if status in _BODILESS:
            return b"content-length: 0\r\n" if status == HTTPStatus.RESET_CONTENT else b""
        if self.http10:
            self.keep_alive = self.keep_alive and self._bare
            return b""
        self._chunked = True
        return b"transfer-encoding: chunked\r\n"

    def _connection(self) -> bytes:
        if not self.keep_alive or self._line.state.draining:
            self.keep_alive = False
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.http10 else b""

    def _flush(self) -> None:
        if self._held and not self._gone:
            self._line.put(self._held)
        self._held = b""

    def write(self, chunk: bytes) -> None:
        """See `Responder.write`. Raises RuntimeError."""
        if not self._begun:
            raise RuntimeError("write() before start()")
        if self._done or self._gone or self._bare or not chunk:
            return
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self.abort()
                raise RuntimeError("more was written than Content-Length said")
        # Looked at before this chunk is added: one chunk alone, however large, is never too much.
        if self._line.backlog() > self._line.state.limits.unsent_bytes:
            self._line.abort()
            return
        size = b"%x\r\n" % len(chunk) if self._chunked else b""
        end = _CRLF if self._chunked else b""
        if len(chunk) <= _SHORT:
            self._line.put(b"".join((self._held, size, chunk, end)))
        else:
            for part in (self._held + size, chunk, end):
                if part:
                    self._line.put(part)
        self._held = b""

    def end(self) -> None:
        """See `Responder.end`. Raises RuntimeError."""
        if not self._begun:
            raise RuntimeError("end() before start()")
        if self._done or self._gone:
            return
        if self._left and not self._bare:
            self.abort()
            raise RuntimeError("less was written than Content-Length said")
        self._done = True
        self._callback = None
        last = b"0\r\n\r\n" if self._chunked and not self._bare else b""
        if self._held or last:
            self._line.put(self._held + last)
            self._held = b""
        self._line.finished(self)

    def abort(self) -> None:
        """See `Responder.abort`."""
        if not self._done:
            self._begun = self._done = True
            self._line.abort()

    def on_close(self, callback: Callable[[], None]) -> None:
        """See `Responder.on_close`."""
        if self._told:
            self._line.loop.call_soon(callback)
        elif not self._done:
            self._callback = callback

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        """See `Responder.take_over`."""
        if self._begun or self._gone:
            return None
        passage = self._line.take_over(self, tunnel)
        if passage is not None:
            self._begun = self._done = True
        return passage

    def client_left(self) -> None:
        """Tell the handler, once, that nobody waits for this answer any more."""
        self._told = True
        callback, self._callback = self._callback, None
        if callback is not None and not self._done:
            self._line.loop.call_soon(callback)

    def lost(self) -> None:
        """The connection is gone: nothing can be written from here on."""
        self.client_left()
        self._gone = True
        self._held = b""

    def fail(self, status: int, message: str) -> None:
        """End an answer its handler did not finish: as `status` if that can still be said."""
        if self._begun:
            self.abort()
        else:
            self.keep_alive = False
            body = msgspec.json.encode({"error": message})
            self.send(status, ((b"content-type", b"application/json"),), body)
