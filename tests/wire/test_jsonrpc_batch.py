from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.jsonrpc import Malformed, Request, decode, decode_batch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
REQUEST = st.builds(
    lambda number: {"jsonrpc": "2.0", "id": number, "method": "m", "params": {"n": number}},
    st.integers(-(2**53), 2**53),
)


@given(st.lists(JSON | REQUEST, min_size=1, max_size=8))
def test_each_item_is_what_it_is_alone(items: list[object]) -> None:
    decoded = decode_batch(msgspec.json.encode(items), 8)
    assert len(decoded) == len(items)
    for item, one in zip(items, decoded, strict=True):
        alone = msgspec.json.encode(item)
        if isinstance(one, Malformed):
            with pytest.raises(Malformed) as refused:
                decode(alone)
            assert (one.code, one.message, one.id) == (
                refused.value.code,
                refused.value.message,
                refused.value.id,
            )
        else:
            assert type(one) is type(decode(alone))
            if isinstance(one, Request):
                assert one.params["n"] == one.id


@given(st.binary(max_size=200) | st.text('[]{},"1:', max_size=40).map(str.encode))
def test_garbage_is_malformed_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert 0 < len(decode_batch(data, 50)) <= 50


@pytest.mark.parametrize("data", [b"[]", b"[1,2,3]", b"{}", b"", b'["\xff"]', b"[NaN]", b"[1"])
def test_what_is_no_batch_of_that_size_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_batch(data, 2)
