"""Clients of revision 2024-11-05 over HTTP: one event stream per client, messages by POST.

Must not know: sockets, what messages mean, the newer HTTP transport.

Source: specification 2024-11-05, basic/transports, "HTTP with SSE". The stream's first event names
the address to post to. That address holds a sealed token, so that nobody else can post for a
client; answers go out on the stream, and the stream's end is the end of the session.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final
from urllib.parse import parse_qs

from lockgate.core.message import Failure
from lockgate.fronts.accept import accepts_events, is_json
from lockgate.fronts.conversation import Conversation, draining, malformed
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.http import Headers, HttpRequest, Responder
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.streams import JSON, Pulse, Stream
from lockgate.wire import sse
from lockgate.wire.envelope import failure_error
from lockgate.wire.jsonrpc import INVALID_REQUEST, OVERLOADED, Malformed
from lockgate.wire.seal import BadSeal

PURPOSE: Final = "http-sse"
_LONGEST_TOKEN: Final = 512


class HttpSseFront:
    """The two paths of the older HTTP transport: `stream` serves one, `messages` the other."""

    def __init__(self, dialogue: Dialogue, settings: ExchangeSettings, pulse: Pulse) -> None:
        self._dialogue = dialogue
        self._settings = settings
        self._pulse = pulse
        self._retry: Headers = (*JSON, (b"retry-after", b"%d" % settings.retry_after))
        self._clients: dict[str, _Client] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._draining = False
        pulse.also(self._sweep)

    def __len__(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    async def stream(self, request: HttpRequest, responder: Responder) -> None:
        """Answer GET with a client's stream; it stays open after this returns."""
        accept = request.headers.get(b"accept")
        if request.method != "GET":
            _not_allowed(responder, b"GET")
        elif accept is not None and not accepts_events(accept):
            _refuse(responder, 406, "accept", "GET needs Accept: text/event-stream.")
        elif self._draining or len(self._clients) >= self._settings.sse_streams:
            refusal = draining if self._draining else _busy
            body = failure_error(None, refusal(self._settings.retry_after))
            responder.send(503, self._retry, body)
        else:
            self._open(request, responder)

    def _open(self, request: HttpRequest, responder: Responder) -> None:
        settings = self._settings
        name = secrets.token_urlsafe(16)
        token = settings.keys.seal(
            PURPOSE,
            name.encode(),
            now=settings.clock.wall(),
            ttl=settings.session_ttl,
            bind=self._bind(request),
        )
        client = _Client(self, responder, self._pulse, name, request)
        self._clients[name] = client
        client.open()
        client.name_endpoint(f"{settings.messages_path}?session={token}")

    async def messages(self, request: HttpRequest, responder: Responder) -> None:
        """Answer POST with 202 and, if the message needs one, with an event on the stream."""
        if request.method != "POST":
            _not_allowed(responder, b"POST")
            return
        if not is_json(request.headers.get(b"content-type", b"")):
            _refuse(responder, 415, "content-type", "The body must be application/json.")
            return
        client = self._client(request)
        if client is None:
            _refuse(responder, 404, "session-unknown", "No stream is open for this session.")
            return
        conversation = client.conversation
        try:
            message = conversation.read(request.body)
        except Malformed as error:
            responder.send(400, JSON, malformed(error))
            return
        conversation.known_as(request.principal)
        responder.send(202, ())
        await conversation.accept(message)

    def _bind(self, request: HttpRequest) -> str:
        """Whose an address is, and where."""
        return f"{self._settings.endpoint}\0{request.principal.id}"

    def _client(self, request: HttpRequest) -> _Client | None:
        try:
            tokens = parse_qs(request.query, max_num_fields=8).get("session", ())
        except ValueError:
            return None
        if len(tokens) != 1 or len(tokens[0]) > _LONGEST_TOKEN:
            return None
        settings = self._settings
        now = settings.clock.wall()
        try:
            name = settings.keys.open(PURPOSE, tokens[0], now=now, bind=self._bind(request))
        except BadSeal:
            return None
        return self._clients.get(name.decode())

    def converse(self, client: _Client, name: str, request: HttpRequest) -> Conversation:
        """The conversation with a new client."""
        settings = self._settings
        facts = {"peer": request.peer, "endpoint": settings.endpoint, "transport": "http-sse"}
        return Conversation(
            client,
            self._dialogue,
            None,
            settings,
            affinity=name,
            facts=facts,
            principal=request.principal,
        )

    def left(self, name: str) -> None:
        """A client's stream is over, so its session is."""
        client = self._clients.pop(name, None)
        if client is not None:
            self._later(client)

    def _later(self, client: _Client) -> None:
        task = asyncio.create_task(client.conversation.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _sweep(self, now: float) -> bool:
        for client in self._clients.values():
            client.conversation.sweep(now)
        return bool(self._clients)

    async def drain(self) -> None:
        """Take nothing new; each stream ends when nothing runs on it any more."""
        self._draining = True
        for name, client in tuple(self._clients.items()):
            task = asyncio.create_task(self._finish(name, client))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        # Whoever waits for nothing is gone when this returns; others end by themselves.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """End every stream now; what still runs on one is answered as cut off."""
        for name, client in tuple(self._clients.items()):
            await client.conversation.end()
            client.close()
            self._clients.pop(name, None)

    async def _finish(self, name: str, client: _Client) -> None:
        await client.conversation.settle(None)
        client.close()
        self.left(name)


class _Client(Stream):
    """One client: its stream, and the conversation on it."""

    __slots__ = ("_front", "_name", "conversation")

    def __init__(
        self,
        front: HttpSseFront,
        responder: Responder,
        pulse: Pulse,
        name: str,
        request: HttpRequest,
    ) -> None:
        super().__init__(responder, pulse, (), None)
        self._front = front
        self._name = name
        self.conversation = front.converse(self, name, request)

    def name_endpoint(self, address: str) -> None:
        """The first event: where to post messages."""
        self._responder.write(sse.encode(address.encode(), event="endpoint"))

    def write(self, message: bytes, /) -> None:
        """See `Line.write`."""
        self.event(message)

    async def flush(self) -> None:
        """See `Line.flush`; who reads too slowly is dropped by the shell."""

    def beat(self, now: float, *, comment: bool) -> bool:
        """See `Stream.beat`; it ends when its caller has to authenticate anew."""
        expires = self.conversation.principal.expires
        if expires is not None and not self.gone and expires <= self._pulse.clock.wall():
            self.leave()
            return False
        return super().beat(now, comment=comment)

    def leave(self) -> None:
        """See `Stream.leave`."""
        super().leave()
        self._front.left(self._name)


_REMEDY: Final = {
    "content-type": "Send Content-Type: application/json.",
    "accept": "Send Accept: text/event-stream.",
    "session-unknown": "Open a stream with GET, and post to the address its first event names.",
    "method-not-allowed": "GET opens a stream, POST sends messages to the address it names.",
}


def _not_allowed(responder: Responder, allowed: bytes) -> None:
    message = "This method is not served here."
    _refuse(responder, 405, "method-not-allowed", message, ((b"allow", allowed),))


def _refuse(
    responder: Responder, status: int, reason: str, message: str, headers: Headers = ()
) -> None:
    failure = Failure(INVALID_REQUEST, message, "client", reason, remedy=_REMEDY[reason])
    responder.send(status, (*JSON, *headers), failure_error(None, failure))


def _busy(retry_after: int) -> Failure:
    return Failure(
        OVERLOADED,
        "The gateway takes no more clients of this transport now.",
        "gateway",
        "too-many-streams",
        data={"retry_after": retry_after},
        remedy="Try again later, or use Streamable HTTP.",
    )
