"""What one of two sources of the same news has reported, so that each occurrence is told once.

Must not know: streams, who listens. While a stream is replaced, the old and the new one report the
same for a while: an occurrence is passed on when the first of them brings it.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.message import Notification

MOST: Final = 512
"""Different things that are counted. Beyond that those are forgotten that were reported longest
ago: the other source has brought them by now, or began after them and never will."""


class Reported:
    """How often a source has reported what, since it is not alone."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, bytes], int] = {}

    def clear(self) -> None:
        """Begin anew."""
        self._counts.clear()

    def first(self, notification: Notification, other: Reported) -> bool:
        """Count an occurrence; whether the `other` source has not brought it yet."""
        key = (notification.method, notification.params.encode())
        counts = self._counts
        # Counted anew it is the last to be forgotten.
        number = counts.pop(key, 0) + 1
        counts[key] = number
        if len(counts) > MOST:
            del counts[next(iter(counts))]
        return number > other._counts.get(key, 0)
