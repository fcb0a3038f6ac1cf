"""When a server that keeps dying is in a crash loop, and how long it is then left alone.

Must not know: processes, clocks, what is done with the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import Final

LEAST: Final = 0.5
"""The share of a pause that chance never takes away: a pause of nothing would be no pause."""


@dataclass(frozen=True, kw_only=True)
class CrashRule:
    """How many deaths in how long are a crash loop. Times in seconds.

    deaths   so many within `within` are one; 0: none ever are.
    within   also how long it must stay up afterwards to count as recovered.
    pause    how long it is left alone; twice as long each time it dies again.
    longest  no pause is longer.
    """

    deaths: int = 5
    within: float = 120.0
    pause: float = 30.0
    longest: float = 300.0


class Crashes:
    """Counts the deaths of one server."""

    def __init__(self, rule: CrashRule, jitter: Callable[[], float] = random) -> None:
        """`jitter` gives a number in [0, 1)."""
        self._rule = rule
        self._jitter = jitter
        self._deaths: deque[float] = deque(maxlen=max(1, rule.deaths))
        self._loops = 0

    def told(self, now: float) -> str:
        """How it has been dying, as the beginning of a sentence about the last time."""
        seconds = max(1, round(now - self._deaths[0])) if self._deaths else 0
        if self._loops > 1:
            return "it keeps ending by itself, also after having been left alone"
        if len(self._deaths) == 1:
            return "it ended by itself"
        return f"it ended by itself {len(self._deaths)} times within {seconds} s"

    def died(self, now: float, stood: float) -> float | None:
        """It died at `now` after having been ready for `stood` seconds.

        Returns how long it is to be left alone; None when this is no crash loop.
        """
        rule = self._rule
        if not rule.deaths:
            return None
        if stood >= rule.within:
            self._deaths.clear()
            self._loops = 0
        self._deaths.append(now)
        # Once in a loop, it is out of it only when it has stayed up.
        if not self._loops and not self._too_many(now):
            return None
        self._loops += 1
        bound = min(rule.pause * 2.0 ** min(self._loops - 1, 32), max(rule.pause, rule.longest))
        return bound * (LEAST + (1 - LEAST) * self._jitter())

    def _too_many(self, now: float) -> bool:
        rule = self._rule
        return len(self._deaths) == rule.deaths and now - self._deaths[0] <= rule.within
