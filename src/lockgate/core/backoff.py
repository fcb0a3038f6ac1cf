"""How long to wait before something is tried again, and how often at all.

Must not know: what is tried, or how anybody waits.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.clock import SYSTEM, Clock

MOST_SAVED: Final = 10.0
"""Retries that may be saved up."""


def bound(attempt: int, first: float, longest: float) -> float:
    """The upper bound of the pause after the attempt of this number, the first being 1.

    What is waited is a share of it that chance draws, so that those who failed together do not come
    back together.
    """
    return min(first * 2.0 ** (attempt - 1), longest)


class Budget:
    """Retries that may still be made: a share of the calls, and a few each second."""

    def __init__(self, share: float, floor: float, clock: Clock = SYSTEM) -> None:
        """Full at first."""
        self._share = share
        self._floor = floor
        self._now = clock.monotonic
        self._saved = MOST_SAVED
        self._looked = self._now()

    def earn(self) -> None:
        """A call has come in."""
        self._saved += self._share

    def spend(self) -> bool:
        """Take one retry, if there is one."""
        now = self._now()
        self._saved = min(self._saved + (now - self._looked) * self._floor, MOST_SAVED)
        self._looked = now
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True
