"""One notification to many, in slices, so that calls do not wait until the last one has it.

Must not know: who listens, or to what.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from lockgate.core.message import Emit, Notification

SLICE: Final = 16
"""How many are told in one turn of the event loop: well under a millisecond's work."""

MOST_WAITING: Final = 64
"""Notifications on their way at once. Beyond that, whoever brings more waits while the oldest are
delivered, so that what waits here is bounded."""


class Fan:
    """Tells many. Each of them hears what is sent through one fan in the order it was sent."""

    __slots__ = ("_next", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Sequence[Emit], int, Notification]] = deque()
        self._next: asyncio.Handle | None = None

    def out(self, emits: Sequence[Emit], notification: Notification) -> None:
        """Tell all of `emits`: the first of them now, more in later turns."""
        if not emits:
            return
        self._waiting.append((emits, 0, notification))
        while len(self._waiting) > MOST_WAITING:
            self._slice()
        if self._next is None:
            self._turn()

    def finish(self) -> None:
        """Tell everybody now who is still to be told."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._waiting:
            self._slice()

    def _turn(self) -> None:
        self._next = None
        self._slice()
        if self._waiting:
            self._next = asyncio.get_running_loop().call_soon(self._turn)

    def _slice(self) -> None:
        emits, first, notification = self._waiting.popleft()
        after = first + SLICE
        if after < len(emits):
            self._waiting.appendleft((emits, after, notification))
        for emit in emits[first:after]:
            emit(notification)
