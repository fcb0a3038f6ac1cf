"""What was said on event streams, kept for clients whose connection breaks.

Must not know: what messages mean, which requests run, how a session is found.

Source: specification 2025-11-25, basic/transports, "Resumability and Redelivery". A track is the
history of one stream. It begins when the stream does, so an answer that goes out as plain JSON has
none. Event ids name the track and the place in it; the track's name also says which request the
stream answers, so that even a forgotten stream can be answered with an error.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections import OrderedDict, deque
from math import inf
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from lockgate.core.message import RequestId
from lockgate.core.value import Value
from lockgate.fronts.http import Responder
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.streams import EVENTS, Pulse, Stream
from lockgate.wire import sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockgate.fronts.sessions import Session

OF_REQUEST: Final = "p"
OF_SESSION: Final = "g"
_LONGEST_ID: Final = 64
_LONGEST_CURSOR: Final = 256
_PRIMING_SINCE: Final = "2025-11-25"
_read_id: Final = msgspec.json.Decoder(RequestId).decode


_CURSOR: Final = ("name", "number", "request_id")


class Cursor(Value):
    """A `Last-Event-ID`: the track, the place in it, and the request its stream answers."""

    __slots__ = _CURSOR
    fields: ClassVar[tuple[str, ...]] = _CURSOR

    def __init__(self, name: str, number: int, request_id: RequestId | None) -> None:
        self.name: Final = name
        self.number: Final = number
        self.request_id: Final = request_id

    @property
    def of_session(self) -> bool:
        """Whether the stream belonged to the session and not to a request."""
        return self.name[0] == OF_SESSION


def read_cursor(value: bytes) -> Cursor | None:
    """The cursor in a `Last-Event-ID` header; None when no stream of ours wrote it."""
    if len(value) > _LONGEST_CURSOR or not value.isascii():
        return None
    name, _, number = value.decode().rpartition("-")
    if name[:1] not in {OF_REQUEST, OF_SESSION} or not number.isdigit():
        return None
    _, _, written = name.partition(".")
    try:
        request_id = _read_id(base64.urlsafe_b64decode(written)) if written else None
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return Cursor(name, int(number), request_id)


class Track:
    """The history of one stream.

    forgotten  the newest event that is no longer kept.
    resumed    where the stream goes on, when that is not where it began.
    since      when its stream was over, or lost its client; infinite before.
    stream     what still writes to it; None once that is over.
    """

    __slots__ = (
        "_events",
        "_replay",
        "affinity",
        "forgotten",
        "name",
        "number",
        "resumed",
        "since",
        "size",
        "stream",
    )

    def __init__(self, replay: Replay, affinity: str, name: str) -> None:
        self._replay = replay
        self._events: deque[bytes] = deque()
        self.affinity = affinity
        self.name = name
        self.number = 0
        self.forgotten = 0
        self.size = 0
        self.since = inf
        self.resumed: Responder | None = None
        self.stream: ResumableStream | None = None

    def record(self, message: bytes) -> bytes:
        """Keep a message; it as an event, ready to be written."""
        self.number += 1
        event = sse.encode(message, id=f"{self.name}-{self.number}")
        self._events.append(event)
        self.size += len(event)
        self._replay.kept(self, len(event))
        return event

    def priming(self, retry: int) -> bytes:
        """An event that says nothing, so that the client has an id to come back with."""
        return b"id: %b-0\nretry: %d\ndata: \n\n" % (self.name.encode(), retry)

    def after(self, number: int) -> Iterator[bytes]:
        """Every event kept that came after this one."""
        first = max(number - self.forgotten, 0)
        return (event for place, event in enumerate(tuple(self._events)) if place >= first)

    def answer_lost(self, number: int) -> bool:
        """Whether the last event, the answer, came after this one and is no longer kept."""
        return self.stream is None and number < self.number and not self._events

    def forget(self) -> int:
        """Forget the oldest event; how many bytes that was."""
        size = len(self._events.popleft())
        self.forgotten += 1
        self.size -= size
        return size

    def clear(self) -> int:
        """Forget every event; how many bytes those were."""
        size, self.size = self.size, 0
        self._events.clear()
        self.forgotten = self.number
        return size

    def __len__(self) -> int:
        """How many events are kept."""
        return len(self._events)


class Replay:
    """Every track of one endpoint, bounded: per track and in total, in events, bytes and time."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self._clock = settings.clock
        self._most_tracks = settings.replay_streams
        self._most_events = settings.replay_events
        self._most_bytes = settings.replay_stream_bytes
        self._total_bytes = settings.replay_bytes
        self._seconds = settings.replay_seconds
        self.retry = settings.replay_retry
        self._tracks: OrderedDict[str, Track] = OrderedDict()
        # Another process, or this one before it was started again, must not have used the same.
        self._prefix = secrets.token_hex(4)
        self._made = 0
        self.size = 0

    def __len__(self) -> int:
        """How many tracks there are."""
        return len(self._tracks)

    def begin(self, kind: str, affinity: str, request_id: RequestId | None) -> Track:
        """A track for a stream that opens."""
        self._made += 1
        name = f"{kind}{self._prefix}{self._made:x}"
        if request_id is not None:
            written = msgspec.json.encode(request_id)
            if len(written) <= _LONGEST_ID:
                name += f".{base64.urlsafe_b64encode(written).decode()}"
        track = self._tracks[name] = Track(self, affinity, name)
        while len(self._tracks) > self._most_tracks:
            self._discard(next(iter(self._tracks.values())))
        return track

    def find(self, affinity: str, cursor: Cursor) -> Track | None:
        """The track of a cursor, if it is there and this session's own."""
        track = self._tracks.get(cursor.name)
        if track is None or track.affinity != affinity or cursor.number > track.number:
            return None
        return track

    def kept(self, track: Track, size: int) -> None:
        """An event was added to `track`; forget what is now too much."""
        if track.name not in self._tracks:
            track.clear()
            return
        self.size += size
        while track.size > self._most_bytes or len(track) > self._most_events:
            self.size -= track.forget()
        while self.size > self._total_bytes:
            oldest = next(iter(self._tracks.values()))
            if oldest.stream is None:
                self._discard(oldest)
                continue
            self.size -= oldest.clear()
            self._tracks.move_to_end(oldest.name)

    def rest(self, track: Track) -> None:
        """Nobody reads this track now: from here on its time counts."""
        track.since = self._clock.monotonic()

    def sweep(self, now: float) -> bool:
        """Let go of tracks whose time is over; whether any are left."""
        over = [one for one in self._tracks.values() if now - one.since >= self._seconds]
        for track in over:
            self._discard(track)
        return bool(self._tracks)

    def _discard(self, track: Track) -> None:
        del self._tracks[track.name]
        self.size -= track.clear()


class ResumableStream(Stream):
    """A stream whose client may come back: what is said meanwhile is kept.

    Clients before 2025-11-25 take every event for a message, so they get no empty one.
    """

    __slots__ = ("_replay", "_request_id", "_session", "_track")

    kind: ClassVar[str] = OF_REQUEST

    def __init__(
        self,
        responder: Responder,
        pulse: Pulse,
        replay: Replay,
        session: Session,
        patience: float | None,
        request_id: RequestId | None = None,
    ) -> None:
        """As `Stream`, for the request of this id, or for several or none."""
        super().__init__(responder, pulse, (), patience)
        self._replay = replay
        self._session = session
        self._request_id = request_id
        self._track: Track | None = None

    def open(self) -> None:
        """See `Stream.open`."""
        if self.streaming or self._over:
            return
        super().open()
        session = self._session
        track = self._track = self._replay.begin(self.kind, session.affinity, self._request_id)
        track.stream = self
        if session.client.protocol_version >= _PRIMING_SINCE:
            self._responder.write(track.priming(self._replay.retry))

    def _say(self, message: bytes) -> None:
        if self._track is None:
            return
        event = self._track.record(message)
        if not self.gone:
            self._responder.write(event)
            self.touched = self._pulse.clock.monotonic()

    def _finish(self) -> None:
        super()._finish()
        if self._track is not None:
            self._track.stream = self._track.resumed = None
            self._replay.rest(self._track)

    def leave(self) -> None:
        """See `Stream.leave`."""
        if self._track is None or self._track.resumed is None:
            super().leave()

    def resume(self, responder: Responder, number: int) -> None:
        """The client is back on another connection, and has seen all up to this event."""
        track = self._track
        if track is None or self._over:
            return
        if not self.gone:
            # It noticed the break before we did.
            self._responder.end()
        self.gone = False
        self._responder = track.resumed = responder
        self._pulse.add(self)
        responder.start(200, EVENTS)
        for event in track.after(number):
            responder.write(event)
        self._comment(self._pulse.clock.monotonic())
        track.since = inf

        def left() -> None:
            if track.resumed is responder:
                track.resumed = None
                self.leave()

        responder.on_close(left)


def replay_ended(track: Track, responder: Responder, number: int, lost: bytes | None) -> None:
    """What a client missed of a stream that is over.

    `lost` is said at the end when the answer itself is no longer kept.
    """
    responder.start(200, EVENTS)
    for event in track.after(number):
        responder.write(event)
    if lost is not None and track.answer_lost(number):
        responder.write(sse.encode(lost))
    responder.end()
