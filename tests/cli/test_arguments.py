"""`key=value` words against a tool's schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.cli.arguments import BadArgument, parse

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}}},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"type": ["integer", "string"]},
        "level": {"enum": [1, 2, "high"]},
        "ref": {"$ref": "#/$defs/Count"},
        "dotted.name": {"type": "integer"},
        "any": {},
        "odd": True,
    },
    "$defs": {"Count": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["text=5"], {"text": "5"}),
        (["text=a=b"], {"text": "a=b"}),
        (["text="], {"text": ""}),
        (["count=5"], {"count": 5}),
        (["share=5", "on=yes"], {"share": 5, "on": True}),
        (["on=FALSE"], {"on": False}),
        (["tags=a", "tags=b"], {"tags": ["a", "b"]}),
        (['tags=["a","b"]'], {"tags": ["a", "b"]}),
        (["tags=1"], {"tags": ["1"]}),
        (["sizes=1", "sizes=2"], {"sizes": [1, 2]}),
        (["where.lat=1.5", "where.name=x"], {"where": {"lat": 1.5, "name": "x"}}),
        (['where={"lat": 2}'], {"where": {"lat": 2}}),
        (["maybe=null"], {"maybe": None}),
        (["maybe=3"], {"maybe": 3}),
        (["either=3"], {"either": 3}),
        (["either=x"], {"either": "x"}),
        (["level=2"], {"level": 2}),
        (["level=high"], {"level": "high"}),
        (["ref=3"], {"ref": 3}),
        (["dotted.name=3"], {"dotted.name": 3}),
        (["any=3", "odd=4"], {"any": "3", "odd": "4"}),
        (["text:=5"], {"text": 5}),
        (["any:={}"], {"any": {}}),
    ],
)
def test_values_take_the_declared_type(words: list[str], expected: dict[str, Any]) -> None:
    assert parse(words, SCHEMA, {}) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["count"], "is not key=value"),
        (["=x"], "is not key=value"),
        (["count=x"], "count: 'x' is no integer"),
        (["count=1.5"], "no integer"),
        (["count=true"], "no integer"),
        (["share=NaN"], "no number"),
        (["on=maybe"], "no boolean"),
        (["where=[]"], "no object"),
        (["sizes=x"], "no array"),
        (["cuont=1"], "Did you mean 'count'?"),
        (["zzzzzz=1"], "Known: text, count"),
        (["any:={"], "is no JSON"),
        (["any:=NaN"], "is no JSON"),
    ],
)
def test_what_cannot_be_understood_says_why(words: list[str], message: str) -> None:
    with pytest.raises(BadArgument) as caught:
        parse(words, SCHEMA, {})
    assert message in str(caught.value)


def test_required_arguments() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]}
    with pytest.raises(BadArgument, match="Required and not given: b"):
        parse(["a=1"], schema, {})
    assert parse(["a=1"], schema, {"b": 2}) == {"a": "1", "b": 2}


def test_unknown_arguments_pass_where_the_schema_lets_them() -> None:
    assert parse(["x=1"], {}, {}) == {"x": "1"}
    assert parse(["x=1"], {"properties": {"a": {}}, "additionalProperties": True}, {}) == {"x": "1"}


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "array", "#/a", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "anyOf", "items", "$ref", "enum", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["properties", "required", "a", "$defs"]), odd, max_size=3),
    st.lists(st.sampled_from(["a=1", "a.b=x", "a:=[1]", "b=", 'a={"b":1}', "a"]), max_size=4),
)
def test_an_unsound_schema_never_breaks_it(schema: dict[str, Any], words: list[str]) -> None:
    try:
        json.dumps(parse(words, schema, {}))
    except BadArgument:
        return
