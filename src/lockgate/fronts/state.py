"""What all connections of one native server share, and its coarse clock.

Must not know: sockets, parsing, how an answer is written.
"""

from __future__ import annotations

import asyncio
import email.utils
from typing import Protocol

from lockgate.core.clock import Clock
from lockgate.fronts.http import Handler, Headers, HttpLimits


class Open(Protocol):
    """A connection, whatever is spoken on it."""

    @property
    def busy(self) -> bool:
        """Whether something is going on."""
        ...

    def sweep(self, now: float) -> None:
        """Enforce what is overdue at `now`."""
        ...

    def drain(self) -> None:
        """Close now if nothing is going on."""
        ...

    def abort(self) -> None:
        """Drop it."""
        ...


class ServerState:
    """Shared by the connections of one server; changed on its event loop only.

    now         monotonic seconds at the last tick. Reading a clock for each request would cost more
                than the accuracy is worth; deadlines add one tick so that none fires early.
    date        a finished `Date` header line of the last tick (RFC 9110 section 6.6.1).
    idle_deadline  until when a client that is idle now may stay so.
    kept_head   status, headers and written head of an answer since that tick.
    tasks       handlers at work, one task each.
    emptied     set by a drain that waits; told when neither connections nor tasks remain.
    """

    __slots__ = (
        "connections",
        "date",
        "draining",
        "emptied",
        "handler",
        "idle_deadline",
        "kept_head",
        "limits",
        "now",
        "refused_connections",
        "requests",
        "tasks",
        "tls",
    )

    def __init__(self, handler: Handler, limits: HttpLimits, clock: Clock, *, tls: bool) -> None:
        self.handler = handler
        self.limits = limits
        self.tls = tls
        self.draining = False
        self.connections: set[Open] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.emptied: asyncio.Event | None = None
        self.requests = 0
        self.refused_connections = 0
        self.now = 0.0
        self.date = b""
        self.kept_head: tuple[int, Headers, bytes] | None = None
        self.tick(clock)

    def tick(self, clock: Clock) -> None:
        """Read the clock."""
        self.now = clock.monotonic()
        self.idle_deadline = self.deadline(self.limits.idle_seconds)
        self.date = b"date: %b\r\n" % email.utils.formatdate(clock.wall(), usegmt=True).encode()
        self.kept_head = None

    def deadline(self, seconds: float) -> float:
        """The moment `seconds` from now, at the earliest."""
        return self.now + seconds + self.limits.sweep_seconds

    def left(self) -> None:
        """A connection or a task is gone."""
        if self.emptied is not None and not self.connections and not self.tasks:
            self.emptied.set()
