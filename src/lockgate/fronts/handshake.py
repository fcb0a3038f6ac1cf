"""Clients of the handshake era over HTTP: sessions, POST, the GET stream, DELETE.

Must not know: sockets, what requests mean, the stateless era.

Source: specification 2025-11-25, basic/transports, "Streamable HTTP".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lockgate.core.message import Failure
from lockgate.fronts import batch
from lockgate.fronts.accept import prefers_events
from lockgate.fronts.conversation import malformed
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.http import HttpRequest, Responder, nothing_more
from lockgate.fronts.replay import Replay, ResumableStream
from lockgate.fronts.session_streams import SessionStreams, refuse
from lockgate.fronts.sessions import Session, Sessions
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.stopping import cut_off
from lockgate.fronts.streams import JSON, Pulse, Stream
from lockgate.wire import handshake_in
from lockgate.wire.envelope import failure_error, unreadable
from lockgate.wire.headers import SESSION, VERSION
from lockgate.wire.jsonrpc import (
    Malformed,
    Message,
    Notice,
    Request,
    RequestId,
    Response,
    decode_batch,
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
        self._pulse = pulse
        self._patience = settings.orphan_seconds
        self._swept = settings.clock.monotonic()
        self.sessions = Sessions(settings, dialogue.end, dialogue.known_as)
        self.replay = Replay(settings)
        self._streams = SessionStreams(dialogue, pulse, self.replay, settings.get_streams)
        pulse.also(self._sweep)

    def post(self, request: HttpRequest, responder: Responder, message: Message) -> Awaitable[None]:
        """Answer one POST: done when the result has been awaited."""
        try:
            if isinstance(message, Request) and message.method == "initialize":
                opening = handshake_in.read_initialize(message.params)
                return self._initialize(request, responder, message, opening)
            session = self._session(request, responder, message)
            if session is None:
                return nothing_more()
            if isinstance(message, Request):
                return self._request(request, responder, session, message)
            self._dialogue.take(session, message)
        except msgspec.MsgspecError:
            body = failure_error(getattr(message, "id", None), unreadable())
            responder.send(400, JSON, body)
        else:
            responder.send(202, ())
        return nothing_more()

    async def batch(self, request: HttpRequest, responder: Responder) -> bool:
        """Answer a POST of several messages; False when it is not from a session that may."""
        token = request.headers.get(SESSION)
        if token is None or not request.repeated.isdisjoint((SESSION, VERSION)):
            return False
        session = self.sessions.find(token.decode("latin-1"), request.principal)
        if session is None or session.client.protocol_version != batch.VERSION:
            return False
        try:
            messages = decode_batch(request.body, batch.MOST)
        except Malformed as error:
            responder.send(400, JSON, malformed(error))
            return True
        if all(isinstance(one, Notice | Response) for one in messages):
            for one in messages:
                if isinstance(one, Notice | Response):
                    self._dialogue.take(session, one)
            responder.send(202, ())
            return True
        await self._run_batch(request, responder, session, messages)
        return True

    async def _run_batch(
        self,
        request: HttpRequest,
        responder: Responder,
        session: Session,
        messages: Sequence[Message | Malformed],
    ) -> None:
        stream = self._stream(responder, session, None)
        facts = self._facts(request)
        answers: list[bytes] = []

        def say(body: bytes) -> None:
            if stream.streaming:
                stream.event(body)
            else:
                answers.append(body)

        try:
            await batch.run_batch(
                messages,
                lambda message, running: self._dialogue.request(
                    session, message, running, facts, request.principal
                ),
                lambda message: self._dialogue.take(session, message),
                lambda: batch.Part(stream),
                say,
            )
        except asyncio.CancelledError:
            if not stream.settle():
                _finish_batch(stream, answers)
                raise
            stream.close()
            return
        _finish_batch(stream, answers)

    def _stream(
        self, responder: Responder, session: Session, request_id: RequestId | None
    ) -> ResumableStream:
        return ResumableStream(
            responder, self._pulse, self.replay, session, self._patience, request_id
        )

    async def _request(
        self, request: HttpRequest, responder: Responder, session: Session, message: Request
    ) -> None:
        if message.method == "ping":
            responder.send(200, JSON, encode_result(message.id, b"{}"))
            return
        stream = self._stream(responder, session, message.id)
        if prefers_events(request.headers.get(b"accept", b"")):
            stream.open()
        try:
            body = await self._dialogue.request(
                session, message, stream, self._facts(request), request.principal
            )
        except asyncio.CancelledError:
            if not stream.settle():
                cut_off(stream.answer, message.id)
                raise
            stream.close()
            return
        except msgspec.MsgspecError:
            # Valid JSON can hold numbers without a value; whoever reads one first ends up here.
            body = failure_error(message.id, unreadable())
        stream.answer(body)

    async def _initialize(
        self,
        request: HttpRequest,
        responder: Responder,
        message: Request,
        opening: handshake_in.Opening | Failure,
    ) -> None:
        if isinstance(opening, Failure):
            responder.send(200, JSON, failure_error(message.id, opening))
            return
        session = self.sessions.mint(opening, request.principal)
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
                cut_off(stream.answer, message.id)
                raise
            stream.close()
            return
        stream.answer(body)

    async def get(self, request: HttpRequest, responder: Responder) -> None:
        """Open a stream for what belongs to no request, or go on with one that broke.

        It stays open after this returns.
        """
        session = self._session(request, responder, None)
        if session is None:
            return
        await self._streams.open(session, responder, request.headers.get(LAST_EVENT_ID))

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
            refuse(
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
            refuse(
                responder,
                400,
                "session-missing",
                "Bad Request: Missing session ID",
                f"Send initialize first and repeat its Mcp-Session-Id ({_VERSIONS}), or send "
                "revision 2026-07-28's metadata with every request.",
                message,
            )
            return None
        session = self.sessions.find(token.decode("latin-1"), request.principal)
        if session is None:
            refuse(
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


def _finish_batch(stream: Stream, answers: list[bytes]) -> None:
    if not stream.streaming and answers:
        stream.answer(batch.joined(answers))
        return
    for body in answers:
        stream.event(body)
    stream.close()
