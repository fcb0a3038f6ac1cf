"""Schemas and values of strangers, held against each other: what is found, and at what cost."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.guard.schemas.counted import MOST_VISITS, PURSE
from lockgate.guard.schemas.schema import TOO_MUCH, Checked, Schemas, compiled
from lockgate.guard.schemas.shape import Unusable
from tests.security.controls import holds
from tests.support import effort

QUICK = 1.5
"""Seconds that nothing may take, however hostile; a tenth of it on an idle machine."""


def written(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def of(schema: Any, *, strict: bool = False) -> Checked:
    return compiled(written(schema), strict=strict)


def wrong(schema: Any, value: Any, *, strict: bool = False) -> list[str]:
    return [str(one) for one in of(schema, strict=strict).problems(value, written(value))]


def timed(schema: Any, value: Any) -> tuple[list[str], float]:
    checked, data = of(schema), written(value)
    found: list[str] = []

    def look() -> None:
        found[:] = [str(one) for one in checked.problems(value, data)]

    return found, effort.seconds(look, QUICK)


TOOL = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "maxLength": 8},
        "limit": {"type": "integer", "minimum": 1, "maximum": 5},
        "sort": {"enum": ["up", "down"]},
        "where": {"type": "array", "items": {"type": "object", "required": ["field"]}},
        "mode": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["query"],
}
WORDS: list[tuple[Any, list[str]]] = [
    ({"query": "a", "limit": 2, "sort": "up", "where": [{"field": 1}], "mode": None}, []),
    ({"query": "a", "more": 1}, []),
    ({}, ["`query` is missing"]),
    ({"query": 3}, ["`query` must be a string, not an integer"]),
    ({"query": "a", "limit": "2"}, ["`limit` must be an integer, not a string"]),
    ({"query": "a", "limit": True}, ["`limit` must be an integer, not true or false"]),
    ({"query": "a", "limit": 0}, ["`limit` must be at least 1"]),
    ({"query": "a", "limit": 6}, ["`limit` must be at most 5"]),
    ({"query": "a" * 9}, ["`query` must have at most 8 characters"]),
    ({"query": "a", "sort": "out"}, ['`sort` must be one of "up", "down"']),
    ({"query": "a", "where": [{"field": 1}, {}]}, ["`where[1].field` is missing"]),
    ({"query": "a", "mode": 3}, ["`mode` fits none of the forms that are allowed"]),
    ([], ["must be an object, not a list"]),
    ({"limit": "x", "sort": 1}, ["`query` is missing", "`limit` must be an integer, not a string",
                                  '`sort` must be one of "up", "down"']),
]  # fmt: skip


@pytest.mark.parametrize(("value", "said"), WORDS)
def test_what_is_wrong_is_said_so_that_it_can_be_corrected(value: Any, said: list[str]) -> None:
    assert wrong(TOOL, value) == said


def test_no_value_is_quoted_and_nothing_invisible_is_left() -> None:
    schema = {"properties": {"key": {"const": "a\u202eb"}, "n": {"maximum": 1}}}
    said = " ".join(wrong(schema, {"key": "s3cret", "n": 77123}))
    assert "s3cret" not in said
    assert "77123" not in said
    assert "\u202e" not in said


def test_strict_refuses_what_is_not_named() -> None:
    extra = {"query": "a", "sidenote": "x"}
    assert wrong(TOOL, extra, strict=True) == ['has a member that is not known: "sidenote"']
    assert wrong({**TOOL, "additionalProperties": True}, extra, strict=True) == []
    draft7 = {"$schema": "http://json-schema.org/draft-07/schema#", **TOOL}
    assert wrong(draft7, extra, strict=True) == ['has a member that is not known: "sidenote"']
    parts = {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}
    assert wrong(parts, {"a": 1, "b": 2}, strict=True) == []
    assert wrong(parts, {"c": 1}, strict=True) == ['has a member that is not known: "c"']


def test_dialects_are_told_apart() -> None:
    bounds = {"properties": {"n": {"minimum": 1, "exclusiveMinimum": True}}}
    old = {"$schema": "http://json-schema.org/draft-04/schema#", **bounds}
    assert wrong(old, {"n": 1})
    assert wrong(old, {"n": 2}) == []
    with pytest.raises(Unusable) as invalid:
        of(bounds)
    assert invalid.value.why == "invalid"
    items = {"items": [{"type": "string"}]}
    assert wrong({"$schema": "http://json-schema.org/draft-07/schema#", **items}, [1])
    assert wrong({"prefixItems": [{"type": "string"}]}, [1])


UNUSABLE: list[tuple[Any, str]] = [
    ({"type": "any"}, "invalid"),
    ({"required": True}, "invalid"),
    ({"properties": {"a": {"pattern": "("}}}, "invalid"),
    ([], "invalid"),
    ("string", "invalid"),
    (None, "invalid"),
    ({"$schema": 3}, "invalid"),
    ({"$schema": "urn:unknown"}, "dialect"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, "dialect"),
    ({"$ref": "http://127.0.0.1:1/schema.json"}, "reference"),
    ({"properties": {"a": {"$ref": "https://example.com/a.json#/b"}}}, "reference"),
    ({"$ref": "file:///etc/passwd"}, "reference"),
    ({"$ref": "other.json"}, "reference"),
    ({"$ref": "#/$defs/missing"}, "reference"),
    ({"const": {"a": 1}, "allOf": [{"$ref": "#/const"}]}, "reference"),
    ({"enum": [str(one) for one in range(100_000)]}, "too-large"),
    ({"enum": [0] * 30_000}, "too-large"),
    ({"properties": {str(one): {"pattern": f"^a{one}(b|c)"} for one in range(200)}}, "too-large"),
]


@pytest.mark.parametrize(("schema", "why"), UNUSABLE)
def test_what_nothing_can_be_checked_by_says_why(schema: Any, why: str) -> None:
    with pytest.raises(Unusable) as refused:
        of(schema)
    assert refused.value.why == why


def test_deep_schemas_are_refused_before_they_are_read() -> None:
    deep = b'{"properties":{"a":' * 100_000 + b"{}" + b"}}" * 100_000
    with pytest.raises(Unusable) as refused:
        compiled(deep[: 200 * 1024])
    assert refused.value.why == "too-large"


def doubled(keyword: str, times: int) -> Any:
    """A schema that looks at one place 2 ** times times."""
    defs: dict[str, Any] = {"l0": {"type": "string"}}
    for one in range(1, times):
        twice = {"$ref": f"#/$defs/l{one - 1}"}
        defs[f"l{one}"] = {keyword: [twice, twice]}
    return {"$defs": defs, "properties": {"a": {"$ref": f"#/$defs/l{times - 1}"}}}


def branching() -> Any:
    """A schema that looks at each level of a value twice as often as at the one before."""
    node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"]}
    return {"$defs": {"n": {"anyOf": [node, {**node, "minProperties": 1}]}}, "$ref": "#/$defs/n"}


def nested(depth: int) -> Any:
    value: Any = {"z": 1}
    for _ in range(depth):
        value = {"a": value}
    return value


@holds(31)
@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
@pytest.mark.parametrize("value", ["x", 1])
def test_a_schema_cannot_make_a_check_endless(keyword: str, value: Any) -> None:
    for times in (6, 40):
        _, seconds = timed(doubled(keyword, times), {"a": value})
        assert seconds < QUICK


def test_what_is_refused_for_its_cost_says_so() -> None:
    found, seconds = timed(doubled("allOf", 40), {"a": "x"})
    assert found == [str(TOO_MUCH)]
    assert seconds < QUICK
    assert timed(doubled("allOf", 6), {"a": "x"})[0] == []


@pytest.mark.parametrize("depth", [3, 20, 60, 200])
def test_a_value_cannot_make_a_check_endless(depth: int) -> None:
    found, seconds = timed(branching(), nested(depth))
    assert found
    assert seconds < QUICK


def test_a_recursive_schema_is_good_for_ordinary_values() -> None:
    json_value = {
        "$defs": {
            "any": {
                "anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {"type": "array", "items": {"$ref": "#/$defs/any"}},
                    {"type": "object", "additionalProperties": {"$ref": "#/$defs/any"}},
                ]
            }
        },
        "properties": {"v": {"$ref": "#/$defs/any"}, "n": {"type": "integer"}},
    }
    value = {"v": [{"a": list(range(50)), "b": {"c": [None, "d"]}}] * 5}
    assert timed(json_value, value)[0] == []
    assert wrong(json_value, {**value, "n": "x"}) == ["`n` must be an integer, not a string"]
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}
    assert wrong(tree, {"kids": [{"kids": []}, {"kids": [{}]}]}) == []
    assert wrong(tree, {"kids": [{"kids": []}, {"kids": [3]}]})


@holds(31)
@pytest.mark.parametrize(
    "pattern", [r"^(a+)+$", r"^(a|a)*$", r"^(\w+\s?)*$", r"(?=a)(a+)+$", r"(a*)*\1b", r"a{1,900}b$"]
)
@pytest.mark.parametrize("length", [40, 4000, 1_000_000])
def test_no_pattern_takes_long(pattern: str, length: int) -> None:
    schema = {"properties": {"a": {"pattern": pattern}}}
    found, seconds = timed(schema, {"a": "a" * length + "!"})
    assert found
    assert seconds < QUICK


def test_a_pattern_that_asks_for_next_to_nothing_is_good_for_megabytes() -> None:
    schema = {"properties": {"data": {"pattern": "^[A-Za-z0-9+/=]*$"}}}
    data = "A" * 4_000_000
    assert timed(schema, {"data": data})[0] == []
    assert timed(schema, {"data": data + "!"})[0]


def test_patterns_that_look_around_are_kept_to() -> None:
    schema = {"properties": {"a": {"pattern": r"^(?!.*\.\.)[a-z.]+$"}}}
    assert wrong(schema, {"a": "a.b"}) == []
    assert wrong(schema, {"a": "a..b"}) == [r"`a` must match the pattern ^(?!.*\.\.)[a-z.]+$"]


HUGE: list[tuple[Any, Any]] = [
    ({"properties": {"a": {"maxLength": 5}}}, {"a": "x" * 10_000_000}),
    ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[one] for one in range(100_000)]}),
    ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": [1] * 200_000}),
    ({"anyOf": [{"properties": {"k": {"const": n}}} for n in range(200)]}, {"k": ["x"] * 100_000}),
    ({"items": {"anyOf": [{"const": one} for one in range(300)]}}, ["x"] * 50_000),
    ({"patternProperties": {"^(a|b)*c$": {}}}, {"a" * 500_000: 1}),
]


@pytest.mark.parametrize(("schema", "value"), HUGE)
def test_large_values_are_judged_in_bounded_time(schema: Any, value: Any) -> None:
    assert timed(schema, value)[1] < QUICK


def test_deep_values_do_not_break_anything() -> None:
    value = nested(900)
    assert timed({"type": "object"}, value)[0] == []
    assert timed({"properties": {"a": {"$ref": "#"}}}, value)[0] == [str(TOO_MUCH)]


@pytest.mark.parametrize("times", [5, 190])
def test_references_that_lead_far_at_every_level_are_followed(times: int) -> None:
    defs: dict[str, Any] = {
        f"l{one}": {"allOf": [{"$ref": f"#/$defs/l{one + 1}"}]} for one in range(times)
    }
    defs[f"l{times}"] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/l0"}}}
    schema = {"$defs": defs, "$ref": "#/$defs/l0"}
    found, seconds = timed(schema, nested(60))
    assert (found, seconds < QUICK) == ([], True)
    assert timed(schema, {"a": {"a": 3}})[0]


def test_schemas_are_compiled_once_and_let_go_of() -> None:
    known = Schemas(most=2)
    one = known.of(b'{"type":"object"}')
    assert known.of(b'{"type":"object"}') is one
    assert known.of(b'{"type":"object"}', strict=True) is not one
    assert isinstance(known.of(b'{"type":"any"}'), Unusable)
    assert known.of(b'{"type":"object"}') is not one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "allOf", "$ref", "enum"]), inner, max_size=3)
    ),
    max_leaves=6,
)
LEAVES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "object", "array"])}),
    st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries({"minimum": st.integers(-3, 3)}),
    st.fixed_dictionaries({"maxLength": st.integers(0, 2)}),
    st.fixed_dictionaries({"pattern": st.sampled_from(["^a", "b$", "^(a|b)*$", "^(?!a)"])}),
    st.just({"$ref": "#/$defs/d"}),
    st.just({"$ref": "#/properties/a"}),
)
NAMES = st.sampled_from(["a", "b", "allOf", "$ref", "enum"])
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"properties": st.dictionaries(NAMES, inner, max_size=3)}),
        st.fixed_dictionaries({"items": inner}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"additionalProperties": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner}),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS, SCHEMAS, SCHEMAS, VALUES)
def test_counting_changes_no_judgement(defined: Any, named: Any, rest: Any, value: Any) -> None:
    """As the reference implementation judges, whether or not anything is counted."""
    schema = {"$defs": {"d": defined}, "properties": {"a": named}, "allOf": [rest]}
    checked, data = of(schema), written(value)
    try:
        expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    except BaseException as error:
        # Schemas that lead to themselves; what the reference stands on may panic of that.
        if not isinstance(error, RecursionError) and type(error).__name__ != "PanicException":
            raise
        checked.problems(value, data)
        return
    assert (not checked.problems(value, data)) == expected
    PURSE.left = MOST_VISITS
    assert checked._with_purse().is_valid(value) == expected  # pyright: ignore[reportPrivateUsage] - what is compared


@settings(max_examples=200, deadline=None)
@given(VALUES, VALUES)
def test_whatever_a_server_calls_a_schema_is_judged(schema: Any, value: Any) -> None:
    try:
        checked = of({"properties": schema, "allOf": [schema]} if schema else schema)
    except Unusable:
        return
    checked.problems(value, written(value))
