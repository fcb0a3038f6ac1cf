"""Frames as a client writes them, whole and cut anywhere, and bytes that are none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.fronts import frames
from lockgate.fronts.frames import Framing, Refusal
from lockgate.fronts.http import HttpRequest

HEADERS = {
    b"upgrade": b"websocket",
    b"connection": b"keep-alive, Upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-protocol": b"other, mcp",
    b"sec-websocket-extensions": b"permessage-deflate",
}
MOST = 500
CONT, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9


def accepted() -> Framing:
    framing = frames.accept(HttpRequest(method="GET", path="/", query="", headers=HEADERS), MOST)
    [head] = framing.to_send()
    assert head.startswith(b"HTTP/1.1 101 ")
    # The example of RFC 6455 section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"Sec-WebSocket-Protocol: mcp\r\n" in head
    assert b"xtensions" not in head
    return framing


def frame(opcode: int, data: bytes, *, last: bool = True) -> bytes:
    size = len(data)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2)
    mask = b"\x01\x02\x03\x04"
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return bytes((0x80 * last | opcode,)) + length + mask + masked


def fragments(opcode: int, parts: Sequence[bytes]) -> bytes:
    found = b""
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        found += frame(CONT if place else opcode, part, last=last) + frame(PING, b"p") * (not last)
    return found


MESSAGE = st.tuples(
    st.sampled_from([TEXT, BINARY]), st.lists(st.binary(max_size=140), min_size=1, max_size=3)
)


@given(st.lists(MESSAGE, max_size=4), st.lists(st.integers(0, 2000), max_size=8).map(sorted))
def test_messages_arrive_however_their_bytes_are_cut(
    messages: list[tuple[int, list[bytes]]], cuts: list[int]
) -> None:
    data = b"".join(fragments(opcode, parts) for opcode, parts in messages)
    framing = accepted()
    heard = [
        message
        for a, b in pairwise([0, *cuts, len(data)])
        for message in framing.received(data[a:b])
    ]
    assert heard == [b"".join(parts) if opcode == TEXT else None for opcode, parts in messages]
    pings = sum(len(parts) - 1 for _, parts in messages)
    assert b"".join(framing.to_send()) == b"\x8a\x01p" * pings
    assert not framing.closing


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_closes_at_worst(pieces: list[bytes]) -> None:
    framing = accepted()
    for piece in pieces:
        for message in framing.received(piece):
            assert message is None or len(message) <= MOST
        framing.send(b"{}")
        framing.ping()
        framing.to_send()
        if framing.finished:
            break
    framing.close(1001, "over")
    framing.to_send()
    assert framing.closing


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"x" * (MOST + 1)), 1009),
        (frame(TEXT, b"x" * MOST, last=False) + frame(CONT, b"x"), 1009),
        (frame(CONT, b"x"), 1002),
        (frame(TEXT, b"x", last=False) + frame(TEXT, b"x"), 1002),
        (b"\x81\x01x", 1002),
        (frame(0x41, b"x"), 1002),
        (frame(3, b"x"), 1002),
        (frame(PING, b"x", last=False), 1002),
        (frame(CLOSE, b"\x03\xe8"), 1000),
    ],
)
def test_what_breaks_a_rule_closes_with_its_code(data: bytes, code: int) -> None:
    framing = accepted()
    assert list(framing.received(data)) == []
    [said] = framing.to_send()
    assert (said[0], int.from_bytes(said[2:4])) == (0x88, code)
    assert framing.finished
    assert framing.closing


def test_a_library_that_is_not_there_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "websockets.http11", None)
    with pytest.raises(Refusal) as refused:
        accepted()
    assert refused.value.status == 501
