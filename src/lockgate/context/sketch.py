"""A JSON value drawn small: its shape, counts, the first and last of what is many. Pure.

Must not know: tokens, or where the value comes from.

What is drawn reads like JSON and is none: what is left out is said where it was, with how much it
is. How much is drawn is a `Scale`; the scales of `SCALES` go from generous to sparse, and whoever
has to keep to a budget takes the first that fits.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_LONG_NAME: Final = 80


class Scale(NamedTuple):
    """How much is drawn.

    text     characters of one string.
    first    elements at the beginning of an array; one more is drawn at its end.
    members  members of an object.
    deep     how far down.
    """

    text: int
    first: int
    members: int
    deep: int


SCALES: Final = (
    Scale(400, 8, 60, 8),
    Scale(200, 5, 40, 6),
    Scale(120, 3, 40, 6),
    Scale(80, 2, 30, 5),
    Scale(60, 1, 24, 4),
    Scale(40, 1, 16, 3),
    Scale(24, 1, 10, 3),
    Scale(16, 1, 8, 2),
    Scale(12, 0, 6, 1),
)


def sketch(value: Any, scale: Scale) -> str:
    """The value, drawn at this scale."""
    return _drawn(value, scale, 0)


def _drawn(value: Any, scale: Scale, depth: int) -> str:
    if isinstance(value, str):
        return quoted(value, scale.text)
    if isinstance(value, dict):
        return _object(cast("dict[str, Any]", value), scale, depth)
    if isinstance(value, list):
        return _array(cast("list[Any]", value), scale, depth)
    # A number may be as long as a text.
    written = _encode(value).decode()
    return written if len(written) <= _LONG_NAME else f"{written[:_LONG_NAME]}…"


def _object(value: dict[str, Any], scale: Scale, depth: int) -> str:
    if depth >= scale.deep:
        return f"{{…{len(value)} members}}" if value else "{}"
    shown = list(value)[: scale.members]
    drawn = [
        f"{quoted(name, _LONG_NAME)}:{_drawn(value[name], scale, depth + 1)}" for name in shown
    ]
    if len(value) > len(shown):
        drawn.append(f"…{len(value) - len(shown)} more members")
    return "{" + ",".join(drawn) + "}"


def _array(value: list[Any], scale: Scale, depth: int) -> str:
    if not value:
        return "[]"
    if depth >= scale.deep or not scale.first:
        return f"[…{len(value)} items]"
    if len(value) <= scale.first + 2:
        return "[" + ",".join(_drawn(one, scale, depth + 1) for one in value) + "]"
    first = [_drawn(one, scale, depth + 1) for one in value[: scale.first]]
    first.append(f"…{len(value) - scale.first - 1} more items…")
    first.append(_last(value, scale, depth))
    return "[" + ",".join(first) + "]"


def _last(value: list[Any], scale: Scale, depth: int) -> str:
    """The last element; in short where the first says what there is of each."""
    first, last = value[0], value[-1]
    if isinstance(first, dict) and isinstance(last, dict) and first.keys() == last.keys():
        sparse = Scale(min(scale.text, 30), 1, min(scale.members, 3), min(scale.deep, depth + 2))
        return _drawn(last, sparse, depth + 1)
    return _drawn(last, scale, depth + 1)


def quoted(text: str, most: int) -> str:
    """A string of JSON, cut after `most` characters, with how many it has."""
    if len(text) <= most + most // 4 + 8:
        return _encode(text).decode()
    return f'{_encode(text[:most]).decode()[:-1]}…"({len(text)} characters)'
