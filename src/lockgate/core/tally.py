"""How many of the last seconds' events were of which kind, in a bounded number of slices of time.

Must not know: what is counted.
"""

from __future__ import annotations

from typing import Final

SLICES: Final = 10
"""As time goes on slices are forgotten one by one, so a window is exact to a tenth of itself."""


class _Slice:
    __slots__ = ("counts", "number")

    def __init__(self, kinds: int) -> None:
        self.number = -1
        self.counts = [0] * kinds


class Tally:
    """Counts of several kinds over a rolling window."""

    def __init__(self, window: float, kinds: int) -> None:
        """`window` in seconds; kinds are numbered from 0."""
        self._width = window / SLICES
        self._slices = [_Slice(kinds) for _ in range(SLICES)]
        self._kinds = kinds
        self._current = self._slices[0]

    def add(self, kind: int, now: float) -> None:
        """One event, now."""
        number = int(now / self._width)
        part = self._current
        if part.number != number:
            part = self._current = self._slices[number % SLICES]
            if part.number != number:
                part.number, part.counts = number, [0] * self._kinds
        part.counts[kind] += 1

    def sums(self, now: float) -> list[int]:
        """Of each kind, how many there were in the window that ends now."""
        oldest = int(now / self._width) - SLICES
        recent = [part.counts for part in self._slices if part.number > oldest]
        return [sum(counts[kind] for counts in recent) for kind in range(self._kinds)]

    def forget(self) -> None:
        """Begin anew."""
        self._slices = [_Slice(self._kinds) for _ in range(SLICES)]
        self._current = self._slices[0]
