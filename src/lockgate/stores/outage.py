"""While a store is away, nobody waits for it: asking again is paced here.

Must not know: any particular store.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import StoreGone


class Outage:
    """Says whether a store may be asked. One question goes through when each pause is over."""

    def __init__(
        self,
        clock: Clock = SYSTEM,
        first: float = 0.25,
        most: float = 5.0,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Pauses grow from `first` to `most` seconds, shortened by up to half by `jitter`."""
        self._clock = clock
        self._first = first
        self._most = most
        self._jitter = jitter
        self._pause = 0.0
        self._until = 0.0
        self._why = ""

    @property
    def down(self) -> bool:
        """Whether the last question went unanswered."""
        return self._pause > 0

    def check(self) -> None:
        """Raises `StoreGone` while the pause lasts; who comes after it is the one who tries."""
        if not self._pause:
            return
        now = self._clock.monotonic()
        if now < self._until:
            raise StoreGone(self._why)
        # Others are refused for one more pause, in case this question is not answered either.
        self._until = now + self._pause

    def failed(self, why: str) -> StoreGone:
        """A question went unanswered; returns what to raise."""
        self._pause = min(self._pause * 2 or self._first, self._most)
        pause = self._jitter(self._pause / 2, self._pause)
        self._until = self._clock.monotonic() + pause
        self._why = why
        return StoreGone(why)

    def answered(self) -> None:
        """A question was answered."""
        self._pause = 0.0
