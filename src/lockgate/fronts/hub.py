"""Where a session's messages go that belong to no request: its GET streams.

Must not know: what the messages say.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Outlet(Protocol):
    """A stream that takes messages."""

    def event(self, message: bytes, /) -> None:
        """Take one."""
        ...

    def close(self) -> None:
        """End."""
        ...


class Hub:
    """Sends each message on one stream, the newest, or keeps it until there is one.

    `lost` counts messages that were dropped because too many waited.
    """

    __slots__ = ("_limit", "_limit_bytes", "_outlets", "_size", "_waiting", "lost")

    def __init__(self, limit: int, limit_bytes: int) -> None:
        """At most so many messages, and bytes, wait; the oldest are dropped first."""
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._outlets: list[Outlet] = []
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self.lost = 0

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._outlets)

    def attach(self, outlet: Outlet) -> None:
        """From now on messages go here, those that wait first."""
        self._outlets.append(outlet)
        waiting, self._waiting, self._size = self._waiting, deque(), 0
        for message in waiting:
            outlet.event(message)

    def detach(self, outlet: Outlet) -> None:
        """This stream is no more."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)

    def send(self, message: bytes) -> None:
        """Deliver or keep one message."""
        if self._outlets:
            self._outlets[-1].event(message)
            return
        self._waiting.append(message)
        self._size += len(message)
        while len(self._waiting) > self._limit or self._size > self._limit_bytes:
            self._size -= len(self._waiting.popleft())
            self.lost += 1

    def close(self) -> None:
        """End every stream."""
        outlets, self._outlets = self._outlets, []
        for outlet in outlets:
            outlet.close()
        self._waiting.clear()
        self._size = 0
