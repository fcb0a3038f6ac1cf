"""What a text or a JSON document holds of some words, and where. Linear in the text.

Must not know: where the text comes from, or how much of what is found is shown.

A pattern is literal text, or several with `|` between them; letter case does not count. There are
no regular expressions: no pattern takes longer than reading the text once for each alternative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from lockgate.context.pointer import LONGEST as LONGEST_PATH
from lockgate.context.pointer import escaped

LONGEST: Final = 200
MOST: Final = 8
_AROUND: Final = 120


class BadPattern(Exception):
    """A pattern that cannot be looked for; the message says why."""


class Match(NamedTuple):
    """One place: `where` it is, and the text around it."""

    where: str
    text: str


class Needles:
    """The alternatives of one pattern."""

    def __init__(self, pattern: str) -> None:
        """Raises BadPattern."""
        if len(pattern) > LONGEST:
            raise BadPattern(f"A pattern has at most {LONGEST} characters.")
        words = list(dict.fromkeys(lower(word) for word in pattern.split("|") if word))
        if not words:
            raise BadPattern("A pattern has to have some text.")
        if len(words) > MOST:
            raise BadPattern(f"A pattern has at most {MOST} alternatives.")
        self._words = words

    def within(self, text: str) -> bool:
        """Whether the text has one of them."""
        low = lower(text)
        return any(word in low for word in self._words)

    def spans(self, low: str) -> Iterator[tuple[int, int]]:
        """Where they are in a lower-case text, in order and not one inside another."""
        following = {word: low.find(word) for word in self._words}
        at = 0
        while True:
            for word, place in following.items():
                if 0 <= place < at:
                    following[word] = low.find(word, at)
            there = [(place, -len(word)) for word, place in following.items() if place >= 0]
            if not there:
                return
            start, length = min(there)
            at = start - length
            yield start, at


def lower(text: str) -> str:
    """Lower case, letter by letter: what is at a place stays there."""
    low = text.replace("\u0130", "i").lower()
    return low if len(low) == len(text) else text


def in_text(needles: Needles, text: str) -> Iterator[Match]:
    """Each line that has one of them; of long lines, what is around each."""
    low = lower(text)
    end, number, begin = -1, 0, 0
    counted = 0
    for start, stop in needles.spans(low):
        if stop <= end:
            continue
        number += text.count("\n", counted, start)
        counted = start
        begin = text.rfind("\n", max(0, start - _AROUND), start) + 1
        begin = begin or max(0, start - _AROUND)
        line_end = text.find("\n", stop, stop + _AROUND)
        end = line_end if line_end >= 0 else min(len(text), stop + _AROUND)
        yield Match(f"line {number + 1}, offset {begin}", text[begin:end])


def in_value(needles: Needles, value: Any, where: str = "") -> Iterator[Match]:
    """Each member whose name, and each scalar that has one of them, by its JSON pointer."""
    under = [iter([(where, value)])]
    while under:
        following = next(under[-1], None)
        if following is None:
            under.pop()
            continue
        place, one = following
        if isinstance(one, dict | list):
            # No longer than a path may be, or a deep document has pointers without end.
            inside = place if len(place) <= LONGEST_PATH else "…"
            under.append(_inside(inside, cast("dict[str, Any] | list[Any]", one)))
        else:
            yield from _scalar(needles, place, one)


def _inside(place: str, one: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(one, dict):
        return ((f"{place}/{escaped(key)}", item) for key, item in one.items())
    return ((f"{place}/{number}", item) for number, item in enumerate(one))


def _scalar(needles: Needles, place: str, value: object) -> Iterator[Match]:
    text = value if isinstance(value, str) else _written(value)
    found = next(needles.spans(lower(text)), None)
    if found is not None:
        begin, end = max(0, found[0] - _AROUND), min(len(text), found[1] + _AROUND)
        before, after = "…" if begin else "", "…" if end < len(text) else ""
        yield Match(place or "/", f"{before}{text[begin:end]}{after}")
    elif needles.within(place.rpartition("/")[2]):
        cut = text[: 2 * _AROUND]
        yield Match(place, cut if len(cut) == len(text) else f"{cut}…")


def _written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
