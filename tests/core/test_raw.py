"""Raw keeps what nobody read, and writes what somebody read as they read it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.raw import EMPTY, Raw

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=6)


@given(objects)
def test_untouched_bytes_pass_unchanged(value: dict[str, object]) -> None:
    data = json.dumps(value, indent=1).encode()
    assert Raw(data).encode() is data


@given(objects, st.data())
def test_reading_changes_no_value(value: dict[str, object], data: st.DataObject) -> None:
    raw = Raw(json.dumps(value).encode())
    for key in data.draw(st.lists(st.sampled_from([*value, "absent"]))):
        assert raw.get(key) == value.get(key)
    assert json.loads(raw.encode()) == value
    assert dict(raw) == value


@given(objects, objects)
def test_replace_and_without_leave_the_original_alone(
    value: dict[str, object], changes: dict[str, object]
) -> None:
    raw = Raw(json.dumps(value).encode())
    changed = raw.replace(**changes)
    assert json.loads(changed.encode()) == {**value, **changes}
    assert json.loads(changed.without(*changes).encode()) == {
        k: v for k, v in value.items() if k not in changes
    }
    assert json.loads(raw.encode()) == value


def test_of_two_equal_keys_the_last_counts_for_reader_and_receiver() -> None:
    raw = Raw(b'{"name":"harmless","name":"dangerous"}')
    assert raw["name"] == "dangerous"
    assert raw.encode() == b'{"name":"dangerous"}'


def test_a_nested_object_that_was_read_is_written_as_read() -> None:
    raw = Raw(b'{"arguments":{"path":"/a","path":"/b"},"other":{"x":1,"x":2}}')
    assert raw["arguments"] == {"path": "/b"}
    assert raw.encode() == b'{"arguments":{"path":"/b"},"other":{"x":1,"x":2}}'


def test_object_gives_a_view_or_empty() -> None:
    raw = Raw(b'{"a":{"b":1},"n":null,"l":[1]}')
    assert raw.object("a")["b"] == 1
    assert raw.object("n") is EMPTY
    assert raw.object("l") is EMPTY
    assert raw.object("absent") is EMPTY


@pytest.mark.parametrize("data", [b"[]", b"1", b'{"a":', b"", b"{'a':1}", b'{"a":1}x'])
def test_check_refuses_what_is_no_object(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Raw(data).check()


def test_repr_shows_no_value() -> None:
    assert "hunter2" not in repr(Raw(b'{"password":"hunter2"}'))
    assert "hunter2" not in repr(Raw(b"hunter2"))
