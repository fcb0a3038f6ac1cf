"""Time as a dependency, so that tests can own it.

Must not know: event loops. Deadlines and expiries are seconds on the monotonic clock; wall time is
only for what leaves the process (logs, sealed tokens).
"""

from __future__ import annotations

import math
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


def enough(seconds: float) -> float:
    """A wait as callers are told it: whole milliseconds, always a little more than it is.

    A clock that is read as a float and kept in whole microseconds may be one of them behind after
    exactly the time that was named; whoever waits as long as it was told must not hear it again.
    """
    return (math.floor(seconds * 1000 + 0.001) + 1) / 1000


def written(seconds: float) -> str:
    """A wait in a sentence: to the millisecond, without empty decimals."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
