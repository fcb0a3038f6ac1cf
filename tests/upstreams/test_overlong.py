"""What the first bytes of a dropped message tell."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.overlong import Dropped, dropped

TEXT = st.text(max_size=20)
IDS = st.integers(-(2**53), 2**53) | TEXT


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"a', Dropped(answers=True, id=7)),
        (b' { "id" : 7 , "error" : {', Dropped(answers=True, id=7)),
        (b'{"result":{"content":[{"id":7,"x', Dropped(answers=True)),
        (b'{"jsonrpc":"2.0","id":"7","result":{', Dropped(answers=True)),
        (b'{"id":7', Dropped(answers=True)),
        (b'{"id":7.5,"result":{', Dropped(answers=True)),
        (b'{"jsonrpc":"2.0","method":"notifications/message","params":{"d', Dropped(answers=False)),
        (b'{"id":7,"method":"x","params":{', Dropped(answers=False)),
        (b'{"params":{"da', Dropped(answers=False)),
        (b'{"\\"id\\"":7,"result":{', Dropped(answers=True)),
        (b"loading model ............", Dropped(answers=False)),
        (b"[1,2", Dropped(answers=False)),
        (b"", Dropped(answers=True)),
    ],
)
def test_heads(head: bytes, expected: Dropped) -> None:
    assert dropped(head) == expected


@given(st.permutations(["jsonrpc", "id", "result"]), IDS, st.booleans(), st.integers(0, 200))
def test_an_id_is_right_or_not_there(keys: list[str], number: Any, wide: bool, cut: int) -> None:
    values = {"jsonrpc": "2.0", "id": number, "result": {"id": 999, "text": "x" * 300}}
    separators = (" , ", " : ") if wide else (",", ":")
    text = json.dumps({key: values[key] for key in keys}, separators=separators).encode()
    found = dropped(text[:cut])
    assert found.answers == (cut == 0 or text[:cut].strip() != b"")
    assert found.id in ({number, None} if isinstance(number, int) else {None})


@given(st.binary(max_size=200) | TEXT.map(str.encode))
def test_any_bytes_will_do(head: bytes) -> None:
    assert isinstance(dropped(head), Dropped)
    assert isinstance(dropped(b"{" + head), Dropped)
