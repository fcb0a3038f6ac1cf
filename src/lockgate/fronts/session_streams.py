"""GET streams of sessions: what belongs to no request, and streams that go on after a break.

Must not know: HTTP beyond one responder, how sessions are found.

Source: specification 2025-11-25, basic/transports, "Listening for Messages from the Server" and
"Resumability and Redelivery".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from lockgate.core.message import Failure
from lockgate.fronts.dialogue import Dialogue
from lockgate.fronts.http import Responder
from lockgate.fronts.replay import (
    OF_SESSION,
    Cursor,
    Replay,
    ResumableStream,
    Track,
    read_cursor,
    replay_ended,
)
from lockgate.fronts.sessions import Session
from lockgate.fronts.streams import EVENTS, JSON, Pulse
from lockgate.wire import sse
from lockgate.wire.envelope import failure_error
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, Message, Request

HEARD_WITHIN: Final = 1.0
"""Seconds a stream waits for the servers to be listened to, before it opens all the same."""


class SessionStreams:
    """Opens and resumes streams for GET requests."""

    def __init__(self, dialogue: Dialogue, pulse: Pulse, replay: Replay, most: int) -> None:
        """At most `most` open at once for one session."""
        self._dialogue = dialogue
        self._pulse = pulse
        self._replay = replay
        self._most = most

    async def open(self, session: Session, responder: Responder, last: bytes | None) -> None:
        """Answer a GET whose `Last-Event-ID` is `last`; the stream outlives this call."""
        if last and await self._resume(session, responder, last):
            return
        if len(session.hub) >= self._most:
            refuse(
                responder,
                409,
                "session-streams-full",
                "This session has enough GET streams open.",
                "Close one of them first.",
            )
            return
        stream = _SessionStream(responder, self._pulse, self._replay, session, None)
        session.hub.attach(stream)
        await self._heard(session)
        stream.begin()

    async def _heard(self, session: Session) -> None:
        """A client that sees its stream open takes whatever happens next to be heard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_WITHIN):
                await self._dialogue.listen(session).wait()

    async def _resume(self, session: Session, responder: Responder, last: bytes) -> bool:
        """Go on after the event `last`; False when a new stream serves as well."""
        cursor = read_cursor(last)
        if cursor is None:
            refuse(
                responder,
                400,
                "event-unknown",
                "Last-Event-ID is not the id of an event from here.",
                "Repeat the id of the last event received, or leave the header out.",
            )
            return True
        track = self._replay.find(session.affinity, cursor)
        if cursor.of_session:
            stream = track.stream if track is not None else None
            if not isinstance(stream, _SessionStream) or not stream.resumable(session, self._most):
                return False
            stream.resume(responder, cursor.number)
            await self._heard(session)
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


class _SessionStream(ResumableStream):
    """A GET stream: never answers, ends with its session, rests when the client goes."""

    __slots__ = ()

    kind = OF_SESSION

    def begin(self) -> None:
        """Open the stream, and say so at once: the first bytes carry the headers."""
        if not self.gone and not self.streaming:
            self.open()
            self._comment(self._pulse.clock.monotonic())

    def beat(self, now: float, *, comment: bool) -> bool:
        """See `Stream.beat`; it ends when its caller has to authenticate anew.

        The client that comes back for it is then told so.
        """
        expires = self._session.principal.expires
        if expires is not None and not self.gone and expires <= self._pulse.clock.wall():
            self.leave()
            return False
        return super().beat(now, comment=comment)

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
            if self._track is not None:
                self._replay.rest(self._track)

    def resume(self, responder: Responder, number: int) -> None:
        """See `ResumableStream.resume`; what waited for a stream follows what was missed."""
        self._session.hub.detach(self)
        super().resume(responder, number)
        self._session.hub.attach(self)


def refuse(
    responder: Responder,
    status: int,
    reason: str,
    message: str,
    remedy: str,
    about: Message | None = None,
) -> None:
    """Answer a request with an error that is the client's own fault."""
    failure = Failure(INVALID_REQUEST, message, "client", reason, remedy=remedy)
    request_id = about.id if isinstance(about, Request) else None
    responder.send(status, JSON, failure_error(request_id, failure))


def _events_lost() -> Failure:
    return Failure(
        INTERNAL_ERROR,
        "The answer is no longer kept: too much time or too many events have passed.",
        "gateway",
        "events-lost",
        remedy="Find out whether the request took effect before sending it again.",
    )
