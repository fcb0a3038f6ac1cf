"""JSON in fewer characters: without space, and tables by columns.

Must not know: where a text comes from, or whether it may be changed.

Numbers keep their digits, strings their meaning, objects their members and the order of these.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import msgspec

FEWEST_ROWS: Final = 3
COLUMNS: Final = "cols"
ROWS: Final = "rows"
MOST_COLUMNAR: Final = 64 * 1024
"""Characters of a text that is looked at for tables: some milliseconds."""

MOST_MINIFIED: Final = 256 * 1024
"""Characters of a text that is minified where nobody asked for it: three milliseconds."""
MOST_ESCAPED: Final = 64 * 1024
"""Characters of a text whose escapes are looked at: each takes a microsecond."""
# Whatever a backslash stands before, so that one which is escaped itself begins none.
_ESCAPES: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|[^u])")
_TEXT: Final = b'"text":'
_LOOK: Final = 128
_LINE: Final = b"\\n"
_NAME: Final = b'\\": '
"""The end of a line, and the space behind a name, as they are written within a string."""
_decode: Final = msgspec.json.Decoder().decode
# Digits as they were written, which no float has.
_exact: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode
_encode: Final = msgspec.json.Encoder().encode


def minified(text: str) -> str | None:
    """A JSON text without needless space; None: it is none, or has none to lose. Linear.

    Of each string only the escapes change that a reader would write as letters.
    """
    if not text or not (text[0] in '{["' or text[0].isspace()):
        return None
    try:
        short = msgspec.json.format(text, indent=-1)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    if len(short) <= MOST_ESCAPED and "\\u" in short:
        short = _ESCAPES.sub(_letters, short)
    return short if len(short) < len(text) else None


def may_be_shorter(result: bytes) -> bool:
    """Whether the first text of a tool's result begins as JSON does that has something to lose.

    A look at some hundred bytes, whatever the result: JSON that is written with space seldom begins
    otherwise.
    """
    at = result.find(_TEXT)
    if at < 0:
        return False
    head = result[at + len(_TEXT) : at + _LOOK].lstrip(b' "')
    return head[:1] in (b"{", b"[") and (_LINE in head or _NAME in head)


def _letters(escapes: re.Match[str]) -> str:
    """Escapes that stand side by side, as letters; whatever nobody would see stays escaped."""
    found = escapes[0]
    if found[1] != "u":
        return found
    try:
        letters = bytes.fromhex(found.replace("\\u", "")).decode("utf-16-be")
    except UnicodeDecodeError:
        return found  # half a pair
    if letters.isprintable() and '"' not in letters and "\\" not in letters:
        return letters
    return "".join(map(_kept, letters))


def _kept(letter: str) -> str:
    if letter.isprintable() and letter not in ('"', "\\"):
        return letter
    code = letter.encode("utf-16-be").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


def columnar(text: str) -> str | None:
    """A JSON text with its tables written as `{"cols": [...], "rows": [[...], ...]}`.

    A table is a list of at least three objects with the same members in the same order. None: there
    is no table, the text is none or too long, it uses `cols` and `rows` itself, or something in it
    would be written otherwise than it is, such as a member that is there twice.
    """
    if len(text) > MOST_COLUMNAR:
        return None
    try:
        tables = _Tables()
        exact = _exact(text)
        if _encode(exact).decode() != (minified(text) or text):
            return None
        value = tables.written(exact)
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
