"""Which request gets which connection: the pool's decisions, without its connections.

Must not know: sockets, event loops, clocks. Connections and requests are opaque here. Every method
takes what happened and returns what to do next; nothing else changes the plan.

Four things always hold. A connection is idle, or in use by one request, or unknown. Idle, used and
opening connections together are never more than the limit. Nobody waits while there is an idle
connection or room for one more. Streams are counted apart: they never take what calls could use.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from enum import Enum
from typing import Generic, TypeVar

Connection = TypeVar("Connection", bound=Hashable)
Request = TypeVar("Request", bound=Hashable)


class Step(Enum):
    """What a request does that got no idle connection."""

    OPEN = "open a connection"
    WAIT = "wait for its turn"
    FULL = "give up: too many wait already"


class Plan(Generic[Connection, Request]):
    """The connections to one origin and the requests waiting for them.

    limit    connections at most: idle, in use and being opened.
    waiting  requests waiting at most.
    streams  connections beside these for streams that stay open, so that however many there are,
             the rest goes on as if there were none.
    """

    __slots__ = (
        "_idle",
        "_limit",
        "_opening",
        "_opening_streams",
        "_streams",
        "_streams_limit",
        "_used",
        "_waiting",
        "_waiting_limit",
    )

    def __init__(self, limit: int, waiting: int, streams: int = 0) -> None:
        self._limit = limit
        self._waiting_limit = waiting
        self._streams_limit = streams
        self._idle: dict[Connection, float] = {}
        self._used: set[Connection] = set()
        self._streams: set[Connection] = set()
        self._opening = 0
        self._opening_streams = 0
        self._waiting: dict[Request, float] = {}

    @property
    def idle(self) -> int:
        """How many connections are open and unused."""
        return len(self._idle)

    @property
    def used(self) -> int:
        """How many connections serve a request."""
        return len(self._used)

    @property
    def opening(self) -> int:
        """How many connections are being opened."""
        return self._opening

    @property
    def streams(self) -> int:
        """How many connections carry a stream, or are being opened for one."""
        return len(self._streams) + self._opening_streams

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def empty(self) -> bool:
        """Nothing is open, opening or waiting: the plan can be forgotten."""
        return not (self._idle or self._used or self._opening or self._waiting or self.streams)

    def busy(self) -> Iterator[Connection]:
        """The connections that serve a request or carry a stream."""
        yield from list(self._used)
        yield from list(self._streams)

    def take(self) -> Connection | None:
        """The idle connection used last, now in use; None when none is idle.

        The one used last is the least likely to be closed by the server in this moment, and lets
        the surplus of a burst grow old and expire.
        """
        if not self._idle:
            return None
        connection, _ = self._idle.popitem()
        self._used.add(connection)
        return connection

    def ask(self, request: Request, until: float) -> Step:
        """What `request` does when `take` had nothing: open, wait (until then), or give up."""
        if len(self._idle) + len(self._used) + self._opening < self._limit:
            self._opening += 1
            return Step.OPEN
        if len(self._waiting) >= self._waiting_limit:
            return Step.FULL
        self._waiting[request] = until
        return Step.WAIT

    def opened(self, connection: Connection) -> None:
        """An opening connection is open, and in use by the request that opened it."""
        self._opening -= 1
        self._used.add(connection)

    def gave_up_opening(self) -> Request | None:
        """An opening connection will not be. Returns a waiting request that shall open one now."""
        self._opening -= 1
        return self._next_to_open()

    def open_stream(self) -> bool:
        """Whether one more connection may be opened for a stream; it is then being opened.

        A stream takes no idle connection, which a call could use at once, and never waits for
        another stream to end, which may never happen.
        """
        if self.streams >= self._streams_limit:
            return False
        self._opening_streams += 1
        return True

    def stream_opened(self, connection: Connection) -> None:
        """A connection being opened for a stream is open, and carries it."""
        self._opening_streams -= 1
        self._streams.add(connection)

    def gave_up_stream(self) -> None:
        """A connection being opened for a stream will not be."""
        self._opening_streams -= 1

    def keeps(self, connection: Connection) -> bool:
        """Whether a connection whose exchange is over has a place among those of calls.

        One that carried a stream may take a free place; without one it is to be closed.
        """
        if connection not in self._streams:
            return True
        if len(self._idle) + len(self._used) + self._opening >= self._limit:
            return False
        self._streams.discard(connection)
        self._used.add(connection)
        return True

    def rest(self, connection: Connection, until: float) -> bool:
        """As `keeps` and `release` where they are one step: a call's, and nobody waits for it."""
        if self._waiting or connection not in self._used:
            return False
        self._used.discard(connection)
        self._idle[connection] = until
        return True

    def release(self, connection: Connection, until: float) -> Request | None:
        """A used connection can serve again; if it stays idle, until then.

        Returns the waiting request that has it now, if one waits.
        """
        if connection not in self._used:
            return None
        if self._waiting:
            return self._next()
        self._used.discard(connection)
        self._idle[connection] = until
        return None

    def lose(self, connection: Connection) -> Request | None:
        """A connection is gone. Returns a waiting request that shall open one now, if any."""
        known = connection in self._used or connection in self._idle
        self._streams.discard(connection)
        self._used.discard(connection)
        self._idle.pop(connection, None)
        return self._next_to_open() if known else None

    def withdraw(self, request: Request) -> bool:
        """A request waits no longer. False when it was not waiting any more."""
        return self._waiting.pop(request, None) is not None

    def expire(self, now: float) -> tuple[list[Connection], list[Request]]:
        """Forget what is past its time: idle connections, to be closed, and waiting requests."""
        old = [connection for connection, until in self._idle.items() if until <= now]
        for connection in old:
            del self._idle[connection]
        late = [request for request, until in self._waiting.items() if until <= now]
        for request in late:
            del self._waiting[request]
        return old, late

    def _next(self) -> Request:
        request = next(iter(self._waiting))
        del self._waiting[request]
        return request

    def _next_to_open(self) -> Request | None:
        if not self._waiting:
            return None
        self._opening += 1
        return self._next()
