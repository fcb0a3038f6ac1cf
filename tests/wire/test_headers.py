from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.raw import Raw
from lockgate.wire.headers import (
    NAMED_BY,
    BadHeader,
    InvalidAnnotation,
    check,
    decode_value,
    encode_value,
    param_headers,
    request_headers,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXT | st.sampled_from(["=?base64?x?=", " a", "a ", "a\tb", "é", "", "=?base64??="]))
def test_every_text_survives(text: str) -> None:
    written = encode_value(text)
    assert decode_value(written) == text
    assert written == written.strip()
    assert all(0x20 <= byte <= 0x7E for byte in written)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("us-west1", b"us-west1"),
        ("Hello, 世界", b"=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", b"=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", b"=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", b"=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        (42, b"42"),
        (-7, b"-7"),
        (True, b"true"),
        (False, b"false"),
    ],
)
def test_the_examples_of_the_specification(value: str | int | bool, written: bytes) -> None:
    assert encode_value(value) == written


@given(st.binary(max_size=40))
def test_garbage_decodes_or_is_a_typed_error(data: bytes) -> None:
    for value in (data, b"=?base64?" + data + b"?="):
        with suppress(BadHeader):
            assert isinstance(decode_value(value), str)


NESTED = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "in": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        "plain": {"type": "number", "default": {"x-mcp-header": "data"}},
    },
}


def test_annotations_are_found_along_chains_of_properties() -> None:
    assert param_headers(NESTED) == {"mcp-param-region": ("region",), "mcp-param-n": ("in", "n")}
    assert param_headers({}) == {}


def prop(**schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        prop(type="number", **{"x-mcp-header": "A"}),
        prop(type=["string", "null"], **{"x-mcp-header": "A"}),
        prop(**{"x-mcp-header": "A"}),
        prop(type="string", **{"x-mcp-header": ""}),
        prop(type="string", **{"x-mcp-header": "a b"}),
        prop(type="string", **{"x-mcp-header": "a\r\nb"}),
        prop(type="string", **{"x-mcp-header": "é"}),
        prop(type="string", **{"x-mcp-header": 5}),
        prop(type="array", items={"type": "string", "x-mcp-header": "A"}),
        prop(anyOf=[{"type": "string", "x-mcp-header": "A"}]),
        prop(**{"if": {"type": "string", "x-mcp-header": "A"}}),
        prop(patternProperties={"x": {"type": "string", "x-mcp-header": "A"}}),
        {"$defs": {"d": {"type": "string", "x-mcp-header": "A"}}},
        {"type": "string", "x-mcp-header": "A"},
        {
            "properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }
        },
    ],
)
def test_invalid_annotations(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidAnnotation):
        param_headers(schema)


NAMES = st.sampled_from(["a", "b", "properties", "items", "x-mcp-header", "type", "anyOf"])
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.sampled_from(["string", "A", "b c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, SCHEMAS, max_size=4))
def test_any_schema_has_headers_or_a_typed_error(schema: dict[str, Any]) -> None:
    try:
        found = param_headers(schema)
    except InvalidAnnotation:
        return
    assert all(name.startswith("mcp-param-") for name in found)


@given(
    st.sampled_from([*NAMED_BY, "tools/list"]),
    TEXT,
    st.none() | TEXT | st.integers(-99, 99) | st.booleans(),
)
def test_what_is_written_agrees_with_what_it_was_written_from(
    method: str, name: str, value: Any
) -> None:
    params = Raw.of({"name": name, "uri": name, "taskId": name, "arguments": {"in": {"n": value}}})
    annotations = {"mcp-param-n": ("in", "n")} if method == "tools/call" else {}
    headers = dict(request_headers(method, params, annotations))
    assert check(headers, frozenset(), method, params, annotations) is None
    for header in set(headers) - {b"mcp-protocol-version"}:
        for broken in (
            {**headers, header: headers[header] + b"x"},
            {k: v for k, v in headers.items() if k != header},
        ):
            assert check(broken, frozenset(), method, params, annotations) is not None
        assert check(headers, frozenset({header}), method, params, annotations) is not None


@given(st.binary(max_size=20), TEXT)
def test_check_never_raises(value: bytes, name: str) -> None:
    headers = {b"mcp-method": b"tools/call", b"mcp-name": value}
    verdict = check(headers, frozenset({b"\xff"}), "tools/call", Raw.of({"name": name}))
    assert verdict is None or isinstance(verdict, str)
