"""Many short words looked for in one pass: where a closer look is worth its time.

Must not know: what is looked for, or what follows once it is found.

Most text holds none of what a guard looks for, and most calls are small. So each thing that is
looked for names a few characters it cannot do without, all of those are searched for together (Aho
and Corasick, 1975), and only what is found is looked at again. The time is linear in the text,
whatever it is; `docs/why/content.md` has what it costs and what the alternatives did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from ahocorasick_rs import AhoCorasick, BytesAhoCorasick, Implementation


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
        return [
            (word, start)
            for word, start, _ in self._text.find_matches_as_indexes(text, overlapping=True)
        ]


@lru_cache(maxsize=64)
def finder(words: tuple[str, ...]) -> Callable[[bytes], Sequence[object]]:
    """Whether bytes hold one of the words as it is spelled: empty if none.

    One for all who look for the same: it is read with every call, and small caches are shared.
    """
    known = [word.encode() for word in dict.fromkeys(words)]
    return BytesAhoCorasick(known, implementation=Implementation.DFA).find_matches_as_indexes
