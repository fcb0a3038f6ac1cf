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
    names    further members of the object at the top, by their names alone.
    """

    text: int
    first: int
    members: int
    deep: int
    names: int = 0


SCALES: Final = (
    Scale(400, 8, 60, 8, 200),
    Scale(200, 5, 40, 6, 200),
    Scale(120, 3, 40, 6, 120),
    Scale(80, 2, 30, 5, 120),
    Scale(60, 2, 20, 5, 80),
    Scale(60, 1, 24, 4, 60),
    Scale(40, 1, 16, 4, 60),
    Scale(40, 1, 12, 3, 60),
    Scale(24, 1, 10, 3, 40),
    Scale(16, 1, 8, 2, 30),
    Scale(16, 1, 4, 2, 20),
    Scale(12, 0, 6, 1, 8),
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
        return _names(value, scale)
    shown = list(value)[: scale.members]
    drawn = [
        f"{quoted(name, _LONG_NAME)}:{_drawn(value[name], scale, depth + 1)}" for name in shown
    ]
    left = len(value) - len(shown)
    if left and not depth:
        # What there is at the top is worth more than what is in it.
        names = list(value)[scale.members : scale.members + scale.names]
        drawn += [quoted(name, _LONG_NAME) for name in names]
        left -= len(names)
    if left:
        drawn.append(f"…{left} more of {len(value)} members")
    return "{" + ",".join(drawn) + "}"


def _names(value: dict[str, Any], scale: Scale) -> str:
    """An object that is too far down: what its first members are called."""
    shown = list(value)[: scale.members // 2 if scale.names else 0]
    drawn = [quoted(name, _LONG_NAME) for name in shown]
    if len(value) > len(shown):
        drawn.append(f"…{len(value) - len(shown)} {'more ' if shown else ''}members")
    return "{" + ",".join(drawn) + "}"


def _array(value: list[Any], scale: Scale, depth: int) -> str:
    if not value:
        return "[]"
    if depth >= scale.deep or not scale.first:
        return f"[…{len(value)} items]"
    if depth + 1 >= scale.deep and len(value) > 1 and isinstance(value[0], dict):
        # One says what all of them are.
        more = f"{len(value) - 1} more items" if len(value) > 2 else "1 more item"
        return f"[{_drawn(value[0], scale, depth + 1)},…{more}]"
    if len(value) <= scale.first + 2:
        return "[" + ",".join(_drawn(one, scale, depth + 1) for one in value) + "]"
    first = [_drawn(one, scale, depth + 1) for one in value[: scale.first]]
    first.append(f"…{len(value) - scale.first - 1} more items of {len(value)}…")
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
