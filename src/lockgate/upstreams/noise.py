"""What a server writes among its messages that is no message: counted, told, and bounded.

Must not know: processes, or what ends them.

A print statement that was left in a program is no reason to end it in the middle of its calls, so
after its first message it may write far more of this than before (`lockgate.upstreams.stdio`), and
each message sets the count back to zero. Whoever writes nothing else any more is given up.
"""

from __future__ import annotations

from typing import Final

MOST_LINES: Final = 10_000
"""Lines between two messages that are none."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""The same in bytes."""
TOLD_AGAIN_AFTER: Final = 60.0
"""Seconds between two log lines about it."""


class Noisy(str):
    """Why a server was ended: it wrote nothing but what is no message."""

    __slots__ = ()


class Noise:
    """Counts the lines of one server that are no messages."""

    __slots__ = ("_bytes", "_lines", "_told", "_untold")

    def __init__(self) -> None:
        self._lines = self._bytes = self._untold = 0
        self._told: float | None = None

    def __bool__(self) -> bool:
        """Whether any came since the last message."""
        return self._lines > 0

    def message(self) -> None:
        """A message came."""
        self._lines = self._bytes = 0

    def heard(self, size: int) -> Noisy | None:
        """A line came that is none; why that was one too many, if it was."""
        self._lines += 1
        self._bytes += size
        self._untold += 1
        if self._lines <= MOST_LINES and self._bytes <= MOST_BYTES:
            return None
        return Noisy(
            f"it wrote {self._lines} lines ({self._bytes // 1024} KiB) to its stdout in a row of "
            "which none is an MCP message"
        )

    def news(self, now: float) -> int:
        """How many there were since this was told last; 0 when it was told just now."""
        if self._told is not None and now - self._told < TOLD_AGAIN_AFTER:
            return 0
        count, self._untold, self._told = self._untold, 0, now
        return count
