"""Time as a dependency, so that tests can own it.

Must not know: event loops. Deadlines and expiries are seconds on the monotonic clock; wall time is
only for what leaves the process (logs, sealed tokens).
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of now."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's own clocks."""

    # The functions themselves: each call of a client reads the time more than once.
    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


SYSTEM = SystemClock()
