"""Conditions on the arguments of a call, each read in two ways: to allow, and to forbid.

Must not know: rules, principals, where arguments come from. What a server makes of a value is not
known here (it may take "5" for 5, or a list for its only item), so a condition that allows has to
hold for certain, and one that forbids need only be possible:

    | the value                    | a condition that allows     | a condition that forbids        |
    |------------------------------|-----------------------------|---------------------------------|
    | is absent or null            | does not hold               | holds only where it is `not`    |
    | is a list                    | holds for every item        | holds for any item              |
    | is of a kind not asked about | does not hold               | holds                           |
    | is a number, written as text | is no number                | is that number                  |
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any, Final, cast

import msgspec

from lockgate.core.targets import Words

Scalar = str | int | float | bool
MOST_VALUES: Final = 1000
_ABSENT: Final = object()


class Among(msgspec.Struct, frozen=True):
    """Values one may be: strings by pattern, everything else as it is."""

    words: Words
    others: tuple[int | float | bool, ...] = ()

    def has(self, value: object) -> bool:
        """Whether it is certainly one of them."""
        if isinstance(value, str):
            return value in self.words
        return any(type(value) is type(one) and value == one for one in self.others)

    def may_have(self, value: object) -> bool:
        """Whether a server may take it for one of them."""
        if isinstance(value, bool | int | float):
            text = msgspec.json.encode(value).decode()
            return self.has(value) or value in self.others or text in self.words
        if isinstance(value, str):
            return value in self.words or any(_reads_as(value, one) for one in self.others)
        return True


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What has to hold for one argument; all that is set has to.

    path      the keys that lead to it.
    text      how it is written, for people.
    among     what it is.
    never     what it is not.
    at_least, at_most  its bounds, as a number.
    within    folders, in one of which it lies, as a path.
    present   whether it is there at all.
    """

    path: tuple[str, ...]
    text: str = ""
    among: Among | None = None
    never: Among | None = None
    at_least: float | None = None
    at_most: float | None = None
    within: tuple[str, ...] = ()
    present: bool | None = None

    def holds(self, arguments: object) -> bool:
        """Whether it holds for certain: the reading of who allows."""
        values = _values(arguments, self.path)
        if self.present is not None:
            return self.present is bool(values)
        return bool(values) and all(map(self._fits, values))

    def may_hold(self, arguments: object) -> bool:
        """Whether it is possible that it holds: the reading of who forbids."""
        values = _values(arguments, self.path)
        if self.present is not None:
            return self.present is bool(values)
        return any(map(self._may_fit, values or (_ABSENT,)))

    def _fits(self, value: object) -> bool:
        if value is _ABSENT:
            return False
        if self.among is not None and not self.among.has(value):
            return False
        if self.never is not None:
            scalar = isinstance(value, str | int | float)
            if not scalar or self.never.may_have(value):
                return False
        if self.at_least is not None or self.at_most is not None:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not self._bounded(cast("float", value)):
                return False
        return not self.within or any(_inside(value, folder) for folder in self.within)

    def _may_fit(self, value: object) -> bool:
        if value is _ABSENT:
            return self.never is not None
        if self.among is not None and not self.among.may_have(value):
            return False
        if self.never is not None and self.never.has(value):
            return False
        if self.at_least is not None or self.at_most is not None:
            number = _number(value)
            if number is not None and not self._bounded(number):
                return False
        return not self.within or any(_may_be_inside(value, folder) for folder in self.within)

    def _bounded(self, number: float) -> bool:
        low, high = self.at_least, self.at_most
        return (low is None or number >= low) and (high is None or number <= high)


def all_hold(conditions: Sequence[Condition], arguments: object) -> bool:
    """Whether all hold for certain; what is no object holds nothing."""
    if not conditions:
        return True
    return isinstance(arguments, dict) and all(
        one.holds(cast("object", arguments)) for one in conditions
    )


def all_may_hold(conditions: Sequence[Condition], arguments: object) -> bool:
    """Whether all may hold; of what is no object anything may."""
    if not conditions or not isinstance(arguments, dict):
        return True
    return all(one.may_hold(cast("object", arguments)) for one in conditions)


def _values(arguments: object, path: Sequence[str]) -> list[object]:
    """What is at the path: the items of a list one by one; nothing when it is absent or null."""
    found: list[object] = []
    for value in _walk(arguments, path):
        if len(found) >= MOST_VALUES:
            # Nobody judges so many; one more that nobody can judge stands for the rest.
            return [*found, {}]
        found.append(value)
    return [] if all(value is _ABSENT for value in found) else found


def _walk(value: object, path: Sequence[str]) -> Iterator[object]:
    if isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _walk(one, path)
    elif value is None:
        yield _ABSENT
    elif not path:
        yield value
    elif isinstance(value, dict):
        yield from _walk(cast("dict[str, Any]", value).get(path[0]), path[1:])
    else:
        yield _ABSENT


def _number(value: object) -> float | None:
    """The number a server may take it for."""
    if isinstance(value, str | int | float):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return None if isnan(number) else number
    return None


def _reads_as(text: str, one: float) -> bool:
    """Whether a text may be taken for a number, or in whatever way for true or false."""
    return isinstance(one, bool) or _number(text) == one


def _inside(value: object, folder: str) -> bool:
    """Whether a path lies in a folder, however it is followed."""
    if not isinstance(value, str) or "\0" in value:
        return False
    steps = value.replace("\\", "/").split("/")
    return ".." not in steps and _below(value.replace("\\", "/"), folder)


def _may_be_inside(value: object, folder: str) -> bool:
    return not isinstance(value, str) or _below(value.replace("\\", "/"), folder)


def _below(path: str, folder: str) -> bool:
    plain, root = _plain(path), _plain(folder)
    return plain == root or plain.startswith(root.rstrip("/") + "/")


def _plain(path: str) -> str:
    plain = posixpath.normpath(path)
    # POSIX lets exactly two leading slashes mean something of their own; here nobody does.
    return plain[1:] if plain.startswith("//") else plain
