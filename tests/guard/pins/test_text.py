"""The lock file as text: the same book is the same text, and half a text is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.guard.definition import fingerprint_of, value_of
from lockgate.guard.pins.book import Book, Denial, Entry, Pin, ServerPins, Thing
from lockgate.guard.pins.text import BadBook, read, written
from tests.guard.definitions import TEXTS, TOOLS, dumped

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
THINGS: Any = st.one_of(
    st.just(("server", "")), st.tuples(st.sampled_from(["tool", "prompt", "template"]), NAMES)
)


@st.composite
def pins(draw: st.DrawFn) -> Pin:
    value = value_of(dumped(draw(TOOLS)))
    return Pin(fingerprint_of(value), value, draw(TEXTS), draw(TEXTS))


ENTRIES = st.builds(
    Entry,
    st.lists(pins(), min_size=1, max_size=2, unique_by=lambda pin: (pin.at, pin.fingerprint)).map(
        lambda found: tuple(sorted(found, key=lambda pin: (pin.at, pin.fingerprint)))
    ),
    st.none() | st.builds(Denial, TEXTS, TEXTS),
)
SERVERS = st.builds(
    ServerPins,
    identity=st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=2), max_size=2),
    trust=st.sampled_from(["first use", "reviewed"]),
    met=st.frozensets(st.tuples(NAMES, st.sampled_from(["handshake", "modern"])), max_size=3),
    version=st.none() | TEXTS,
    entries=st.dictionaries(THINGS, ENTRIES, max_size=3),
)
BOOKS = st.builds(Book, st.dictionaries(NAMES, SERVERS, max_size=2))


@given(BOOKS)
@settings(max_examples=60, deadline=None)
def test_a_book_is_read_as_it_was_written(book: Book) -> None:
    text = written(book)
    assert written(read(text.encode())) == text
    again = read(text.encode())
    assert again.servers.keys() == book.servers.keys()
    for name, server in book.servers.items():
        assert again.servers[name].met == server.met
        for thing, entry in server.entries.items():
            assert [pin.fingerprint for pin in again.servers[name].of(thing).pins] == [
                pin.fingerprint for pin in entry.pins
            ]
            assert again.servers[name].of(thing).denied == entry.denied
    assert all(line.isprintable() for line in text.splitlines())


def book(description: str = "Adds.") -> Book:
    value = {"name": "a", "description": description}
    pin = Pin(fingerprint_of(value), value, "alice", "2026-01-01T00:00:00Z")
    thing: Thing = ("tool", "a")
    return Book({"s": ServerPins(identity={"command": "x"}, entries={thing: Entry((pin,))})})


def test_half_a_text_is_none() -> None:
    text = written(book()).encode()
    for end in range(len(text) - 1):
        with pytest.raises(BadBook):
            read(text[:end])


def test_a_change_by_hand_is_found() -> None:
    text = written(book())
    for old, new in (("Adds.", "Adds!"), ("sha256:", "sha256:0"), ("reviewed", "whatever")):
        with pytest.raises(BadBook):
            read(text.replace(old, new).encode())
    with pytest.raises(BadBook, match="twice"):
        read(text.replace('"by"', '"at"').encode())
    with pytest.raises(BadBook, match="form 2"):
        read(text.replace('"lockgate": 1', '"lockgate": 2').encode())


def test_what_cannot_be_seen_is_spelled_out() -> None:
    text = written(book("Adds.\u200b\u202e\U000e0041\ttab"))
    assert r"Adds.\u200b\u202e\udb40\udc41\ttab" in text
    assert json.loads(text)["servers"]["s"]["pins"]["tool a"][0]["definition"]["description"] == (
        "Adds.\u200b\u202e\U000e0041\ttab"
    )


def test_a_changed_description_is_one_line_of_a_diff() -> None:
    before, after = (written(book(text)).splitlines() for text in ("Adds.", "Adds more."))
    different = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(different) == 2  # the fingerprint, and the words
