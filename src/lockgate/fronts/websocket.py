"""Clients on a WebSocket, subprotocol `mcp`: one text message is one JSON-RPC message.

Must not know: frames and handshakes (`frames.py`), what messages mean (`conversation.py`).

No revision describes this transport; it is what the official SDKs offered before Streamable HTTP.
Both eras are spoken, as on stdio. A client that goes away has cancelled what it asked, since
nothing can be delivered to it any more.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import Final

from lockgate.core.message import Failure
from lockgate.fronts import frames
from lockgate.fronts.conversation import Conversation
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.frames import Framing, Refusal
from lockgate.fronts.http import Headers, HttpRequest, Passage, Responder
from lockgate.fronts.modern import Modern
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.streams import JSON, Pulse
from lockgate.wire.envelope import failure_error
from lockgate.wire.jsonrpc import INVALID_REQUEST, OVERLOADED

GOING_AWAY: Final = 1001
UNSUPPORTED_DATA: Final = 1003
TOO_SLOW: Final = 1008
INVALID_TEXT: Final = 1007
INTERNAL: Final = 1011
UNAUTHORIZED: Final = 3000  # of the registry of WebSocket close codes
_MOST_WAITING: Final = 64
_LONG_SILENCE: Final = 3  # times the keep-alive interval, a ping in it unanswered
_GOODBYE: Final = 2.0  # seconds a client has to answer a close frame


def is_upgrade(request: HttpRequest) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get(b"upgrade", b"").lower() == b"websocket" and not request.body


class WebSocketFront:
    """Answers upgrade requests, and serves each client until its socket closes."""

    def __init__(
        self, dialogue: Dialogue, core: Modern, settings: ExchangeSettings, pulse: Pulse
    ) -> None:
        self._dialogue = dialogue
        self._core = core
        self._settings = settings
        self._pulse = pulse
        self._retry: Headers = (*JSON, (b"retry-after", b"%d" % settings.retry_after))
        self._sockets: dict[_Socket, None] = {}
        self._ending: set[asyncio.Task[None]] = set()
        pulse.also(self._sweep)

    def __len__(self) -> int:
        """How many clients are connected."""
        return len(self._sockets)

    async def __call__(self, request: HttpRequest, responder: Responder) -> None:
        """Answer one request that `is_upgrade`; returns when its socket is closed."""
        if len(self._sockets) >= self._settings.websockets:
            full = _too_many(self._settings.retry_after)
            responder.send(503, self._retry, failure_error(None, full))
            return
        try:
            framing = frames.accept(request, self._settings.message_bytes)
        except Refusal as refused:
            _refuse(responder, refused)
            return
        socket = _Socket(framing, self._pulse, self._settings)
        passage = responder.take_over(socket)
        if passage is None:
            _refuse(responder, Refusal(501, "This server cannot serve WebSockets.", _HTTP))
            return
        conversation = Conversation(
            socket,
            self._dialogue,
            self._core,
            self._settings,
            affinity=secrets.token_urlsafe(16),
            facts={
                "peer": request.peer,
                "endpoint": self._settings.endpoint,
                "transport": "websocket",
            },
            principal=request.principal,
        )
        self._sockets[socket] = None
        self._pulse.wake()
        socket.begin(passage, conversation)
        try:
            await socket.converse()
        finally:
            try:
                await conversation.end()
            finally:
                socket.leave()
                # It has its place until all it asked has ended, or clients that come and go could
                # have more running than there are places.
                del self._sockets[socket]

    def _sweep(self, now: float) -> bool:
        for socket in tuple(self._sockets):
            socket.beat(now)
        return bool(self._sockets)

    async def drain(self) -> None:
        """Take nothing new; each socket is closed when nothing runs on it any more."""
        for socket in tuple(self._sockets):
            task = asyncio.create_task(socket.finish())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        # Whoever waits for nothing is told before this returns.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """End every socket now; what still runs on one is answered as cut off."""
        for socket in tuple(self._sockets):
            await socket.conversation.end()
            socket.leave()


class _Socket:
    """One client: the tunnel its bytes come through, and the line its answers go out on."""

    def __init__(self, framing: Framing, pulse: Pulse, settings: ExchangeSettings) -> None:
        self._framing = framing
        self._pulse = pulse
        self._most_bytes = settings.message_bytes
        self._patience = settings.message_seconds
        self._begun: float | None = None  # when the message that is still arriving began
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._over = False
        self._closed_at: float | None = None
        self._heard = self._pinged = pulse.clock.monotonic()
        self._passage: Passage
        self.conversation: Conversation

    def begin(self, passage: Passage, conversation: Conversation) -> None:
        """Answer the handshake."""
        self._passage = passage
        self.conversation = conversation
        self._flush()

    async def converse(self) -> None:
        """Take message after message until the socket is over."""
        while not self._over:
            while self._waiting and not self._over:
                message = self._waiting.popleft()
                self._waiting_bytes -= len(message)
                await self.conversation.take(message)
            if self._paused and not self._waiting:
                self._paused = False
                self._heard = self._pulse.clock.monotonic()
                if self._begun is not None:
                    self._begun = self._heard
                self._passage.resume()
            if not self._over:
                self._wake.clear()
                await self._wake.wait()

    async def finish(self) -> None:
        """Close once nothing runs any more."""
        await self.conversation.settle(None)
        self._close(GOING_AWAY, "The gateway is shutting down.")

    # As a tunnel.

    def received(self, data: bytes) -> None:
        """See `Tunnel.received`."""
        self._heard = now = self._pulse.clock.monotonic()
        messages = self._framing.received(data)
        if not self._framing.incomplete:
            self._begun = None
        elif messages or self._begun is None:
            self._begun = now
        for message in messages:
            self._message(message)
        self._flush()
        full = len(self._waiting) > _MOST_WAITING or self._waiting_bytes > self._most_bytes
        if full and not self._paused:
            self._paused = True
            self._passage.pause()
        self._wake.set()

    def _message(self, message: bytes | None) -> None:
        if message is None:
            self._close(UNSUPPORTED_DATA, "Messages are text.")
            return
        if not message.isascii():
            try:
                str(message, "utf-8")
            except UnicodeDecodeError:
                self._close(INVALID_TEXT, "Text is UTF-8.")
                return
        self._waiting.append(message)
        self._waiting_bytes += len(message)

    def writable(self, yes: bool) -> None:
        """See `Tunnel.writable`."""
        if yes:
            self._writable.set()
        else:
            self._writable.clear()

    def ended(self) -> None:
        """See `Tunnel.ended`."""
        self._over = True
        self._writable.set()
        self._wake.set()

    # As a line.

    def write(self, message: bytes) -> None:
        """See `Line.write`."""
        if not self._over and self._closed_at is None:
            self._framing.send(message)
            self._flush()

    async def flush(self) -> None:
        """See `Line.flush`."""
        await self._writable.wait()

    # Time and the end.

    def beat(self, now: float) -> None:
        """Ping a silent client; give one up that answers nothing."""
        if self._over:
            return
        if self._closed_at is not None:
            if now - self._closed_at >= _GOODBYE:
                self._passage.abort()
            return
        self.conversation.sweep(now)
        expires = self.conversation.principal.expires
        if expires is not None and expires <= self._pulse.clock.wall():
            self._close(UNAUTHORIZED, "The token has expired.")
            return
        if self._paused:
            # It is not being read from, so nothing it sends or does not send says anything.
            return
        if self._begun is not None and now - self._begun >= self._patience:
            self._close(TOO_SLOW, "The message took too long to arrive.")
            return
        silent = now - self._heard
        if silent >= self._pulse.keep_alive * _LONG_SILENCE:
            self._close(INTERNAL, "No sign of life.")
        elif silent >= self._pulse.keep_alive and now - self._pinged >= self._pulse.keep_alive:
            self._pinged = now
            self._framing.ping()
            self._flush()

    def _close(self, code: int, reason: str) -> None:
        if self._closed_at is None and not self._over:
            self._framing.close(code, reason)
            self._forget()
            self._flush()

    def _flush(self) -> None:
        for data in self._framing.to_send():
            self._passage.write(data)
        if self._framing.closing and self._closed_at is None:
            self._closed_at = self._pulse.clock.monotonic()
            self._forget()
        if self._framing.finished:
            self._passage.close()

    def _forget(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0

    def leave(self) -> None:
        """Nobody serves this socket any more."""
        self._close(GOING_AWAY, "The gateway is shutting down.")
        self._passage.close()


_HTTP: Final = "Use Streamable HTTP: POST to this same path."


def _refuse(responder: Responder, refused: Refusal) -> None:
    said, remedy = refused.message, refused.remedy
    if refused.status == 501:
        failure = Failure(INVALID_REQUEST, said, "gateway", "websocket-unavailable", remedy=remedy)
    else:
        failure = Failure(INVALID_REQUEST, said, "client", "websocket-handshake", remedy=remedy)
    responder.send(refused.status, (*JSON, *refused.headers), failure_error(None, failure))


def _too_many(retry_after: int) -> Failure:
    return Failure(
        OVERLOADED,
        "Too many WebSockets are open.",
        "gateway",
        "too-many-streams",
        data={"retry_after": retry_after},
        remedy="Try again later, or use Streamable HTTP.",
    )
