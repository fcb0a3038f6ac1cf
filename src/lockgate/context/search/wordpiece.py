"""Texts as the pieces of words that a model of the BERT family reads. Pure.

Must not know: models, where a vocabulary comes from.

As the models were trained: lower case, no accents, a space around each Chinese character, each mark
by itself; then of every word, again and again, the longest piece that is in the vocabulary.
Source: J. Devlin et al., BERT (2019), the uncased vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import category, normalize

MOST: Final = 128
"""Pieces of a text, with the two that mark its beginning and its end."""
LONGEST_TEXT: Final = 4000
_LONGEST_WORD: Final = 100
_CHINESE: Final = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


class WordPieces:
    """A vocabulary, to write texts in."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` in their order.

        Raises:
            ValueError: one that every text needs is missing.
        """
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        try:
            self._first, self._last, self._unknown = (
                self._numbers[mark] for mark in ("[CLS]", "[SEP]", "[UNK]")
            )
        except KeyError as error:
            raise ValueError(f"the vocabulary has no {error}") from None

    def __call__(self, text: str, most: int = MOST) -> list[int]:
        """The numbers of a text's pieces, at most so many; what comes after them is left out."""
        found = [self._first]
        for word in _words(text[:LONGEST_TEXT]):
            found += self._pieces(word)
            if len(found) >= most:
                break
        return [*found[: most - 1], self._last]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._numbers.get(("##" if start else "") + word[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return [self._unknown]
        return found


def _words(text: str) -> Iterator[str]:
    word = ""
    for character in _plain(text):
        if character == " ":
            if word:
                yield word
            word = ""
        elif _mark(character) or _chinese(character):
            if word:
                yield word
            yield character
            word = ""
        else:
            word += character
    if word:
        yield word


def _plain(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower()
    cleaned = (_cleaned(character) for character in text)
    apart = normalize("NFD", "".join(cleaned))
    return "".join(one for one in apart if category(one) != "Mn").lower()


def _cleaned(character: str) -> str:
    if character in "\t\n\r" or category(character) == "Zs":
        return " "
    if character in "\0\ufffd" or category(character) in ("Cc", "Cf", "Cn", "Co"):
        return ""
    return character


def _mark(character: str) -> bool:
    if character.isascii():
        return not character.isalnum() and character.isprintable()
    return category(character).startswith("P")


def _chinese(character: str) -> bool:
    return character > "\u33ff" and any(low <= ord(character) <= high for low, high in _CHINESE)
