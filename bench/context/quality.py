"""How much of what it takes to read on a preview says.

Must not know: how previews are made. What there is to be said is worked out here from the whole.

    | measure | of a result                          | is                                         |
    |---------|--------------------------------------|--------------------------------------------|
    | names   | JSON: its members, or those of its   | the share that is named; of a document of  |
    |         | elements; a table: its columns; else | over `MOST_NAMES` the first of them        |
    |         | its headings                         |                                            |
    | number  | its elements, rows, or characters    | whether the number is there                |
    | first   | its first value, cell or words       | whether it is there                        |
    | last    | its last value, cell or words        | whether it is there                        |
    | rest    | what is not shown                    | whether there is an id and a way to it     |
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import mean as average
from typing import Any, Final, NamedTuple, cast

MOST_NAMES: Final = 30
_WORDS: Final = 16
_READ: Final = re.compile(r'\w+\(id="[a-z2-7]{24}"\) reads any part: offset/limit, grep')


class Good(NamedTuple):
    """What is said of one result, each from 0 to 1; None: there is nothing to say."""

    names: float | None
    number: float
    first: float
    last: float
    rest: float


def judged(text: str, shown: str) -> Good:
    """How good `shown` is in the place of `text`."""
    rest = float(_READ.search(shown) is not None)
    value = _document(text)
    if value is not None:
        return _of_json(value, shown, rest)
    words = text.split()
    numbers = {str(len(text)), str(text.count("\n") + 1)}
    return Good(
        _named(_columns(text) or _headings(text), shown),
        float(any(one in shown for one in numbers)),
        float(_flat(" ".join(words)[:_WORDS]) in _flat(shown)),
        float(_flat(" ".join(words)[-_WORDS:]) in _flat(shown)),
        rest,
    )


def mean(goods: Sequence[Good]) -> dict[str, float]:
    """Of each measure."""
    found: dict[str, float] = {}
    for name in Good._fields:
        said = [cast("float | None", getattr(each, name)) for each in goods]
        there = [one for one in said if one is not None]
        if there:
            found[name] = round(average(there), 3)
    return found


def _document(text: str) -> Any:
    """A JSON document; of one that was cut, whatever can be had of it by closing what is open."""
    try:
        return json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except ValueError:
        return _mended(text)


def _mended(text: str) -> Any:
    """The longest beginning that is a document once it is closed, looked for at its last commas."""
    cuts = [one.start() for one in re.finditer(",", text)][-60:]
    for cut in reversed(cuts):
        begin = text[:cut]
        quoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", begin)
        closing = ""
        for mark in quoted:
            if mark in "{[":
                closing = ("}" if mark == "{" else "]") + closing
            elif mark in "}]":
                closing = closing[1:]
        try:
            return json.loads(begin + closing)
        except ValueError:
            continue
    return None


def _of_json(value: Any, shown: str, rest: float) -> Good:
    first, last = _first(value), _last(value)
    return Good(
        _named(_members(value), shown),
        float(str(len(value)) in shown),
        float(_flat(first)[:_WORDS] in _flat(shown)),
        float(_flat(last)[:_WORDS] in _flat(shown)),
        rest,
    )


def _members(value: Any) -> list[str]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value))
    items = cast("list[Any]", value)
    return list(cast("dict[str, Any]", items[0])) if items and isinstance(items[0], dict) else []


def _first(value: Any) -> str:
    """The first scalar there is."""
    while isinstance(value, (dict, list)) and value:
        value = next(iter(cast("Any", value).values() if isinstance(value, dict) else value))
    return value if isinstance(value, str) else json.dumps(value)


def _last(value: Any) -> str:
    """Of an array the first scalar of the last element; of an object its last member's name."""
    if isinstance(value, list):
        return _first(cast("list[Any]", value)[-1:])
    members = list(cast("dict[str, Any]", value))
    return members[min(len(members), MOST_NAMES) - 1] if members else ""


def _columns(text: str) -> list[str]:
    lines = text.split("\n", 8)[:8]
    for mark in ("|", ","):
        for line, following in pairwise(lines):
            cells = [one.strip() for one in line.strip(" |").split(mark)]
            if len(cells) > 2 and line.count(mark) == following.count(mark) and all(cells):
                return cells
    return []


def _headings(text: str) -> list[str]:
    found = re.findall(r"(?:\A|\n\n)(#{1,2} [^\n]{1,80})", text)
    return cast("list[str]", found) if len(found) > 1 else []


def _named(names: Sequence[str], shown: str) -> float | None:
    asked = names[:MOST_NAMES]
    return average(float(one in shown) for one in asked) if asked else None


def _flat(text: str) -> str:
    return re.sub(r"[\s\\|]+", "", text)
