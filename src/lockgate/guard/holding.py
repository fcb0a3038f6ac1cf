"""Which of several sets of words a large text holds, as fast as that can be told.

Must not know: what the words mean, or who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from lockgate.guard.anchors import finder
from lockgate.guard.sieve import PIECE, Span, sieve

STEP: Final = 4096
"""Bytes looked at again at a time: what is found in them is a list, and one word may be enough."""


class Words(msgspec.Struct, frozen=True):
    """One set.

    known    all of its words, in small letters.
    spelled  what of it counts only in these letters, large and small.
    """

    known: Sequence[str]
    spelled: Sequence[str] = ()


class Holding:
    """Sets of words, told apart by their number."""

    __slots__ = ("_around", "_look", "_others", "_sets", "_spelled")

    def __init__(self, sets: Sequence[Words]) -> None:
        """See `Words`; not all of the sets are empty."""
        belongs: dict[str, int] = {}
        spelled: dict[bytes, None] = {}
        others: dict[bytes, None] = {}
        for number, one in enumerate(sets):
            small = {word.lower() for word in one.spelled}
            spelled |= dict.fromkeys(word.encode() for word in one.spelled)
            others |= dict.fromkeys(word.encode() for word in one.known if word not in small)
            for word in one.known:
                belongs[word] = belongs.get(word, 0) | 1 << number
        self._sets = list(belongs.values())
        self._around = max(map(len, belongs)) - 1
        self._look = finder(tuple(belongs))
        self._spelled = sieve(tuple(spelled))
        self._others = sieve(tuple(others))

    def any(self, data: bytes) -> bool:
        """Whether the text holds a word of any of them."""
        return next(self._found(data), 0) > 0

    def of(self, data: bytes, asked: int) -> int:
        """A bit for each of those asked about of which the text holds a word.

        Its words may stand in other letters than they are spelled in: then a bit says too much.
        """
        held = 0
        if asked:
            for more in self._found(data):
                held |= more & asked
                if held == asked:
                    break
        return held

    def _found(self, data: bytes) -> Iterator[int]:
        """Bits, as they are found."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE + self._around]
            small = piece.lower()
            for spans in (self._spelled.spans(piece), self._others.spans(small)):
                yield from self._exactly(small, spans)

    def _exactly(self, small: bytes, spans: Iterable[Span]) -> Iterator[int]:
        for begin, end in spans:
            for start in range(begin, end, STEP):
                there = small[start : min(end, start + STEP + self._around)]
                for word in {found[0] for found in self._look(there, overlapping=True)}:
                    yield self._sets[word]
