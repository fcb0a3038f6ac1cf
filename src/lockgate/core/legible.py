"""JSON as it may be shown to a person who has to decide on it.

Must not know: who is shown what, or why. Nothing invisible is left invisible, nothing looks like
more lines than it is, and what is left out is said to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import msgspec

MASK: Final = "********"
LONGEST: Final = 500
_encode = msgspec.json.Encoder().encode

Hidden = Callable[[str], bool]
"""Whether what stands under a name must not be shown."""


def visible(text: str) -> str:
    """The text with everything escaped that is no printable character, line breaks included."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters of a text, and how many there are."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text)} characters in all)"


def lines(value: object, hidden: Hidden, most: int) -> list[str]:
    """The members of an object, one a line, as `name: value`; at most so many characters in all.

    Anything else is one line.
    """
    if not isinstance(value, dict):
        return [shortened(written(value, hidden), min(most, LONGEST))]
    members = cast("dict[str, object]", value)
    shown: list[str] = []
    left = most
    for number, (name, one) in enumerate(members.items()):
        text = MASK if hidden(name) else written(one, hidden)
        line = f"{shortened(visible(name), 100)}: {shortened(text, LONGEST)}"
        if left < len(line):
            shown.append(f"… and {len(members) - number} more")
            break
        left -= len(line)
        shown.append(line)
    return shown


def written(value: object, hidden: Hidden) -> str:
    """A value as JSON on one line, without what is hidden."""
    return visible(_encode(_without(value, hidden)).decode())


def _without(value: object, hidden: Hidden) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {k: MASK if hidden(k) else _without(v, hidden) for k, v in members.items()}
    if isinstance(value, list):
        return [_without(one, hidden) for one in cast("list[object]", value)]
    return value
