"""A request that came on a line together with others.

Must not know: what requests mean, how they are answered.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from lockgate.fronts.streams import Running

APART: Final = 0.005
"""Seconds between the last notification of a request and its answer, at least."""


class Line(Protocol):
    """The way to the client."""

    def write(self, message: bytes, /) -> None:
        """Take one message without waiting."""
        ...

    async def flush(self) -> None:
        """Wait until the client has taken enough."""
        ...


class OnLine(Running):
    """A request whose notifications go out on the line among all others."""

    __slots__ = ("_line", "_said")

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._said = -APART

    def event(self, message: bytes, /) -> None:
        """See `Running.event`."""
        self._said = asyncio.get_running_loop().time()
        self._line.write(message)

    async def apart(self) -> None:
        """Give the client a moment for what was said last, before the answer follows.

        Official TypeScript clients of the 1.x line forget who wanted progress as they read the
        answer, and only then look at the progress that came in the same piece.
        """
        left = self._said + APART - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def close(self) -> None:
        """Nothing to close: the line is everybody's."""
