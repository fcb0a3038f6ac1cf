"""Text as the terms it is found by: words split, folded, stemmed; bigrams where none are spaced.

Must not know: documents, weights, ranking.

    | written            | terms                                         |
    |--------------------|-----------------------------------------------|
    | `create_issues`    | creat, issu                                   |
    | `getUserByID`      | get, user, id, getuserbyid                    |
    | `GitHub`, `base64` | git, hub, github; base, 64, base64            |
    | `the`, `of`, `a`   | none: they are everywhere                     |
    | `Café`             | cafe                                          |
    | `搜索文件`         | 搜索, 索文, 文件                              |
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Final

LONGEST_TEXT: Final = 8192
"""Characters of one text that are looked at; what is behind them finds nothing."""
LONGEST_WORD: Final = 64
MOST_JOINED: Final = 33
"""Words of a query of which neighbours are tried as one."""
_MOST_STEMS: Final = 32_768

_run: Final = re.compile(r"[^\W_]+")
_part: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_joint: Final = re.compile(
    "(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[0-9]|[A-Z][a-z])"
)
# Scripts that put no space between words: Han, Hiragana, Katakana, Hangul, Thai.
_UNSPACED: Final = (
    "\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_unspaced: Final = re.compile(f"([{_UNSPACED}]+)")

STOP_WORDS: Final = frozenset(
    """
    a about after all also an and any are as at be been before being between both but by can could
    did do does doing done each either every few for from further given had has have having he her
    here him his how i if in into is it its itself just let like may me might more most must my
    need needs no nor not now of off on once one only or other our out over own per please same
    shall she should so some such than that the their them then there these they this those through
    to too under until up upon us use used uses using very via want wants was we were what when
    where whether which while who whose will with within without would you your
    """.split()  # noqa: SIM905 - a column of quoted words would be three pages
)


def terms(text: str) -> Iterator[str]:
    """The terms of a text, in its order, repeated as in it."""
    for found in _run.finditer(text[:LONGEST_TEXT]):
        run = found[0]
        if run.isascii():
            yield from _of_ascii(run)
        else:
            yield from _of_any(run)


def apart(name: str) -> str:
    """A name as the words it is made of, so that none of its terms are of several of them."""
    return _joint.sub(" ", name)


def joined(text: str) -> Iterator[str]:
    """The terms that neighbouring words of a query would be if they were written as one."""
    words = [one for one in _run.findall(text.lower())[:MOST_JOINED] if one.isascii()]
    for left, right in pairwise(words):
        if len(left) + len(right) <= LONGEST_WORD:
            yield stem(left + right)


def _of_ascii(run: str) -> Iterator[str]:
    if run.islower() and run.isalpha():
        if run not in STOP_WORDS:
            yield stem(run[:LONGEST_WORD])
        return
    parts = _part.findall(run)
    for part in parts:
        word = part.lower()
        if word not in STOP_WORDS:
            yield stem(word[:LONGEST_WORD])
    if len(parts) > 1 and len(run) <= LONGEST_WORD:
        yield stem(run.lower())


def _of_any(run: str) -> Iterator[str]:
    """Of a run that holds other letters than those of ASCII."""
    for piece in _unspaced.split(unicodedata.normalize("NFKC", run)):
        if not piece:
            continue
        if _unspaced.fullmatch(piece):
            # Words of these scripts are two characters long as a rule.
            yield from (piece[at : at + 2] for at in range(max(1, len(piece) - 1)))
        elif piece.isascii():
            yield from _of_ascii(piece)
        else:
            word = plain(piece)[:LONGEST_WORD]
            if word and word not in STOP_WORDS:
                yield stem(word) if word.isascii() else word


def plain(text: str) -> str:
    """Lower case, without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in parts if not unicodedata.combining(one))


def folded(name: str) -> str:
    """What names have in common that are the same but for case and punctuation."""
    return "".join(_run.findall(unicodedata.normalize("NFKC", name[:512]))).casefold()


_stems: Final[dict[str, str]] = {}


def stem(word: str) -> str:
    """The stem of an English word in lower case; other words have themselves."""
    found = _stems.get(word)
    if found is None:
        if len(_stems) >= _MOST_STEMS:
            _stems.clear()
        found = _stems[word] = _stemmer()(word) if len(word) > 2 else word
    return found


@cache
def _stemmer() -> Callable[[str], str]:
    # Imported when something is searched for the first time: it brings every language it knows.
    module = import_module("snowballstemmer.english_stemmer")
    return module.EnglishStemmer().stemWord
