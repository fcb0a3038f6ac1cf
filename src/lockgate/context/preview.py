"""What a model is shown of a large text in its place: what it is, how much, how it begins and ends.

Must not know: where the whole is kept, or how the rest of it is read.

Pure and bounded: of a text over `MOST_READ` characters only the beginning and the end are looked
at, and nothing that is drawn goes over the budget in tokens.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context.sketch import SCALES, quoted, sketch

Count = Callable[[str], int]
MOST_READ: Final = 4 * 1024 * 1024
_SAMPLE: Final = 16_384
_NAMES: Final = 40
_HEADINGS: Final = 12
_MOST_COLUMNS: Final = 200
_FEWEST_ROWS: Final = 4
_DELIMITERS: Final = (",", "\t", ";", "|")
_HEADING: Final = re.compile(r"(?:\A|(?<=\n\n))#{1,4} [^\n]{1,120}")
_decode: Final = msgspec.json.Decoder().decode


class Seen(NamedTuple):
    """A preview: what the text is in a few words, and what is shown of it."""

    kind: str
    body: str

    def __str__(self) -> str:
        """Both."""
        return f"{self.kind}\n{self.body}"


def preview(text: str, budget: int, count: Count, *, json: bool = False) -> Seen:
    """What is shown of a text, in at most about `budget` tokens, as `count` counts them.

    `json`: it is known to be a JSON document.
    """
    if json and len(text) <= MOST_READ:
        try:
            return _of_json(_decode(text), len(text), budget, count)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            pass
    table = _table(text)
    if table is not None:
        return _of_table(text, table, budget, count)
    return _of_lines(text, budget, count)


def _of_json(value: Any, length: int, budget: int, count: Count) -> Seen:
    kind = f"JSON, {_shape(value)}, {length} characters"
    drawn = ""
    for scale in SCALES:
        drawn = sketch(value, scale)
        # A token has one character at least, and seldom more than eight.
        if len(drawn) <= budget * 8 and count(drawn) <= budget:
            return Seen(kind, drawn)
    return Seen(kind, _cut(drawn, budget, count))


def _shape(value: Any) -> str:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return f"array of {len(items)} {_alike(items)}"
    if isinstance(value, dict):
        return f"object of {len(cast('dict[str, Any]', value))} members"
    return "a string" if isinstance(value, str) else "a scalar"


def _alike(items: Sequence[Any]) -> str:
    if items and all(isinstance(one, dict) for one in items):
        names = list(cast("dict[str, Any]", items[0]))
        if all(one.keys() == items[0].keys() for one in items):
            shown = ", ".join(quoted(name, _NAMES) for name in names[:_HEADINGS])
            more = f" and {len(names) - _HEADINGS} more" if len(names) > _HEADINGS else ""
            return f"objects, each with {shown}{more}"
        return "objects"
    return "items"


class _Table(NamedTuple):
    delimiter: str
    names: list[str]
    rows: int


def _table(text: str) -> _Table | None:
    """What a text of delimited lines is a table of; None: it is none, or one of a single column."""
    sample = text[:_SAMPLE]
    for delimiter in _DELIMITERS:
        if delimiter not in sample[:_SAMPLE]:
            continue
        rows = _rows(sample, delimiter)
        width = len(rows[0]) if rows else 0
        if (
            len(rows) >= _FEWEST_ROWS
            and 1 < width <= _MOST_COLUMNS
            and all(len(row) == width for row in rows)
            and all(name.strip() and len(name) <= _NAMES for name in rows[0])
        ):
            return _Table(delimiter, rows[0], text.count("\n") + (not text.endswith("\n")) - 1)
    return None


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if row]
    except csv.Error:
        return []
    # The last one may be cut where the sample ends.
    return rows[:-1] if len(sample) == _SAMPLE else rows


def _of_table(text: str, table: _Table, budget: int, count: Count) -> Seen:
    names = ", ".join(table.names[:_NAMES])
    kind = f"Table, about {table.rows} rows of {len(table.names)} columns, {len(text)} characters"
    return Seen(kind, f"columns: {names}\n{_ends(text, budget - count(names), count)}")


def _of_lines(text: str, budget: int, count: Count) -> Seen:
    kind = f"Text, {text.count(chr(10)) + 1} lines, {len(text)} characters"
    found = _headings(text)
    if not found:
        return Seen(kind, _ends(text, budget, count))
    headings = "\n".join(found)
    if count(headings) > budget // 3:
        headings = _cut(headings, budget // 3, count)
    return Seen(kind, f"headings:\n{headings}\n{_ends(text, budget - count(headings), count)}")


def _headings(text: str) -> list[str]:
    """The headings of a Markdown text, each with the offset where it stands."""
    found: list[str] = []
    for one in _HEADING.finditer(text, 0, min(len(text), MOST_READ)):
        if len(found) == _HEADINGS:
            found.append("…")
            break
        found.append(f"{one[0]} (offset {one.start()})")
    return found if len(found) > 1 else []


def _ends(text: str, budget: int, count: Count) -> str:
    """The beginning and the end, in `budget` tokens."""
    for shown in _sizes(budget):
        head, tail = text[: shown * 3 // 4], text[-(shown // 4) :] if shown >= _NAMES else ""
        left = len(text) - len(head) - len(tail)
        if left <= 0:
            drawn = text
        else:
            drawn = f"{_to_line(head)}\n[… {left} characters …]\n{_from_line(tail)}"
        if count(drawn) <= budget:
            return drawn
    return ""


def _sizes(budget: int) -> Iterator[int]:
    size = budget * 4
    while size >= 1:
        yield size
        size = size * 4 // 5


def _to_line(head: str) -> str:
    end = head.rfind("\n")
    return head[:end] if end > len(head) * 2 // 3 else head


def _from_line(tail: str) -> str:
    begin = tail.find("\n")
    return tail[begin + 1 :] if 0 <= begin < len(tail) // 3 else tail


def _cut(text: str, budget: int, count: Count) -> str:
    for size in _sizes(max(budget, 1)):
        drawn = f"{text[:size]}…" if size < len(text) else text
        if count(drawn) <= budget:
            return drawn
    return ""
