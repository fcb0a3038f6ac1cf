"""Clients of the handshake era over HTTP: sessions, POST, the GET stream, DELETE.

Must not know: sockets, what requests mean, the stateless era.

Source: specification 2025-11-25, basic/transports, "Streamable HTTP".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from lockgate.core.message import Failure
from lockgate.fronts.accept import prefers_events
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.fronts.replay import (
    OF_SESSION,
    Cursor,
    Replay,
    ResumableStream,
    Track,
    read_cursor,
    replay_ended,
)
from lockgate.fronts.sessions import Session, Sessions
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.streams import EVENTS, JSON, Pulse, Stream
from lockgate.wire import handshake_in, sse
from lockgate.wire.envelope import failure_error
from lockgate.wire.headers import SESSION, VERSION
from lockgate.wire.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Message,
    Notice,
    Request,
    encode_result,
)
from lockgate.wire.revisions import HANDSHAKE_VERSIONS

LAST_EVENT_ID: Final = b"last-event-id"
_SWEEP: Final = 15.0


class HandshakeFront:
    """The handshake era's half of an MCP endpoint."""

    def __init__(self, dialogue: Dialogue, settings: ExchangeSettings, pulse: Pulse) -> None:
        self._dialogue = dialogue
        self._settings = settings
        self._bind = settings.bind
        self._pulse = pulse
        self._patience = settings.orphan_seconds
        self._swept = settings.clock.monotonic()
        self.sessions = Sessions(settings, dialogue.end)
        self.replay = Replay(settings)
        pulse.also(self._sweep)

    async def post(self, request: HttpRequest, responder: Responder, message: Message) -> None:
        """Answer one POST."""
        if isinstance(message, Request) and message.method == "initialize":
            await self._initialize(request, responder, message)
            return
        session = self._session(request, responder, message)
        if session is None:
            return
        if isinstance(message, Request):
            await self._request(request, responder, session, message)
            return
        if isinstance(message, Notice):
            self._dialogue.notice(session, message)
        else:
            session.asks.answer(message)
        responder.send(202, ())

    async def _request(
        self, request: HttpRequest, responder: Responder, session: Session, message: Request
    ) -> None:
        if message.method == "ping":
            responder.send(200, JSON, encode_result(message.id, b"{}"))
            return
        stream = ResumableStream(
            responder,
            self._pulse,
            self.replay,
            session.affinity,
            session.client.protocol_version,
            self._patience,
            request_id=message.id,
        )
        if prefers_events(request.headers.get(b"accept", b"")):
            stream.open()
        try:
            body = await self._dialogue.request(session, message, stream, self._facts(request))
        except asyncio.CancelledError:
            if not stream.settle():
                raise
            stream.close()
            return
        stream.answer(body)

    async def _initialize(
        self, request: HttpRequest, responder: Responder, message: Request
    ) -> None:
        opening = handshake_in.read_initialize(message.params)
        if isinstance(opening, Failure):
            responder.send(200, JSON, failure_error(message.id, opening))
            return
        session = self.sessions.mint(opening, self._bind(request))
        if isinstance(session, Failure):
            responder.send(200, JSON, failure_error(message.id, session))
            return
        self._pulse.wake()
        headers = ((SESSION, session.token.encode()),)
        stream = Stream(responder, self._pulse, headers, self._patience)
        try:
            body = await self._dialogue.open(session, message, self._facts(request))
        except asyncio.CancelledError:
            if not stream.settle():
                raise
            stream.close()
            return
        stream.answer(body)

    def get(self, request: HttpRequest, responder: Responder) -> None:
        """Open a stream for what belongs to no request, or go on with one that broke.

        It stays open after this returns.
        """
        session = self._session(request, responder, None)
        if session is None:
            return
        last = request.headers.get(LAST_EVENT_ID)
        if last and self._resume(session, responder, last):
            return
        if len(session.hub) >= self._settings.get_streams:
            _refuse(
                responder,
                409,
                "too-many-streams",
                "This session has enough GET streams open.",
                "Close one of them first.",
            )
            return
        _SessionStream(responder, self._pulse, self.replay, session).begin()
        self._dialogue.listen(session)

    def _resume(self, session: Session, responder: Responder, last: bytes) -> bool:
        """Go on after the event `last`; False when a new stream serves as well."""
        cursor = read_cursor(last)
        if cursor is None:
            _refuse(
                responder,
                400,
                "event-unknown",
                "Last-Event-ID is not the id of an event from here.",
                "Repeat the id of the last event received, or leave the header out.",
            )
            return True
        track = self.replay.find(session.affinity, cursor)
        if cursor.of_session:
            stream = track.stream if track is not None else None
            if not isinstance(stream, _SessionStream) or not stream.resumable(
                session, self._settings.get_streams
            ):
                return False
            stream.resume(responder, cursor.number)
            self._dialogue.listen(session)
        elif track is not None and track.stream is not None:
            track.stream.resume(responder, cursor.number)
        else:
            self._replay_ended(track, responder, cursor)
        return True

    def _replay_ended(self, track: Track | None, responder: Responder, cursor: Cursor) -> None:
        failure = _events_lost()
        request_id = cursor.request_id
        lost = None if request_id is None else failure_error(request_id, failure)
        if track is not None:
            replay_ended(track, responder, cursor.number, lost)
        elif lost is not None:
            responder.start(200, EVENTS)
            responder.write(sse.encode(lost))
            responder.end()
        else:
            responder.send(410, JSON, failure_error(None, failure))

    def delete(self, request: HttpRequest, responder: Responder) -> None:
        """End the session."""
        session = self._session(request, responder, None)
        if session is None:
            return
        self.sessions.end(session)
        responder.send(204, ())

    def drain(self) -> None:
        """End the streams that would never end by themselves."""
        self.sessions.close()

    def _session(
        self, request: HttpRequest, responder: Responder, message: Message | None
    ) -> Session | None:
        """The session of a request, or None when the request has been refused."""
        if request.repeated and not request.repeated.isdisjoint((SESSION, VERSION)):
            _refuse(
                responder,
                400,
                "repeated-header",
                "Mcp-Session-Id and MCP-Protocol-Version may be sent once only.",
                "Send each header once.",
                message,
            )
            return None
        token = request.headers.get(SESSION)
        if token is None:
            _refuse(
                responder,
                400,
                "session-missing",
                "Bad Request: Missing session ID",
                f"Send initialize first and repeat its Mcp-Session-Id ({_VERSIONS}), or send "
                "revision 2026-07-28's metadata with every request.",
                message,
            )
            return None
        session = self.sessions.find(token.decode("latin-1"), self._bind(request))
        if session is None:
            _refuse(
                responder,
                404,
                "session-unknown",
                "Session not found",
                "Send initialize again without a session id.",
                message,
            )
        return session

    def _facts(self, request: HttpRequest) -> Mapping[str, Any]:
        return {"peer": request.peer, "endpoint": self._settings.endpoint, "transport": "http"}

    def _sweep(self, now: float) -> bool:
        if now - self._swept >= _SWEEP:
            self._swept = now
            self.sessions.sweep(now)
            self.replay.sweep(now)
        return len(self.sessions) > 0 or len(self.replay) > 0


_VERSIONS: Final = ", ".join(HANDSHAKE_VERSIONS)


class _SessionStream(ResumableStream):
    """A GET stream: never answers, ends with its session, rests when the client goes."""

    __slots__ = ("_session",)

    def __init__(
        self, responder: Responder, pulse: Pulse, replay: Replay, session: Session
    ) -> None:
        version = session.client.protocol_version
        super().__init__(responder, pulse, replay, session.affinity, version, None, kind=OF_SESSION)
        self._session = session

    def begin(self) -> None:
        """Open the stream, and say so at once: the first bytes carry the headers."""
        self.open()
        self._comment(self._pulse.clock.monotonic())
        self._session.hub.attach(self)

    def resumable(self, session: Session, most: int) -> bool:
        """Whether a client may go on with this stream: its session lives and has room for it."""
        if self._session is not session:
            return False
        return not self.gone or len(session.hub) < most

    def leave(self) -> None:
        """The client has gone away."""
        super().leave()
        if self.gone:
            self._session.hub.detach(self)
            self._rest()

    def resume(self, responder: Responder, number: int) -> None:
        """See `ResumableStream.resume`; what waited for a stream follows what was missed."""
        self._session.hub.detach(self)
        super().resume(responder, number)
        self._session.hub.attach(self)


def _events_lost() -> Failure:
    return Failure(
        INTERNAL_ERROR,
        "The answer is no longer kept: too much time or too many events have passed.",
        "gateway",
        "events-lost",
        remedy="Find out whether the request took effect before sending it again.",
    )


def _refuse(
    responder: Responder,
    status: int,
    reason: str,
    message: str,
    remedy: str,
    about: Message | None = None,
) -> None:
    failure = Failure(INVALID_REQUEST, message, "client", reason, remedy=remedy)
    request_id = about.id if isinstance(about, Request) else None
    responder.send(status, JSON, failure_error(request_id, failure))
