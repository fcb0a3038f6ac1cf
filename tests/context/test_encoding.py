"""JSON in fewer characters, and nothing lost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.context.exactly import read_exactly
from lockgate.context.encoding import (
    MOST_ESCAPED,
    columnar,
    expanded,
    may_be_shorter,
    minified,
    same,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"a": inner, "b": inner}), min_size=3, max_size=4)
    ),
    max_leaves=15,
)


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


SPACE = st.sampled_from(["", "", " ", "\n", "\t ", "\r\n  "])
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
ESCAPES = st.sampled_from(
    ["\\u00e9", "\\u4F60", "\\ud83d\\ude00", "\\u202e", "\\u0022", "\\u005c", "\\\\u00e9", "\\/"]
)
LETTERS = st.sampled_from(["a", "é", " ", "\\n", "\\u0041", "{", ":", "你"]) | ESCAPES


@st.composite
def written(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON as somebody may have written it: members twice, numbers and escapes of every kind."""
    space = draw(SPACE)
    kind = draw(st.sampled_from(("number", "text", "array", "object") if depth else ("text",)))
    if kind == "number":
        return space + draw(NUMBERS)
    if kind == "text":
        return f'{space}"{"".join(draw(st.lists(LETTERS, max_size=4)))}"'
    inner = written(depth - 1)
    if kind == "array":
        return f"{space}[{','.join(draw(st.lists(inner, max_size=3)))}{draw(SPACE)}]"
    names = st.sampled_from(['"a"', ' "a" ', '"\\u0061"', '"b"'])
    members = draw(st.lists(st.tuples(names, inner), max_size=3))
    return f"{space}{{{','.join(f'{name}:{one}' for name, one in members)}{draw(SPACE)}}}"


@given(text=written())
@settings(max_examples=120, deadline=None)
def test_numbers_members_and_letters_are_the_same_however_they_were_written(text: str) -> None:
    short = minified(text)
    if short is not None:
        assert read_exactly(short) == read_exactly(text)
    table = columnar(text)
    if table is not None:
        # What has a member twice is in no table, so nothing of it is lost.
        assert expanded(exact(table)) == exact(text)


def test_what_nobody_sees_stays_escaped() -> None:
    assert (
        minified('[ "\\u202e\\u0041", "\\u200b", "\\u0007"]') == '["\\u202eA","\\u200b","\\u0007"]'
    )
    assert minified('[ "\\u0022\\u005c", "\\\\u00e9"]') == '["\\u0022\\u005c","\\\\u00e9"]'


def test_what_is_there_twice_and_what_is_less_than_nothing_stay() -> None:
    assert minified('{"a": -0, "a": 1, "\\u00e9": 2}') == '{"a":-0,"a":1,"é":2}'
    assert columnar('[{"a":1,"a":2,"b":1},{"a":1,"b":2},{"a":1,"b":3}]') is None
    assert columnar('[{"a":-0,"b":1},{"a":1,"b":2},{"a":1,"b":3}]') is None


@given(value=VALUES, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
@settings(max_examples=150, deadline=None)
def test_without_space_it_says_the_same(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    short = minified(text)
    if short is not None:
        assert len(short) < len(text)
        assert exact(short) == exact(text)


@given(value=VALUES)
@settings(max_examples=150, deadline=None)
def test_by_columns_it_says_the_same(value: Any) -> None:
    text = json.dumps(value)
    table = columnar(text)
    if table is not None:
        assert expanded(exact(table)) == exact(text)
        assert expanded(json.loads(table)) == value


def test_numbers_keep_their_digits() -> None:
    rows = (
        '[{"p": 1.10, "n": 12345678901234567890123}, ' * 1
        + '{"p": 1e5, "n": 0.30}, {"p": -0.0, "n": 7}]'
    )
    assert minified(rows) == rows.replace(" ", "")
    assert columnar(rows) == (
        '{"cols":["p","n"],"rows":[[1.10,12345678901234567890123],[1e5,0.30],[-0.0,7]]}'
    )


def test_escapes_become_letters() -> None:
    assert minified('["\\u00e9\\u4f60"]') == '["é你"]'
    # Half a pair stays what it is.
    assert minified('["\\ud800"]') in (None, '["\\ud800"]')


@pytest.mark.parametrize(
    "text", ["", "plain", "{", "[1,]", "# head\n- a", '{"a":1}', "[" * 5000 + "]" * 5000, "12"]
)
def test_what_is_no_json_or_short_already_is_left_alone(text: str) -> None:
    assert minified(text) is None
    assert columnar(text) is None


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1}, {"a": 2}],
        [{"a": 1}, {"a": 2}, {"b": 3}],
        [{"a": 1, "b": 2}, {"b": 1, "a": 2}, {"a": 1, "b": 2}],
        [{}, {}, {}],
        [{"cols": ["a"], "rows": [[1]]}] * 3,
        {"t": [{"a": 1}] * 3, "u": {"cols": [], "rows": []}},
        [[1, 2]] * 5,
    ],
)
def test_what_is_no_table_stays(value: Any) -> None:
    assert columnar(json.dumps(value)) is None


def test_a_long_text_is_not_looked_at_for_tables() -> None:
    assert columnar(json.dumps([{"a": "x" * 100}] * 1000)) is None


def test_escapes_of_a_long_text_stay() -> None:
    long = json.dumps(["é" * MOST_ESCAPED], indent=1)
    short = minified(long)
    assert short is not None
    assert "\\u00e9" in short


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ('{"a": 1}', True),
        ("[\n  1]", True),
        ('{"a":1}', False),
        ("[link](x) and words", False),
        ("plain words", False),
    ],
)
def test_what_may_be_shorter_is_told_by_its_beginning(text: str, may: bool) -> None:
    result = {"content": [{"type": "text", "text": text}]}
    assert may_be_shorter(json.dumps(result).encode()) is may
    assert may_be_shorter(json.dumps(result, separators=(",", ":")).encode()) is may
    assert not may_be_shorter(b'{"content":[]}')


def test_same() -> None:
    assert same('{ "a": 1 }', b'{"a":1}')
    assert same("[1, 2]", b'{"result":[1,2]}')
    assert not same('{"a": 1}', b'{"result":"{\\"a\\": 1}"}')
    assert not same("{", b"{}")
