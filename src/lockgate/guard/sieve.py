"""Where words may stand in a large text: told fast, and now and then where none of them stands.

Must not know: what the words mean, or what is done where they stand.

An automaton for hundreds of words reads byte by byte. A search for a few short ones compares many
bytes at once (Teddy, of the Hyperscan project; the `aho-corasick` crate has it for up to 64 words).
So of each word four characters are taken that are rare in what people and programs write, words
share them where they can, and those are looked for, 32 at a time. What has none of them has none
of the words; around each that is there, whoever asks looks again. `docs/why/large-results.md`
has what that costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

LARGE: Final = 8192
"""Bytes from which on several quick passes take less time than one by an automaton."""
PIECE: Final = 64 * 1024
"""Bytes looked through at a time: what is found in them is a list, and that has to end."""
SIZE: Final = 4
"""Characters of a word that are looked for: more are not told apart at once."""
TOGETHER: Final = 64
"""How many pieces of words are looked for at once: the most there can be."""
_SLIM: Final = 32
_BUCKETS: Final = (8, 16)
"""In how many sets Teddy puts up to `_SLIM` words, and more: by turns, in the order they come."""
_BEGINNINGS: Final = 4
"""Of words that begin with fewer bytes these would be looked for one by one, and be everywhere; so
there are others with them, of control characters, which JSON does not hold."""
_DENSE: Final = 640
"""Bytes for which, on the average, one thing found is too many to look at each."""
_NEAR: Final = 128
"""Bytes between two stretches that are as quickly looked at as left out."""

_OFTEN: Final = b" etaoinsrlhdcu.pmfg,y\"wb-:v_0/1k2()x'5=3948j67<>zq"
"""Characters as they are frequent in prose, code and JSON; what is missing is rarer."""
_SHARE: Final = {one: 1 / (rank + 3) for rank, one in enumerate(_OFTEN)}
_RARE: Final = 1 / 270
_LEAST: Final = 1e-5
"""Rarer than this makes no difference; being shared then does. What is as rare may be shorter."""
_LONGER: Final = 20
"""How much rarer a longer piece has to be."""
_COMMON: Final = frozenset(
    b" act| age| any| are| cla| fil| fir| fro| ins| key| mod| new| of | ove| pas| rea| sec| sys"
    b"| tha| the| thi| to | use| you|### |acce|ader|age |agen|angu|are |assi|ate |ated|atio|atte"
    b"|ave |call|cces|cess|ctio|d in|date|dent|deve|e an|e fo|e mo|e no|e th|e to|e us|ead |eade"
    b"|ed i|elop|ent |enti|ere |erro|essa|esul|evel|f th|firs|form|from|func|gent|guag|h th|hat "
    b"|have|he f|he n|he t|head|here|hing|his |impo|inde|info|ing |inst|ion |ion_|ions|irst|ista"
    b"|lang|llow|mati|ment|mode|mpor|n th|ncti|nder|new |ngua|nstr|o th|odel|of t|on a|on t|oper"
    b"|orma|our |over|pass|plic|port|re a|re t|resu|rget|rmat|rom |rror|ruct|sage|stan|star|stem"
    b"|stru|sult|syst|t fo|tart|ted |tem |tent|text|that|the |thin|this|tion|tly |to a|tool|truc"
    b"|turn|uage|ual |ucti|ults|unct|user|ust |velo|word|you |your|yste".split(b"|")
)
"""Pieces of words that are looked for now and stand in more than 80 places of a megabyte of tools'
results, packages' descriptions and Python; they are taken for a word that has no others."""

Span = tuple[int, int]
Found = tuple[int, int, int]
"""The number of a word, and from where to where it stands."""


class Sieve:
    """A set of words, looked for roughly."""

    __slots__ = ("_around", "_passes")

    def __init__(self, words: Iterable[bytes]) -> None:
        """`words`: none of them empty, told apart by case."""
        known = tuple(dict.fromkeys(words))
        self._around: Final = max(map(len, known), default=1) - 1
        self._passes: Final = [
            BytesAhoCorasick(
                group, matchkind=MatchKind.LeftmostFirst, implementation=Implementation.DFA
            ).find_matches_as_indexes
            for group in _groups(fragments(known))
        ]

    def pieces(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The text in pieces, each with where it begins; each word is whole in one of them."""
        for start in range(0, len(data), PIECE):
            yield start, data[start : start + PIECE + self._around]

    def spans(self, piece: bytes) -> Sequence[Span]:
        """Stretches of a piece outside of which there is none of the words; in order, apart.

        A word that is there is whole in one of them.
        """
        found: list[tuple[int, int, int]] = []
        most = len(piece) // _DENSE
        for look in self._passes:
            found += look(piece)
            if len(found) > most:
                return [(0, len(piece))]
        return _joined(
            sorted((max(0, start - self._around), end + self._around) for _, start, end in found)
        )

    def all_spans(self, data: bytes) -> Sequence[Span]:
        """As `spans`, of the whole text."""
        return _joined(
            sorted(
                (begin + start, min(begin + end, len(data)))
                for begin, piece in self.pieces(data)
                for start, end in self.spans(piece)
            )
        )

    def holds(self, data: bytes) -> bool:
        """Whether any of the words may be in the text; those of up to `SIZE` bytes are."""
        return any(look(piece) for _, piece in self.pieces(data) for look in self._passes)


@lru_cache(maxsize=64)
def sieve(words: tuple[bytes, ...]) -> Sieve:
    """A sieve for these words, one for all who look for the same."""
    return Sieve(words)


def often(data: bytes, word: bytes, times: int) -> bool:
    """Whether a word stands in a large text so many times."""
    look = _finder(word)
    for start in range(0, len(data), PIECE):
        times -= len(look(memoryview(data)[start : start + PIECE + len(word) - 1]))
        if times <= 0:
            return True
    return False


@lru_cache(maxsize=16)
def _finder(word: bytes) -> Callable[[memoryview], Sequence[Found]]:
    return BytesAhoCorasick([word]).find_matches_as_indexes


def fragments(words: Sequence[bytes]) -> list[bytes]:
    """Rare pieces, of up to `SIZE` bytes, of which each of the words holds one."""
    choices = {word: _choices(word) for word in words}
    shared = Counter(chain.from_iterable(choices.values()))
    chosen: dict[bytes, None] = {}
    for word in sorted(choices, key=len):
        short = any(one in word for one in chosen if len(one) < SIZE)
        if not short and chosen.keys().isdisjoint(choices[word]):
            # Of equals the first: sets have no order, and the same words have the same pieces.
            best = min(choices[word], key=lambda one: (_price(one) / shared[one] ** 1.5, one))
            chosen[best] = None
    return list(chosen)


def _choices(word: bytes) -> frozenset[bytes]:
    """The pieces that may stand for a word."""
    long = _cut(word, SIZE) or {word}
    return frozenset(long | {one for one in _cut(word, SIZE - 1) if _share(one) < _LEAST})


def _cut(word: bytes, size: int) -> set[bytes]:
    return {word[at : at + size] for at in range(len(word) - size + 1)}


def _price(piece: bytes) -> float:
    share = _share(piece) + (piece in _COMMON)
    return share + _LEAST * 0.6 if len(piece) < SIZE else share * _LONGER + _LEAST


def _share(piece: bytes) -> float:
    """How often such a piece is to be expected; only compared with others."""
    share = 1.0
    for one in piece:
        share *= _SHARE.get(one, _RARE)
    return share


def _groups(pieces: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """What is looked for together: pieces of one length; a single byte is quickest alone."""
    yield from ([one] for one in pieces if len(one) == 1)
    for size in range(2, SIZE + 1):
        alike = sorted((one for one in pieces if len(one) == size), key=_halves)
        for at in range(0, len(alike), TOGETHER):
            group = alike[at : at + TOGETHER]
            if 1 < len({one[0] for one in group}) < _BEGINNINGS:
                group += [bytes((one,)) * size for one in range(_BEGINNINGS)]
            yield _by_turns(group)


def _halves(piece: bytes) -> tuple[list[int], list[int]]:
    """What Teddy looks at of a piece: the upper halves of its bytes, and the lower ones."""
    return [one >> 4 for one in piece], [one & 15 for one in piece]


def _by_turns(group: Sequence[bytes]) -> Sequence[bytes]:
    """In an order in which neighbours get into one set.

    Whatever has its first half of a byte from one word of a set, its second from another, and so
    on, has to be looked at: the more alike its words are, the less that is.
    """
    sets = _BUCKETS[len(group) > _SLIM]
    most = -(-len(group) // sets)
    full = len(group) - (most - 1) * sets  # these have as many as any, the others one fewer
    starts = [one * most - max(0, one - full) for one in range(sets)]
    sizes = [most - (one >= full) for one in range(sets)]
    return [
        group[start + turn]
        for turn in range(most)
        for start, size in zip(starts, sizes, strict=True)
        if turn < size
    ]


def _joined(spans: Sequence[Span]) -> Sequence[Span]:
    """Stretches, in order, with those that meet made one."""
    if len(spans) < 2:
        return spans
    joined = [spans[0]]
    for start, end in spans[1:]:
        last = joined[-1]
        if start <= last[1] + _NEAR:
            joined[-1] = last[0], max(last[1], end)
        else:
            joined.append((start, end))
    return joined
