"""Terms that are written much like another one: for words nobody knows, such as typing errors.

Must not know: documents, ranking. Two terms are as like as the share of three-letter pieces they
have in common (Dice's coefficient), their ends counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LEAST: Final = 0.45
"""How like a term has to be at least, from 0 to 1."""
SHORTEST: Final = 3
_MOST_PIECES: Final = 24


class Near:
    """Every term that is known, by its pieces."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._terms: dict[str, dict[str, int]] = {}

    def add(self, term: str) -> None:
        """Know a term from now on."""
        if _comparable(term):
            pieces = _pieces(term)
            for piece in pieces:
                self._terms.setdefault(piece, {})[term] = len(pieces)

    def remove(self, term: str) -> None:
        """Forget a term."""
        if not _comparable(term):
            return
        for piece in _pieces(term):
            those = self._terms[piece]
            those.pop(term, None)
            if not those:
                del self._terms[piece]

    def of(self, term: str, known: Callable[[str], bool], most: int) -> list[tuple[str, float]]:
        """The terms most like this one of those that are `known`, and how like they are."""
        if not _comparable(term):
            return []
        pieces = _pieces(term)
        shared: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for piece in pieces:
            those = self._terms.get(piece, {})
            sizes.update(those)
            for one in those:
                shared[one] = shared.get(one, 0) + 1
        like = [
            (2 * count / (len(pieces) + sizes[one]), one)
            for one, count in shared.items()
            if 2 * count >= LEAST * (len(pieces) + sizes[one])
        ]
        like.sort(key=lambda each: (-each[0], each[1]))
        return [(one, share) for share, one in like if known(one)][:most]


def _comparable(term: str) -> bool:
    return len(term) >= SHORTEST and term.isascii() and term.isalpha()


def _pieces(term: str) -> set[str]:
    ended = f"^{term}$"
    return {ended[at : at + 3] for at in range(min(len(ended) - 2, _MOST_PIECES))}
