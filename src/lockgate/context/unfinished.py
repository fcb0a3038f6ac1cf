"""JSON that breaks off, or after which something else follows: as much of it as there is.

Must not know: where it comes from, how it is shown.

Tools cut what is too long for them, and then it is no document any more; but what it is, and what
is in it, can still be told. Linear, bounded in depth, and nothing is guessed: a value is there
when it is there whole, a text also as far as it goes.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, cast

import msgspec

MOST_READ: Final = 64 * 1024
"""Characters; of what is longer the beginning is looked at: ten milliseconds."""
_DEEPEST: Final = 64
_TOKEN: Final = re.compile(
    r'[ \t\r\n]*(?:(?P<mark>[\[\]{}:,])|(?P<text>"(?:[^"\\]|\\.)*"?)|(?P<rest>[^\s\[\]{}:,"]+))',
    re.DOTALL,
)
_decode: Final = msgspec.json.Decoder().decode


class Unfinished(NamedTuple):
    """What there is.

    value   an array or an object.
    end     where in the text it ends.
    closed  whether it ends there, and does not break off.
    """

    value: Any
    end: int
    closed: bool


class _Stop(Exception):
    pass


def begun(text: str, start: int = 0) -> Unfinished | None:
    """The array or object that begins at `start` of a text; None: there is none worth the name."""
    reading = _Reading()
    end = start
    limit = min(len(text), start + MOST_READ)
    try:
        while not reading.closed and (token := _TOKEN.match(text, end, limit)) is not None:
            reading.take(token)
            end = token.end()
    except (_Stop, msgspec.MsgspecError, UnicodeEncodeError):
        pass
    if reading.root is None or not reading.filled:
        return None
    return Unfinished(reading.root, end, reading.closed)


class _Reading:
    """What was read so far: the open arrays and objects, and the name that waits for its value."""

    def __init__(self) -> None:
        self.root: Any = None
        self.filled = False
        self.closed = False
        self._open: list[Any] = []
        self._name: str | None = None
        self._due = "value"

    def take(self, token: re.Match[str]) -> None:
        mark = token["mark"]
        if mark is None:
            self._scalar(token["text"], token["rest"])
        elif mark in "[{":
            self._begin([] if mark == "[" else {})
        elif mark in "]}":
            self._end(mark)
        else:
            self._between(mark)

    def _begin(self, value: Any) -> None:
        if len(self._open) >= _DEEPEST:
            raise _Stop
        if self.root is None:
            self.root = value
        else:
            self._add(value)
        self._open.append(value)
        self._due = "first"

    def _end(self, mark: str) -> None:
        if self._due not in ("first", "next") or (mark == "]") != isinstance(self._open[-1], list):
            raise _Stop
        self._open.pop()
        self.closed = not self._open
        self._due = "next"

    def _between(self, mark: str) -> None:
        inside = bool(self._open) and isinstance(self._open[-1], dict)
        if mark == ":" and self._due == "colon":
            self._due = "value"
        elif mark == "," and self._due == "next":
            self._due = "name" if inside else "value"
        else:
            raise _Stop

    def _scalar(self, text: str | None, rest: str | None) -> None:
        if self.root is None:
            raise _Stop
        whole = text is None or (len(text) > 1 and text.endswith('"') and _even(text))
        named = isinstance(self._open[-1], dict) and self._due in ("first", "name")
        if named and text is not None and whole:
            self._name = cast("str", _decode(text))
            self._due = "colon"
            return
        if named:
            raise _Stop
        self._add(_decode(rest or "") if text is None else _said(text, whole=whole))
        self._due = "next"

    def _add(self, value: Any) -> None:
        inner = self._open[-1]
        if isinstance(inner, list) and self._due in ("first", "value"):
            cast("list[Any]", inner).append(value)
        elif isinstance(inner, dict) and self._due == "value" and self._name is not None:
            inner[self._name] = value
            self._name = None
        else:
            raise _Stop
        self.filled = True


def _even(text: str) -> bool:
    """Whether the quote at its end is none that a backslash stands before."""
    return (len(text) - 1 - len(text[:-1].rstrip("\\"))) % 2 == 0


def _said(text: str, *, whole: bool) -> str:
    """A text as far as it goes; one that no JSON may hold, as it is written."""
    try:
        return cast("str", _decode(text if whole else f'{text}"'))
    except msgspec.MsgspecError:
        return text[1 : len(text) - whole]
