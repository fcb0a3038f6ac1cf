"""One connection of the native server: requests in turn, answers in order, limits kept.

Must not know: how requests are parsed, how an answer is written, what handlers do.

One request is served at a time. What a client pipelines behind it waits as bytes, and reading stops
when those are more than `HttpLimits.pipelined_bytes`.

End of file from a client whose answer is still due: almost always it has gone, seldom it has closed
its sending half and waits. Both are served. An answer that has begun streaming is told at once
(`Responder.on_close`), any other after `HttpLimits.half_close_seconds`; what the handler then still
sends is sent. Over TLS there is no half-closed state: end of file ends the connection.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import urlsafe_b64encode
from hashlib import sha256
from math import inf
from typing import Final, cast

from lockgate.fronts.answer import Answer, refusal
from lockgate.fronts.http import HttpRequest, Passage, Tunnel
from lockgate.fronts.reading import BETWEEN, BODY, PIECE, Deliver, Reader
from lockgate.fronts.screen import Refused
from lockgate.fronts.state import ServerState
from lockgate.fronts.tunnelled import Tunnelled
from lockgate.fronts.workers import Workers

_LINGER: Final = 2.0  # seconds a refused client has to read why, before the connection is reset
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads requests, runs the handler for each in turn, and watches the clock.

    `_current` is the answer being written. While there is one, what arrives waits; when it is
    finished, `_proceed` takes that up.
    """

    __slots__ = (
        "_clogged",
        "_closing",
        "_current",
        "_deadline",
        "_due",
        "_eof",
        "_paused",
        "_queue",
        "_reader",
        "_sent",
        "_stall_deadline",
        "_taken",
        "_timed",
        "_transport",
        "_unread",
        "_unread_size",
        "_workers",
        "loop",
        "state",
    )

    _transport: asyncio.Transport
    _reader: Reader

    def __init__(
        self, state: ServerState, workers: Workers, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.state = state
        self._workers = workers
        self.loop = loop
        self._current: Answer | None = None
        self._queue: list[Answer | Refused] = []  # parsed together with an earlier request
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._paused = False  # reading is
        self._clogged = False  # the client does not take what is written
        self._eof = False
        self._closing = False
        self._deadline = inf
        self._timed = -1  # the phase of reading that the deadline is for
        self._due: asyncio.TimerHandle | None = None
        self._sent = 0
        self._taken = -1
        self._stall_deadline = inf

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        state = self.state
        self._transport = cast("asyncio.Transport", transport)
        name = cast("object", transport.get_extra_info("peername"))
        peer = str(cast("tuple[object, ...]", name)[0]) if isinstance(name, tuple) else ""
        scheme = "https" if state.tls else "http"
        thumbprint = _thumbprint(transport) if state.tls else ""
        deliver = _showing(thumbprint, self._deliver) if thumbprint else self._deliver
        self._reader = Reader(state.limits, deliver, peer, scheme)
        if len(state.connections) >= state.limits.connections:
            state.refused_connections += 1
            self._closing = True
            self.put(refusal(503, "Too many connections; try again later.", state.date))
            self._transport.close()
            return
        state.connections.add(self)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._closing or self._reader.last:
            return
        if self._current is None and not self._clogged and not self._unread:
            self._read(data)
        else:
            self._hold(data)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        self._eof = True
        if self._closing or self.state.tls:
            return False
        if self._current is not None:
            self._doubt(self._current)
            return True
        return bool(self._queue or self._unread)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._clogged = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._clogged = False
        if self._current is None:
            self._proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._closing = True
        self._queue.clear()
        self._unread.clear()
        if self._due is not None:
            self._due.cancel()
        if self._current is not None:
            self._current.lost()
            self._current = None
        self._reader.release()
        self.state.connections.discard(self)
        self.state.left()

    # Reading.

    def _read(self, data: bytes) -> None:
        try:
            if len(data) <= PIECE:
                self._reader.feed(data)
            else:
                self._read_pieces(memoryview(data))
        except Refused as refused:
            self._refuse(refused)
        if self._current is None and not self._closing:
            self._arm()

    def _read_pieces(self, data: memoryview) -> None:
        reader = self._reader
        while data and self._current is None:
            step = reader.step
            reader.feed(data[:step])
            data = data[step:]
        if data and not reader.last:
            self._hold(bytes(data))

    def _hold(self, data: bytes) -> None:
        self._unread.append(data)
        self._unread_size += len(data)
        if self._unread_size > self.state.limits.pipelined_bytes and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _deliver(self, request: HttpRequest, *, keep_alive: bool, http10: bool) -> None:
        answer = Answer(self, request, keep_alive=keep_alive, http10=http10)
        if self._current is None:
            self._begin(answer)
        else:
            self._queue.append(answer)

    def _refuse(self, refused: Refused) -> None:
        if self._current is None:
            self.put(refusal(refused.status, refused.message, self.state.date))
            self._linger()
        else:
            self._queue.append(refused)

    def _linger(self) -> None:
        """Close, but keep discarding for a moment what the client is still sending.

        Closed with bytes unread, TCP resets, and the client would not see the answer.
        """
        self._closing = True
        if self._eof:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._unpause()
        self._deadline = self.state.deadline(_LINGER)

    def _unpause(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    # Serving.

    def _begin(self, answer: Answer) -> None:
        self._current = answer
        self._deadline = inf
        self._timed = -1
        state = self.state
        state.requests += 1
        self._workers.serve(answer, self.loop)
        if self._eof:
            self._doubt(answer)

    def finished(self, answer: Answer) -> None:
        """See `Line.finished`."""
        self._current = None
        if not answer.keep_alive or self.state.draining:
            self._closing = True
            self._transport.close()
        elif self._clogged:
            return
        elif self._queue or self._unread or self._eof:
            self._proceed()
        elif self._reader.phase == BETWEEN:
            # What `_arm` would do: nearly always the next request is yet to come.
            self._timed = BETWEEN
            self._deadline = self.state.idle_deadline
        else:
            self._arm()

    def take_over(self, answer: Answer, tunnel: Tunnel) -> Passage | None:
        """See `Line.take_over`."""
        reader = self._reader
        if not reader.upgrading or answer is not self._current or self._closing or self._eof:
            return None
        passage = Tunnelled(self.state, self._transport, tunnel)
        self._transport.set_protocol(passage)
        early = b"".join((reader.rest, *self._unread))
        if early:
            self.loop.call_soon(passage.data_received, early)
        self._current = None
        self._unpause()
        reader.release()
        self.state.connections.discard(self)
        self.state.connections.add(passage)
        return passage

    def _proceed(self) -> None:
        """Take up what has waited for its turn; with nothing left, wait for the client."""
        while self._current is None and not self._closing:
            if self._queue:
                item = self._queue.pop(0)
                if isinstance(item, Answer):
                    self._begin(item)
                else:
                    self._refuse(item)
            elif self._unread:
                data = b"".join(self._unread)
                self._unread.clear()
                self._unread_size = 0
                self._unpause()
                self._read(data)
            elif self._eof:
                self._closing = True
                self._transport.close()
            else:
                self._arm()
                return

    def _doubt(self, answer: Answer) -> None:
        """The client sends no more; tell the handler, at once or after the time it may wait."""
        if self._due is not None:
            self._due.cancel()
        delay = 0.0 if answer.started else self.state.limits.half_close_seconds
        self._due = self.loop.call_later(delay, answer.client_left)

    # Writing, for the answer.

    def put(self, data: bytes) -> None:
        """See `Line.put`."""
        self._sent += len(data)
        self._transport.write(data)

    def backlog(self) -> int:
        """See `Line.backlog`."""
        return self._transport.get_write_buffer_size()

    def abort(self) -> None:
        """See `Line.abort`."""
        self._closing = True
        self._transport.abort()
        if self._current is not None:
            self._current.lost()

    # Time.

    def _arm(self) -> None:
        """Set the deadline for the phase the reader is in, unless it is already running."""
        reader = self._reader
        if reader.phase != self._timed:
            self._timed = reader.phase
            limits = self.state.limits
            times = (limits.idle_seconds, limits.headers_seconds, limits.body_seconds)
            self._deadline = self.state.deadline(times[reader.phase])
        if reader.wants_continue:
            reader.wants_continue = False
            self.put(_CONTINUE)

    def sweep(self, now: float) -> None:
        """Enforce what is overdue at `now`."""
        backlog = self.backlog()
        if backlog == 0:
            self._taken = -1
        elif self._taken != self._sent - backlog:
            self._taken = self._sent - backlog
            self._stall_deadline = self.state.deadline(self.state.limits.write_seconds)
        elif now > self._stall_deadline:
            self.abort()
        if now > self._deadline:
            self._expire(backlog)

    def _expire(self, backlog: int) -> None:
        if self._closing:
            if backlog == 0:
                self.abort()
        elif self._timed == BETWEEN:
            self._closing = True
            self._transport.close()
        else:
            part = "body" if self._timed == BODY else "headers"
            self._refuse(Refused(408, f"The request's {part} took too long to arrive."))

    @property
    def busy(self) -> bool:
        """Whether a request is arriving, waiting or being answered."""
        waiting = self._current or self._queue or self._unread
        return bool(waiting) or self._reader.phase != BETWEEN

    def drain(self) -> None:
        """Close now if idle; otherwise the answer in progress, or the next one, is the last."""
        if self.busy:
            return
        if not self._closing:
            self._closing = True
            self._transport.close()


def _thumbprint(transport: asyncio.BaseTransport) -> str:
    """That of the certificate the client has shown (RFC 8705 section 3.1); empty for none."""
    session = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
    shown = session.getpeercert(binary_form=True) if session is not None else None
    if not shown:
        return ""
    return urlsafe_b64encode(sha256(shown).digest()).rstrip(b"=").decode()


def _showing(thumbprint: str, deliver: Deliver) -> Deliver:
    """Delivers requests of a client that has shown a certificate."""

    def delivered(request: HttpRequest, *, keep_alive: bool, http10: bool) -> None:
        named = request.replace(certificate=thumbprint)
        deliver(named, keep_alive=keep_alive, http10=http10)

    return delivered
