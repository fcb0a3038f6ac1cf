"""A clock that moves when told to.

Must not know: event loops; it wakes nobody.
"""

from __future__ import annotations


class ManualClock:
    """Both readings of `lockgate.core.clock.Clock`, moved by `advance`."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        """`start`: seconds shown first, on both readings."""
        self._now = start

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._now

    def wall(self) -> float:
        """See `Clock.wall`."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by this many seconds, never back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
