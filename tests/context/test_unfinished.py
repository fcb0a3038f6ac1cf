"""JSON that breaks off is read as far as it goes, and never further."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context.unfinished import MOST_READ, begun

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
DOCUMENTS = st.lists(VALUES, min_size=1, max_size=4) | st.dictionaries(
    st.text(max_size=4), VALUES, min_size=1, max_size=4
)


def within(part: Any, whole: Any) -> bool:
    """Whether a part is what a whole begins with, down to the last text."""
    if isinstance(part, dict):
        names = list(whole)[: len(part)] if isinstance(whole, dict) else None
        return list(part) == names and all(within(part[one], whole[one]) for one in part)
    if isinstance(part, list):
        return isinstance(whole, list) and len(part) <= len(whole) and all(map(within, part, whole))
    if isinstance(part, str):
        return isinstance(whole, str) and (part == whole or "\\" in part or whole.startswith(part))
    # Of a number that is cut, digits are there.
    return type(part) in (int, float) or part == whole


@given(DOCUMENTS, st.data(), st.sampled_from([None, 1]))
@settings(max_examples=80, deadline=None)
def test_what_is_read_of_a_beginning_is_the_beginning(value: Any, data: Any, indent: Any) -> None:
    text = json.dumps(value, indent=indent)
    cut = data.draw(st.integers(0, len(text)))
    found = begun(text[:cut])
    if cut == len(text):
        assert found is not None
        assert found.closed
        assert found.value == value
    if found is not None:
        assert found.end <= cut
        assert found.closed is (cut == len(text))
        assert within(found.value, value)


@given(st.text(alphabet='{}[]",: \\u1tn\n', max_size=60))
@settings(max_examples=80, deadline=None)
def test_nothing_makes_it_fail(text: str) -> None:
    found = begun(text)
    assert found is None or found.end <= len(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":[1,{"b":"hal', {"a": [1, {"b": "hal"}]}),
        ('{"a":1,"b', {"a": 1}),
        ('{"a":1,"b":', {"a": 1}),
        ("[1,2,tru", [1, 2]),
        ('["a\\u00', ["a\\u00"]),
        ('["one\nline"', ["one\nline"]),
    ],
)
def test_where_it_breaks_off(text: str, value: Any) -> None:
    found = begun(text)
    assert found is not None
    assert (found.value, found.closed) == (value, False)


@pytest.mark.parametrize("text", ["", "words", "{", "[", "[link](x)", '"text"', "12", "{]", "[}"])
def test_what_is_no_array_and_no_object_is_nothing(text: str) -> None:
    assert begun(text) is None


def test_what_follows_is_left() -> None:
    found = begun("see: [1, 2] and so on", 5)
    assert found is not None
    assert (found.value, found.end, found.closed) == ([1, 2], 11, True)


def test_it_is_bounded() -> None:
    found = begun(json.dumps(["x" * 90] * 10_000))
    assert found is not None
    assert found.end <= MOST_READ
    deep = begun("[" * 100_000)
    assert deep is not None
    assert deep.end < 100
