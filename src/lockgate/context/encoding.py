"""JSON in fewer characters: without space, and tables by columns.

Must not know: where a text comes from, or whether it may be changed.

Numbers keep their digits, strings their meaning, objects the order of their members. Only of a
member that is there twice `columnar` keeps the last, as every reader does.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

FEWEST_ROWS: Final = 3
COLUMNS: Final = "cols"
ROWS: Final = "rows"
MOST_COLUMNAR: Final = 64 * 1024
"""Characters of a text that is looked at for tables: some milliseconds."""

_decode: Final = msgspec.json.Decoder().decode
# Digits as they were written, which no float has.
_exact: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode
_encode: Final = msgspec.json.Encoder().encode


def minified(text: str) -> str | None:
    """A JSON text without needless space; None: it is none, or has none to lose. Linear."""
    if not text or not (text[0] in '{["' or text[0].isspace()):
        return None
    try:
        short = msgspec.json.format(text, indent=-1)
        if "\\u" in short:
            # What every reader understands as well, in a sixth of the characters.
            again = _encode(_exact(short)).decode()
            short = again if len(again) < len(short) and _decode(again) == _decode(short) else short
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return short if len(short) < len(text) else None


def columnar(text: str) -> str | None:
    """A JSON text with its tables written as `{"cols": [...], "rows": [[...], ...]}`.

    A table is a list of at least three objects with the same members in the same order. None: there
    is no table, the text is none or too long, or it uses `cols` and `rows` itself.
    """
    if len(text) > MOST_COLUMNAR:
        return None
    try:
        tables = _Tables()
        value = tables.written(_exact(text))
        return _encode(value).decode() if tables.found and not tables.taken else None
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None


class _Tables:
    def __init__(self) -> None:
        self.found = False
        self.taken = False

    def written(self, value: Any) -> Any:
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            self.taken |= list(members) == [COLUMNS, ROWS]
            return {key: self.written(one) for key, one in members.items()}
        if not isinstance(value, list):
            return value
        items = [self.written(one) for one in cast("list[Any]", value)]
        columns = _columns(cast("list[Any]", value))
        if columns is None:
            return items
        self.found = True
        return {COLUMNS: columns, ROWS: [list(one.values()) for one in items]}


def _columns(items: list[Any]) -> list[str] | None:
    if len(items) < FEWEST_ROWS or not isinstance(items[0], dict) or not items[0]:
        return None
    columns: list[str] = list(cast("dict[str, Any]", items[0]))
    same = all(isinstance(one, dict) and [*cast("dict[str, Any]", one)] == columns for one in items)
    return columns if same else None


def expanded(value: Any) -> Any:
    """What `columnar` was given, of what it gave."""
    if isinstance(value, list):
        return [expanded(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    if list(members) == [COLUMNS, ROWS]:
        columns, rows = members[COLUMNS], members[ROWS]
        return [dict(zip(columns, map(expanded, row), strict=True)) for row in rows]
    return {key: expanded(one) for key, one in members.items()}


def same(text: str, data: bytes) -> bool:
    """Whether a text is the JSON that `data` is, or the only member `result` of it."""
    try:
        value, other = _decode(text), _decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return False
    if value == other:
        return True
    return isinstance(other, dict) and cast("dict[str, Any]", other) == {"result": value}
