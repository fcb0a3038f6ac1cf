"""Definitions of every shape, and single changes to them, for Hypothesis."""

from __future__ import annotations

import json
from typing import Any, cast

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(TEXTS, VALUES, max_size=3)},
    optional={"required": st.lists(TEXTS, max_size=2), "$defs": VALUES},
)
TOOLS = st.fixed_dictionaries(
    {"name": TEXTS, "inputSchema": SCHEMAS},
    optional={
        "title": TEXTS,
        "description": TEXTS,
        "outputSchema": SCHEMAS,
        "annotations": st.dictionaries(
            st.sampled_from(["title", "readOnlyHint", "destructiveHint", "x-own"]), VALUES
        ),
        "icons": st.lists(st.fixed_dictionaries({"src": TEXTS}), max_size=2),
        "_meta": st.dictionaries(TEXTS, VALUES, max_size=2),
        "execution": st.fixed_dictionaries({"taskSupport": TEXTS}),
        "somethingNew": VALUES,
    },
)


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with one change, somewhere."""
    ways = ["here"]
    if isinstance(value, dict | list) and value:
        ways = ["inside", "inside", "inside", "here"]
    if draw(st.sampled_from(ways)) == "here":
        return draw(_another(value))
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        key = draw(st.sampled_from(sorted(members)))
        return {**members, key: draw(changed(members[key]))}
    items = list(cast("list[Any]", value))
    at = draw(st.integers(0, len(items) - 1))
    items[at] = draw(changed(items[at]))
    return items


@st.composite
def _another(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict):
        members = dict(cast("dict[str, Any]", value))
        if members and draw(st.booleans()):
            del members[draw(st.sampled_from(sorted(members)))]
            return members
        key = draw(TEXTS.filter(lambda one: one not in members))
        return {**members, key: draw(VALUES)}
    if isinstance(value, list):
        items = list(cast("list[Any]", value))
        if items and draw(st.booleans()):
            return items[:-1]
        return [*items, draw(VALUES)]
    if isinstance(value, str):
        at = draw(st.integers(0, len(value)))
        added = draw(st.characters(exclude_categories=["Cs"]))
        return value[:at] + added + value[at:]
    return draw(VALUES.filter(lambda other: not same(other, value)))


def same(one: Any, other: Any) -> bool:
    """Whether JSON has one value for both: 1 and 1.0 are one number, true and 1 are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return (type(one) is type(other) and one == other) or (
        isinstance(one, int | float) and isinstance(other, int | float) and one == other
    )
