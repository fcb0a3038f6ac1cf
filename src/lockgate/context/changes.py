"""What became of a text, said shortly: JSON by paths, anything else line by line.

Must not know: who was given what, or how many tokens are worth it.

Pure and bounded (`MOST_READ`, `MOST_CHANGES`, `lockgate.context.alignment`). The text before, and
what is said of it, give the text after: letter by letter for lines, value by value for JSON, where
numbers keep their digits and the order of members says nothing.

    | of JSON, one change a line          | means                                          |
    |-------------------------------------|------------------------------------------------|
    | `["=","/items/3/price",12]`         | this value stands there now                    |
    | `["+","/items/4",{"id":9}]`         | a new member, or a new element before that one |
    | `["-","/items/7"]`                  | it is gone                                     |

Changes of an array come from its end to its beginning. So each path is one as it was before, and
they can be made one after the other as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context.alignment import Block, blocks
from lockgate.context.pointer import escaped

MOST_READ: Final = 1024 * 1024
"""Characters of a text that is compared."""
MOST_CHANGES: Final = 200
_MOST_WRITTEN: Final = 8 * MOST_READ
_AROUND: Final = 1
_encode: Final = msgspec.json.Encoder().encode
# Digits as they were written, which no float has.
_exact: Final = msgspec.json.Decoder(float_hook=lambda text: msgspec.Raw(text.encode())).decode


class Changes(NamedTuple):
    """What became of a text.

    kind   how it is said.
    lines  the changes; none where JSON was only written in another way.
    """

    kind: str
    lines: list[str]


class _TooManyError(Exception):
    """More than is worth saying."""


def changes(before: str, after: str, *, json: bool) -> Changes | None:
    """What became of `before`; None: too much, or it cannot be told in time.

    `json`: both are JSON documents.
    """
    if max(len(before), len(after)) > MOST_READ:
        return None
    try:
        return _of_json(before, after) if json else _of_lines(before, after)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError, _TooManyError):
        return None


def _of_json(before: str, after: str) -> Changes:
    found = _Paths()
    found.compare(_exact(before), _exact(after), "")
    return Changes("paths", found.lines)


class _Paths:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._left = _MOST_WRITTEN

    def _say(self, *change: Any) -> None:
        self.lines.append(_encode(change).decode())
        if len(self.lines) > MOST_CHANGES:
            raise _TooManyError

    def compare(self, old: Any, new: Any, path: str) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            self._members(cast("dict[str, Any]", old), cast("dict[str, Any]", new), path)
        elif isinstance(old, list) and isinstance(new, list):
            self._elements(cast("list[Any]", old), cast("list[Any]", new), path)
        elif not _same(cast("object", old), cast("object", new)):
            self._say("=", path, new)

    def _members(self, old: dict[str, Any], new: dict[str, Any], path: str) -> None:
        if old and new and old.keys().isdisjoint(new):
            self._say("=", path, new)
            return
        for key in old:
            if key not in new:
                self._say("-", f"{path}/{escaped(key)}")
        for key, value in new.items():
            there = f"{path}/{escaped(key)}"
            if key in old:
                self.compare(old[key], value, there)
            else:
                self._say("+", there, value)

    def _elements(self, old: list[Any], new: list[Any], path: str) -> None:
        one, other = [_encode(item) for item in old], [_encode(item) for item in new]
        # What stands deep inside is written once for each array around it.
        self._left -= sum(map(len, one)) + sum(map(len, other))
        if self._left < 0:
            raise _TooManyError
        found = blocks(one, other, MOST_CHANGES)
        if found is None:
            # Perhaps there is a little that is new in each of them.
            shorter = min(len(old), len(new))
            found = [Block(shorter, len(old), shorter, len(new))]
            found.insert(0, Block(0, shorter, 0, shorter))
        for block in reversed(found):
            self._block(old, new, block, path)

    def _block(self, old: list[Any], new: list[Any], block: Block, path: str) -> None:
        a, b, c, d = block
        both = min(b - a, d - c)
        for at in range(b - 1, a + both - 1, -1):
            self._say("-", f"{path}/{at}")
        for at in range(d - 1, c + both - 1, -1):
            self._say("+", f"{path}/{a + both}", new[at])
        for at in range(both - 1, -1, -1):
            self.compare(old[a + at], new[c + at], f"{path}/{a + at}")


def _same(old: object, new: object) -> bool:
    if isinstance(old, msgspec.Raw) and isinstance(new, msgspec.Raw):
        return bytes(old) == bytes(new)
    return type(old) is type(new) and old == new


def _of_lines(before: str, after: str) -> Changes | None:
    """A unified diff, with one line around each change."""
    old, new = before.split("\n"), after.split("\n")
    found = blocks(old, new, MOST_CHANGES)
    if found is None:
        return None
    lines: list[str] = []
    for hunk in _hunks(found):
        lines += _hunk(old, new, hunk)
    return Changes("lines", lines)


def _hunks(found: Sequence[Block]) -> list[list[Block]]:
    """Blocks, together where what is around them meets."""
    hunks: list[list[Block]] = []
    for block in found:
        if hunks and block.a - hunks[-1][-1].b <= 2 * _AROUND:
            hunks[-1].append(block)
        else:
            hunks.append([block])
    return hunks


def _hunk(old: Sequence[str], new: Sequence[str], hunk: Sequence[Block]) -> list[str]:
    begin = max(hunk[0].a - _AROUND, 0)
    end = min(hunk[-1].b + _AROUND, len(old))
    shift = hunk[0].c - hunk[0].a
    lines: list[str] = []
    at = begin
    for a, b, c, d in hunk:
        lines += [f" {line}" for line in old[at:a]]
        lines += [f"-{line}" for line in old[a:b]]
        lines += [f"+{line}" for line in new[c:d]]
        at = b
    lines += [f" {line}" for line in old[at:end]]
    was = end - begin
    now = was + sum((d - c) - (b - a) for a, b, c, d in hunk)
    return [f"@@ -{begin + 1},{was} +{begin + shift + 1},{now} @@", *lines]
