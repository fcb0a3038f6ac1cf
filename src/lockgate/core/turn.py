"""A turn that somebody has to wait for.

Must not know: whose it is, or what for.
"""

from __future__ import annotations

from collections.abc import Awaitable


class Wait:
    """What a valve answers when a call has to wait for its turn: await `turn`, once."""

    __slots__ = ("turn",)

    def __init__(self, turn: Awaitable[object]) -> None:
        """`turn` gives what `Valve.enter` would have given: a ticket or a Failure."""
        self.turn = turn
