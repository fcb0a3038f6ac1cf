from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.jsonrpc import (
    ErrorObject,
    Malformed,
    Notice,
    Request,
    Response,
    decode,
    encode_error,
    encode_notice,
    encode_request,
    encode_result,
    too_deep,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
IDS = st.integers(-(2**63), 2**63 - 1) | TEXT


def as_bytes(value: Any) -> bytes:
    return msgspec.json.encode(value)


@given(IDS, TEXT, OBJECTS)
def test_requests_go_both_ways(number: Any, method: str, params: dict[str, Any]) -> None:
    message = decode(encode_request(number, method, as_bytes(params)))
    assert isinstance(message, Request)
    assert (message.id, message.method, dict(message.params)) == (number, method, params)
    assert type(message.id) is type(number)


@given(TEXT, OBJECTS)
def test_notices_go_both_ways(method: str, params: dict[str, Any]) -> None:
    message = decode(encode_notice(method, as_bytes(params)))
    assert isinstance(message, Notice)
    assert (message.method, dict(message.params)) == (method, params)


@given(IDS, OBJECTS)
def test_results_go_both_ways(number: Any, value: dict[str, Any]) -> None:
    message = decode(encode_result(number, as_bytes(value)))
    assert message == Response(number, as_bytes(value))


@given(st.none() | IDS, st.integers(-(2**31), 2**31), TEXT, VALUES)
def test_errors_go_both_ways(number: Any, code: int, text: str, data: Any) -> None:
    message = decode(encode_error(number, code, text, data))
    assert message == Response(number, None, ErrorObject(code, text, data))
    bare = decode(encode_error(number, code, text))
    assert bare == Response(number, None, ErrorObject(code, text))


@given(st.binary(max_size=200))
def test_garbage_gives_only_typed_errors(data: bytes) -> None:
    try:
        found: object = decode(data)
    except Malformed as error:
        found = error
    # Now and then it is a message, with members that nobody knows.
    assert isinstance(found, Malformed | Request | Notice | Response)
    assert not isinstance(found, Malformed) or found.code in {-32700, -32600}


@given(VALUES)
def test_any_json_is_a_message_or_a_typed_error(value: Any) -> None:
    with pytest.raises(Malformed):
        decode(as_bytes(value))


@given(IDS, OBJECTS, st.data())
def test_cut_or_extended_messages_are_refused(number: Any, params: Any, data: Any) -> None:
    whole = encode_request(number, "m", as_bytes(params))
    for broken in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"x"):
        with pytest.raises(Malformed) as caught:
            decode(broken)
        assert caught.value.code == -32700


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"jsonrpc":"1.0","id":4,"method":"m"}', 4),
        ('{"jsonrpc":"2.0","id":"a","method":5}', "a"),
        ('{"jsonrpc":"2.0","id":4,"method":"m","params":"x"}', 4),
        ('{"jsonrpc":"2.0","id":4,"method":"m","result":1}', 4),
        ('{"jsonrpc":"2.0","id":true,"method":"m"}', None),
        ('{"jsonrpc":"2.0","id":4,"result":1,"error":{}}', 4),
        ('{"jsonrpc":"2.0","id":4,"error":{"code":"x"}}', 4),
        ('{"jsonrpc":"2.0","id":null,"result":{}}', None),
    ],
)
def test_the_id_is_told_where_it_can_be_read(text: str, number: Any) -> None:
    with pytest.raises(Malformed) as caught:
        decode(text.encode())
    assert (caught.value.code, caught.value.id) == (-32600, number)


def test_repeated_members_count_the_last_time_and_strangers_are_ignored() -> None:
    text = b'{"x":[],"jsonrpc":"2.0","id":1,"id":2,"method":"a","meth\\u006fd":"b","params":null}'
    assert decode(text) == Request(2, "b")


def test_params_and_results_stay_the_bytes_they_are() -> None:
    odd = b'{ "a" : 1.50e+3,\n"a":"\\u00e9\xc3\xa9" }'
    message = decode(b'{"jsonrpc":"2.0","method":"m","params":' + odd + b"}")
    assert isinstance(message, Notice)
    assert message.params.encode() == odd


@given(VALUES, st.integers(1, 6))
def test_depth_is_exact_for_valid_json(value: Any, limit: int) -> None:
    def depth(node: Any) -> int:
        if isinstance(node, dict):
            return 1 + max(map(depth, node.values()), default=0)
        if isinstance(node, list):
            return 1 + max(map(depth, node), default=0)
        return 0

    for text in (as_bytes(value), json.dumps(value, indent=1).encode()):
        assert too_deep(text, limit) == (depth(value) > limit)


@given(st.text('[]{}"\\,:a', max_size=30))
def test_depth_of_strings_counts_nothing(text: str) -> None:
    assert not too_deep(as_bytes({"a" * 9: [text] * 20, text: text}), 2)


@given(st.binary(max_size=300), st.integers(1, 5))
def test_depth_of_garbage_is_harmless(data: bytes, limit: int) -> None:
    assert too_deep(data, limit) in {True, False}


def test_depth_of_hostile_input_is_settled() -> None:
    for hostile in (b"[" * 10**6, b"[]," * 10**6, b"[[" * 10**5 + b"]]" * 10**5):
        too_deep(hostile, 64)
    assert too_deep(b"[" * 65 + b"]" * 65, 64)
    assert not too_deep(b"[" + b",".join([b"[" * 63 + b"]" * 63] * 9) + b"]", 64)
