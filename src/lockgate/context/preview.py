"""What a model is shown of a large text in its place: what it is, how much, how it begins and ends.

Must not know: where the whole is kept, or how the rest of it is read.

Pure and bounded: of a text over `MOST_READ` characters only the beginning and the end are looked
at, and nothing that is drawn goes over the budget in tokens.

    | a text that is             | is shown by                                                    |
    |----------------------------|----------------------------------------------------------------|
    | JSON, lines of it, or JSON | its shape and counts, the first and last of what is many,      |
    | that breaks off            | texts by how they begin; and the words around it               |
    | a table                    | its columns, how many rows, the first and last ones            |
    | a page                     | its title, what it says, at its beginning and end              |
    | anything else              | headings or definitions with their places, both ends           |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context import layout
from lockgate.context.layout import LONGEST_NAME, MOST_READ, Table, tidy
from lockgate.context.sketch import SCALES, quoted, sketch
from lockgate.context.unfinished import MOST_READ as _MOST_BEGUN
from lockgate.context.unfinished import Unfinished, begun

Count = Callable[[str], int]
_HEADINGS: Final = 12
_LONG_TAIL: Final = 400
_SHORT_TAIL: Final = 24
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
    rows = layout.json_lines(text)
    if rows is not None:
        more = "" if len(text) <= MOST_READ else " in the beginning"
        kind = f"JSON lines, {len(rows)} {_alike(rows)}{more}, {len(text)} characters"
        return Seen(kind, _drawn(rows, budget, count))
    return _of_begun(text, budget, count) or _of_text(text, budget, count)


def _of_json(value: Any, length: int, budget: int, count: Count) -> Seen:
    return Seen(f"JSON, {_shape(value)}, {length} characters", _drawn(value, budget, count))


def _drawn(value: Any, budget: int, count: Count) -> str:
    drawn = ""
    for scale in SCALES:
        drawn = sketch(value, scale)
        # A token has one character at least, and seldom more than eight.
        if len(drawn) <= budget * 8 and count(drawn) <= budget:
            return drawn
    return _cut(drawn, budget, count)


def _shape(value: Any) -> str:
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return f"array of {len(items)} {_alike(items)}"
    if isinstance(value, dict):
        members = len(cast("dict[str, Any]", value))
        return f"object of {members} member{'s' if members != 1 else ''}"
    return "a string" if isinstance(value, str) else "a scalar"


def _alike(items: Sequence[Any]) -> str:
    if items and all(isinstance(one, dict) for one in items):
        names = list(cast("dict[str, Any]", items[0]))
        if all(one.keys() == items[0].keys() for one in items):
            shown = ", ".join(quoted(name, LONGEST_NAME) for name in names[:_HEADINGS])
            more = f" and {len(names) - _HEADINGS} more" if len(names) > _HEADINGS else ""
            return f"objects, each with {shown}{more}"
        return "objects"
    return "items"


def _of_begun(text: str, budget: int, count: Count) -> Seen | None:
    """Of JSON that breaks off, or that words stand around; None: most of it is something else."""
    for start in layout.beginnings(text, "{["):
        found = begun(text, start)
        if found is not None and found.end - start >= min(len(text), _MOST_BEGUN) // 2:
            return _around(text, start, found, budget, count)
    return None


def _around(text: str, start: int, found: Unfinished, budget: int, count: Count) -> Seen:
    kind = f"JSON, {_shape(found.value)}"
    if not found.closed:
        goes_on = len(text) - start > _MOST_BEGUN
        said = "JSON, read" if goes_on else "JSON that breaks off, read"
        kind = f"{said} up to character {found.end}: {_shape(found.value)}"
    ahead, tail = tidy(text[:start]).strip(), tidy(text[found.end :][-_LONG_TAIL:]).strip()
    ahead = _cut(ahead, budget // 4, count) if ahead else ""
    # A name or a number that is cut says nothing.
    tail = f"[…] {_cut_front(tail, budget // 6, count)}" if len(tail) > _SHORT_TAIL else ""
    left = budget - count(ahead) - count(tail) - 2
    shown = (ahead, _drawn(found.value, left, count), tail)
    return Seen(f"{kind}, {len(text)} characters", "\n".join(filter(None, shown)))


def _of_text(text: str, budget: int, count: Count) -> Seen:
    if layout.is_page(text):
        title, said = layout.page(text)
        if len(said) > min(len(text) // 20, _LONG_TAIL):
            kind = f"HTML page {quoted(title, 120)}, {len(text)} characters, without its tags"
            return Seen(kind, _ends(said, budget, count))
    table = layout.table(text)
    if table is not None:
        return _of_table(text, table, budget, count)
    return _of_lines(text, budget, count)


def _of_table(text: str, table: Table, budget: int, count: Count) -> Seen:
    names = ", ".join(table.names[:LONGEST_NAME])
    kind = f"Table, about {table.rows} rows of {len(table.names)} columns, {len(text)} characters"
    ahead = tidy(text[: table.start]).strip()
    head = f"{_cut(ahead, budget // 4, count)}\n" if ahead else ""
    head = f"{head}columns: {_cut(names, budget // 2, count)}\n"
    return Seen(kind, f"{head}{_ends(text[table.body :], budget - count(head) - 2, count)}")


def _of_lines(text: str, budget: int, count: Count) -> Seen:
    kind = f"Text, {text.count(chr(10)) + 1} lines, {len(text)} characters{layout.alarms(text)}"
    found = layout.parts(text, _HEADINGS)
    if not found:
        return Seen(kind, _ends(text, budget, count))
    parts = "\n".join(found)
    if count(parts) > budget // 3:
        parts = _cut(parts, budget // 3, count)
    return Seen(kind, f"parts:\n{parts}\n{_ends(text, budget - count(parts) - 3, count)}")


def _ends(text: str, budget: int, count: Count) -> str:
    """The beginning and the end, in `budget` tokens."""
    for shown in _sizes(budget):
        head = text[: shown * 3 // 4]
        tail = text[-(shown // 4) :] if shown >= LONGEST_NAME else ""
        left = len(text) - len(head) - len(tail)
        if left <= 0:
            drawn = tidy(text)
        else:
            drawn = f"{tidy(_to_line(head))}\n[… {left} characters …]\n{tidy(_from_line(tail))}"
        if count(drawn) <= budget:
            return drawn
    return ""


def _sizes(budget: int) -> Iterator[int]:
    # Of a text that is mostly space, a token may be many characters.
    size = budget * 8
    while size >= 1:
        yield size
        size = size * 7 // 8


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


def _cut_front(text: str, budget: int, count: Count) -> str:
    return _cut(text[-_LONG_TAIL:][::-1], budget, count)[::-1]
