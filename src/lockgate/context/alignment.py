"""Where two sequences differ: the fewest things to take out and to put in (E. W. Myers, 1986).

Must not know: what the sequences are of.

Pure and bounded: what takes more than `MOST` comparisons is given up, however two sequences were
made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

MOST: Final = 200_000
"""Comparisons."""


class Block(NamedTuple):
    """`old[a:b]` became `new[c:d]`."""

    a: int
    b: int
    c: int
    d: int


def blocks(old: Sequence[Any], new: Sequence[Any], most: int) -> list[Block] | None:
    """Where they differ, in order; None: by more than `most` elements, or it takes too long.

    Elements are compared with `==`.
    """
    first = _common(old, new)
    last = _common(old[first:][::-1], new[first:][::-1])
    one, other = old[first : len(old) - last], new[first : len(new) - last]
    if not one and not other:
        return []
    if not one or not other:
        found = [Block(0, len(one), 0, len(other))] if len(one) + len(other) <= most else None
    else:
        found = _differing(one, other, most)
    if found is None:
        return None
    return [Block(a + first, b + first, c + first, d + first) for a, b, c, d in found]


def _common(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many elements both begin with."""
    shorter = min(len(old), len(new))
    return next((at for at in range(shorter) if old[at] != new[at]), shorter)


def _differing(old: Sequence[Any], new: Sequence[Any], most: int) -> list[Block] | None:
    # Of each diagonal x - y, how far along `old` one comes with so many edits.
    reached: dict[int, int] = {1: 0}
    trace: list[dict[int, int]] = []
    left = MOST
    for edits in range(min(most, len(old) + len(new)) + 1):
        trace.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            start = x = _step(reached, diagonal, edits)
            while x < len(old) and 0 <= x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            left -= x - start + 1
            reached[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return _walked(trace, len(old), len(new))
            if left < 0:
                return None
    return None


def _step(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Where one more edit leads on this diagonal: down, or along."""
    down = reached.get(diagonal + 1, -1)
    along = reached.get(diagonal - 1, -1) + 1
    if diagonal == -edits or (diagonal != edits and along <= down):
        return down
    return along


def _walked(trace: list[dict[int, int]], x: int, y: int) -> list[Block]:
    """The blocks along the way back through `trace`."""
    found: list[Block] = []
    for edits in range(len(trace) - 1, 0, -1):
        reached = trace[edits]
        diagonal = x - y
        down = _step(reached, diagonal, edits)
        from_above = diagonal == -edits or (
            diagonal != edits and reached.get(diagonal - 1, -1) + 1 <= reached.get(diagonal + 1, -1)
        )
        before = diagonal + 1 if from_above else diagonal - 1
        px = reached[before]
        py = px - before
        # What is equal after the edit belongs to no block.
        ex, ey = down, down - diagonal
        one = Block(px, ex, py, ey)
        if found and found[-1].a == one.b and found[-1].c == one.d:
            one = Block(one.a, found[-1].b, one.c, found[-1].d)
            found.pop()
        found.append(one)
        x, y = px, py
    return found[::-1]
