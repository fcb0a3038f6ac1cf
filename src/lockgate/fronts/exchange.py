"""One MCP endpoint over HTTP, for clients of every revision: what is asked, and of which era.

Must not know: sockets, ASGI, what methods mean.

The era is decided by the body first: a request that carries its own protocol version is stateless,
whatever its headers say (so a header that disagrees is an error, never another reading). Without
one, a version header that names no handshake revision makes it stateless too. The rest is of the
handshake era.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from lockgate.core.message import Failure
from lockgate.fronts.accept import accepts_both, accepts_events, is_json
from lockgate.fronts.batch import looks_like_batch
from lockgate.fronts.conversation import draining, malformed, nests_too_deep
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.handshake import HandshakeFront
from lockgate.fronts.http import Headers, HttpRequest, Responder, nothing_more
from lockgate.fronts.http_sse import HttpSseFront
from lockgate.fronts.modern import Modern, ModernFront
from lockgate.fronts.settings import Engine, ExchangeSettings
from lockgate.fronts.stopping import goes_on
from lockgate.fronts.streams import JSON, Pulse
from lockgate.fronts.websocket import WebSocketFront, is_upgrade
from lockgate.wire.envelope import failure_error
from lockgate.wire.headers import VERSION
from lockgate.wire.jsonrpc import (
    INVALID_REQUEST,
    Malformed,
    Message,
    Response,
    decode,
    too_deep,
)
from lockgate.wire.modern_in import claims_modern
from lockgate.wire.revisions import HANDSHAKE_VERSIONS

_HANDSHAKE: Final = frozenset(version.encode() for version in HANDSHAKE_VERSIONS)
_REMEDY: Final = {
    "content-type": "Send Content-Type: application/json.",
    "accept": "Send Accept: application/json, text/event-stream.",
    "method-not-allowed": "Send requests with POST.",
}


class Exchange:
    """Handles every request of one endpoint path.

    `http_sse` handles the two paths of the older HTTP transport, for the same engine.
    """

    def __init__(self, engine: Engine, settings: ExchangeSettings | None = None) -> None:
        settings = settings or ExchangeSettings()
        self._depth = settings.depth
        self._retry_after = settings.retry_after
        self._retry: Headers = (*JSON, (b"retry-after", b"%d" % settings.retry_after))
        self.pulse = Pulse(settings.clock, settings.stream_after, settings.keep_alive)
        self._dialogue = Dialogue(engine, settings)
        self._core = Modern(engine, settings)
        self.pulse.also(self._core.sweep)
        self._modern = ModernFront(self._core, settings, self.pulse)
        self._handshake = HandshakeFront(self._dialogue, settings, self.pulse)
        self.http_sse = HttpSseFront(self._dialogue, settings, self.pulse)
        self.websocket = WebSocketFront(self._dialogue, self._core, settings, self.pulse)
        self.replay = self._handshake.replay
        self._draining = False

    @property
    def sessions(self) -> int:
        """Sessions of the handshake era with state in memory."""
        return len(self._handshake.sessions)

    def __call__(self, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        """Answer one request: done when the result has been awaited."""
        if self._draining and not goes_on(request):
            responder.send(503, self._retry, failure_error(None, draining(self._retry_after)))
        elif request.method == "POST":
            return self._post(request, responder)
        elif request.method == "GET":
            if b"upgrade" in request.headers and is_upgrade(request):
                return self.websocket(request, responder)
            return self._get(request, responder)
        elif request.method == "DELETE" and not _says_modern(request):
            self._handshake.delete(request, responder)
        else:
            _not_allowed(request, responder)
        return nothing_more()

    def _post(self, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        headers = request.headers
        if not is_json(headers.get(b"content-type", b"")):
            _refuse(responder, 415, "content-type", "The body must be application/json.")
            return nothing_more()
        if not accepts_both(headers.get(b"accept", b"")):
            _refuse(responder, 406, "accept", "Accept must list JSON and event streams.")
            return nothing_more()
        body = request.body
        try:
            message = decode(body)
        except Malformed as malformed_body:
            return self._batch(request, responder, malformed_body)
        if too_deep(body, self._depth):
            error = nests_too_deep(self._depth, getattr(message, "id", None))
            responder.send(400, JSON, malformed(error))
            return nothing_more()
        front = self._modern if _is_modern(headers, body, message) else self._handshake
        return front.post(request, responder, message)

    async def _batch(self, request: HttpRequest, responder: Responder, error: Malformed) -> None:
        """Answer a batch; `error` when there is none, or none may come from this client."""
        body = request.body
        possible = looks_like_batch(body) and not _says_modern(request)
        possible = possible and not too_deep(body, self._depth + 1)
        if not (possible and await self._handshake.batch(request, responder)):
            responder.send(400, JSON, malformed(error))

    def _get(self, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        if _says_modern(request):
            _not_allowed(request, responder)
        elif not accepts_events(request.headers.get(b"accept", b"")):
            _refuse(responder, 406, "accept", "GET needs Accept: text/event-stream.")
        else:
            return self._handshake.get(request, responder)
        return nothing_more()

    async def drain(self) -> None:
        """Take nothing new, and end the streams that would never end by themselves.

        Requests that run are left to finish, and what they wait for from their clients is taken.
        """
        self._draining = True
        self._core.drain()
        self._handshake.drain()
        await self.http_sse.drain()
        await self.websocket.drain()
        await self._dialogue.settle()
        if not len(self.pulse) and not len(self.websocket):
            self.pulse.stop()

    async def finish(self) -> None:
        """End what is left; calls that run on lines of many messages are answered as cut off."""
        await self.http_sse.finish()
        await self.websocket.finish()


def _is_modern(headers: dict[bytes, bytes], body: bytes, message: Message) -> bool:
    said = headers.get(VERSION)
    if said is not None and said not in _HANDSHAKE:
        return True
    if isinstance(message, Response):
        return False
    # A key can be spelled with escapes; only a body with neither certainly makes no claim.
    if b"protocolVersion" not in body and b"\\u" not in body:
        return False
    return claims_modern(message.params)


def _says_modern(request: HttpRequest) -> bool:
    said = request.headers.get(VERSION)
    return said is not None and said not in _HANDSHAKE


def _not_allowed(request: HttpRequest, responder: Responder) -> None:
    # Before a version is agreed on, all three are there; a stateless client has POST alone.
    allowed = b"POST" if _says_modern(request) else b"GET, POST, DELETE"
    _refuse(
        responder,
        405,
        "method-not-allowed",
        f"{request.method[:16]} is not served here.",
        ((b"allow", allowed),),
    )


def _refuse(
    responder: Responder, status: int, reason: str, message: str, headers: Headers = ()
) -> None:
    failure = Failure(INVALID_REQUEST, message, "client", reason, remedy=_REMEDY[reason])
    responder.send(status, (*JSON, *headers), failure_error(None, failure))
