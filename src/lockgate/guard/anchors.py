"""Many short words looked for in one pass: where a closer look is worth its time.

Must not know: what is looked for, or what follows once it is found.

Most text holds none of what a guard looks for, and most calls are small. So each thing that is
looked for names a few characters it cannot do without, all of those are searched for together (Aho
and Corasick, 1975), and only what is found is looked at again. The time is linear in the text,
whatever it is; `docs/why/content.md` has what it costs and what the alternatives did. In a large
text the search is made only where it may find something (`lockgate.guard.sieve`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation

from lockgate.guard.sieve import LARGE, Found, Span, sieve


class Anchors:
    """A set of words, looked for in texts."""

    __slots__ = ("_text", "words")

    def __init__(self, words: Iterable[str]) -> None:
        """`words` are ASCII or not, none of them empty, and told apart by case."""
        self.words: Final = tuple(dict.fromkeys(words))
        # The last of the implementations is the fastest, and takes the most memory: some 200 KiB.
        self._text = AhoCorasick(self.words, implementation=Implementation.DFA)

    def within(self, text: str) -> list[tuple[int, int]]:
        """Which of the words are in the text: (the word's number, where it begins), in order."""
        look = self._text.find_matches_as_indexes
        if len(text) < LARGE:
            return [(word, start) for word, start, _ in look(text, overlapping=True)]
        return [
            (word, begin + start)
            for begin, end in self._stretches(text)
            for word, start, _ in look(text[begin:end], overlapping=True)
        ]

    def _stretches(self, text: str) -> Iterable[Span]:
        """Where in a large text any of the words may be."""
        data = text.encode()
        spans = sieve(tuple(word.encode() for word in self.words)).all_spans(data)
        return spans if len(data) == len(text) else _in_characters(data, spans)


def _in_characters(data: bytes, spans: Iterable[Span]) -> Iterator[Span]:
    """Stretches of UTF-8, in order and apart, as stretches of the text it is; never smaller."""
    at = passed = 0
    for start, end in spans:
        begins, ends = _outside(data, start, -1), _outside(data, end, 1)
        first = passed + len(data[at:begins].decode())
        passed = first + len(data[begins:ends].decode())
        at = ends
        yield first, passed


def _outside(data: bytes, at: int, step: int) -> int:
    """The next place that is not inside of a character."""
    while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
        at += step
    return at


@lru_cache(maxsize=64)
def finder(words: tuple[str, ...]) -> Callable[..., Sequence[Found]]:
    """Whether bytes hold one of the words as it is spelled: empty if none.

    One for all who look for the same: it is read with every call, and small caches are shared.
    """
    known = [word.encode() for word in dict.fromkeys(words)]
    return BytesAhoCorasick(known, implementation=Implementation.DFA).find_matches_as_indexes
