"""A text as sentences of words, in one pass whose cost grows with the text and nothing else.

Must not know: what any word means (`lockgate.guard.signals.lexicon`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

LONGEST: Final = 120
"""Words a sentence may have; a longer one is read in pieces that overlap."""

OVERLAP: Final = 24

_EDGES: Final = "\"'`()[]{}<>,;:!?*\u2018\u2019\u201c\u201d\u00ab\u00bb|"
_INNER: Final = re.compile(r"[a-z0-9]+(?:['\u2019][a-z]+)?|[^\W\d_]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BULLET: Final = frozenset("-*•–+#>")  # noqa: RUF001 - the dash some lists have
_HEADINGS: Final = frozenset(
    {"args", "arguments", "parameters", "params", "returns", "return", "raises", "example"}
    | {"examples", "usage", "input", "output", "inputs", "outputs", "response", "notes"}
)
_SETTINGS: Final = ("~/.config/", "~/.local/", "~/.cache/")
"""Where every program keeps its own settings; others' secrets there are known by their names."""
_DOMAINS: Final = frozenset(
    {
        "com",
        "net",
        "org",
        "io",
        "xyz",
        "example",
        "site",
        "online",
        "info",
        "top",
        "test",
        "invalid",
    }
)
_ABBREVIATIONS: Final = frozenset({"e.g.", "i.e.", "etc.", "vs.", "cf.", "approx.", "no."})


class Sentence(msgspec.Struct):
    """Words in order.

    words   in small letters; what was one word in the text may be several here (`read_file`).
    marks   by the number of a word: what the whole it belongs to is (`url`, `mail`, `phone`,
            `home`: a person's own settings, `path`, `identifier`).
    wholes  by the number of a word: the identifier it begins, as it is written.
    text    as it is written.
    """

    words: list[str]
    marks: dict[int, str]
    wholes: dict[int, str]
    text: str


class _Building:
    """The sentence being read."""

    __slots__ = ("marks", "pieces", "wholes", "words")

    def __init__(self) -> None:
        self.words: list[str] = []
        self.marks: dict[int, str] = {}
        self.wholes: dict[int, str] = {}
        self.pieces: list[str] = []

    def take(self, piece: str) -> None:
        """Add one piece of writing to the words."""
        self.pieces.append(piece)
        words = self.words
        bare = piece.strip(_EDGES).rstrip("._,")
        low = bare.lower()
        if low.isalpha() and (low == bare or bare.isupper() or bare.istitle()):
            words.append(low)
            return
        mark = _mark(bare)
        first = len(words)
        if mark == "mail" or (mark == "url" and (low.startswith("http") or "/" not in low)):
            self.marks[first] = mark
            words.append(f"<{mark}>")
            return
        if mark == "identifier":
            self.wholes[first] = bare.partition("(")[0]
            words += spoken(bare)
        else:
            words += _INNER.findall(low)[:40]
        if low.startswith(".env"):
            words.append("dotenv")
        if mark and len(words) > first:
            self.marks[first] = mark

    def done(self) -> Sentence:
        """The sentence."""
        return Sentence(self.words, self.marks, self.wholes, " ".join(self.pieces))


def spoken(identifier: str) -> list[str]:
    """The words an identifier is made of."""
    return _INNER.findall(_CAMEL.sub(" ", identifier).lower())[:40]


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a text; lists and paragraphs end one as well as full stops do."""
    building = _Building()
    for piece, ends in _pieces(text):
        if piece:
            building.take(piece)
        full = len(building.words) >= LONGEST
        if (ends or full) and building.words:
            yield building.done()
            last = building.pieces[-OVERLAP:] if full and not ends else []
            building = _Building()
            for one in last:
                building.take(one)
            if len(building.words) > LONGEST // 2:
                building = _Building()
    if building.words:
        yield building.done()


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Whatever stands between spaces, and whether a sentence ends after it."""
    for line in text.splitlines():
        pieces = line.split()
        if not pieces:
            yield "", True
            continue
        begins = pieces[0]
        if begins[0] in _BULLET or begins[0] == "<" or begins[-1] in ":.)>":
            yield "", True
        for piece in pieces:
            if (piece[-1] == ":" and _heading(piece)) or piece in _BULLET:
                yield "", True
            yield piece[:400], _ends(piece)


def _heading(piece: str) -> bool:
    """Whether a piece with a colon begins the entry of a list: an argument, or a part's title."""
    bare = piece[:-1].strip(_EDGES)
    return "_" in bare or bare.lower() in _HEADINGS


def _ends(piece: str) -> bool:
    last = piece[-1]
    if last.isalnum() or last == ",":
        return False
    bare = piece.rstrip("\"'`)]}*\u2019\u201d")
    if not bare or bare[-1] not in ".!?;\u3002>":
        return False
    return bare.lower() not in _ABBREVIATIONS


def _mark(bare: str) -> str:
    if "://" in bare:
        return "url"
    if "." in bare and bare.rpartition(".")[2].lower() in _DOMAINS:
        return "mail" if "@" in bare[1:] else "url"
    if "@" in bare[1:] and "." in bare.partition("@")[2]:
        return "mail"
    if bare[:1] == "+" and len(bare) > 8 and bare[1:].replace("-", "").isdigit():
        return "phone"
    if bare.startswith(".") and bare[1:2].isalpha():
        return "path"
    if bare.startswith(_SETTINGS):
        return "path"
    if bare.startswith(("~/.", "$HOME/.", "%USERPROFILE%")) or "/." in bare[1:]:
        return "home"
    if bare.startswith(("~", "/", "./", "../", "$HOME", "%")) and len(bare) > 2:
        return "path"
    if "_" in bare or _CAMEL.search(bare):
        return "identifier"
    return ""
