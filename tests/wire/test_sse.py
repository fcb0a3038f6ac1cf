from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.sse import COMMENT, Event, EventTooLarge, Parser, encode

FIELD = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)
DATA = st.lists(
    st.binary(max_size=12).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"")),
    min_size=1,
    max_size=3,
).map(b"\n".join)
EVENTS = st.lists(
    st.builds(
        Event,
        data=DATA,
        event=FIELD.filter(bool),
        id=st.none() | FIELD,
        retry=st.none() | st.integers(0, 10**9),
    ),
    max_size=4,
)


def write(events: list[Event]) -> bytes:
    return b"".join(
        COMMENT + encode(event.data, event.id, event.event, event.retry) for event in events
    )


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def parse(parts: list[bytes], limit: int = 10**6) -> list[Event]:
    parser = Parser(limit)
    return [event for part in parts for event in parser.feed(part)]


@given(EVENTS, st.lists(st.integers(0, 300), max_size=12), st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_events_survive_any_chunking_and_line_end(
    events: list[Event], cuts: list[int], end: bytes
) -> None:
    stream = write(events).replace(b"\n", end)
    assert parse(chunks(stream, cuts)) == events
    assert parse([stream[at : at + 1] for at in range(len(stream))]) == events


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_garbage_parses_the_same_however_it_comes(data: bytes, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> Any:
        try:
            return parse(parts, 60)
        except EventTooLarge:
            return "too large"

    assert parse(chunks(data, cuts)) == parse([data])
    outcome([data])
    outcome(chunks(data, cuts))


def test_fields_by_the_letter() -> None:
    stream = (
        b"\xef\xbb\xbfdata:a\ndata: b\ndata\nid: 7\nretry: 5\nretry: x\nother: 1\n: c\n\n"
        b"event: x\n\nid: a\0b\nid:\n\nevent: e\ndata:\n\ndata: tail\n"
    )
    assert parse([stream]) == [
        Event(b"a\nb\n", "message", "7", 5),
        Event(b"", "message", ""),
        Event(b"", "e"),
    ]


def test_too_large_is_told_whole_or_in_parts() -> None:
    for stream in (b"data: " + b"x" * 100, b"data: xxxxxxxxx\n" * 10, b": " + b"c" * 100):
        for parts in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
            with pytest.raises(EventTooLarge):
                parse(parts, 50)


def test_the_limit_is_for_one_event_not_for_the_stream() -> None:
    assert len(parse([encode(b"x" * 20)] * 100, 60)) == 100
    assert len(parse([encode(b"x" * 20) * 100], 60)) == 100


def test_line_breaks_cannot_forge_a_field() -> None:
    assert parse([encode(b"a\r\nid: 5\rb")]) == [Event(b"a\nid: 5\nb")]
    for bad in ("a\nb", "a\rb", "a\0b"):
        with pytest.raises(ValueError, match="field"):
            encode(b"", id=bad)
        with pytest.raises(ValueError, match="field"):
            encode(b"", event=bad)
