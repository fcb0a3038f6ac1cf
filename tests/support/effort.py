"""How much work something is: processor time of this thread, the least of a few runs.

Must not know: what is measured. What else the machine does can only add to a run, so the least of
some says what the work itself takes; a bound that the least keeps is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

RUNS = 8
UNIT = 1e-3
"""Seconds below which nothing is compared: that is the resolution of clocks, not work."""


def seconds(work: Callable[[], object], enough: float = 0.0) -> float:
    """The least a run takes; there are no further runs once one takes at most `enough`."""
    least = float("inf")
    for _ in range(RUNS):
        began = thread_time()
        work()
        least = min(least, thread_time() - began)
        if least <= enough:
            break
    return least


def ratio(small: Callable[[], object], large: Callable[[], object], enough: float) -> float:
    """How many times as long `large` takes as `small`; measured until it is at most `enough`."""
    unit = max(UNIT, min(seconds(small), seconds(small)))
    return seconds(large, enough * unit) / unit
