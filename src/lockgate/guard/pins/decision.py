"""A person's yes or no to what was found, put into the book. Pure.

Must not know: who was asked, or how; files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from lockgate.guard.pins.book import (
    NOTHING,
    Book,
    Denial,
    Entry,
    Pin,
    ServerPins,
    Thing,
    added,
)
from lockgate.guard.pins.drift import Drift

VARIANTS: Final = 8
"""Approved variants of one thing; the oldest give way. Each era and kind of caller may have one."""


def approved(book: Book, found: Sequence[Drift], by: str, at: str) -> Book:
    """The book after a yes to all of these."""
    for one in found:
        book = _approved(book, one, by, at)
    return book


def _approved(book: Book, one: Drift, by: str, at: str) -> Book:
    pins = book.servers.get(one.server)
    if one.what in ("new server", "identity"):
        identity: Mapping[str, Any] = one.after
        # What was approved was another server's: of it, nothing counts but what was denied.
        denied = {} if pins is None else _denials(pins)
        return book.with_server(one.server, ServerPins(identity=identity, entries=denied))
    if pins is None or one.thing is None:
        return book
    entry = pins.of(one.thing)
    if one.fingerprint:
        pin = Pin(one.fingerprint, one.after, by, at)
        entry = added(Entry(entry.pins), pin, most=VARIANTS)
    else:
        entry = Entry(entry.pins)
    return book.with_server(one.server, pins.with_entries({one.thing: entry}))


def _denials(pins: ServerPins) -> dict[Thing, Entry]:
    return {
        thing: Entry((), entry.denied)
        for thing, entry in pins.entries.items()
        if entry.denied is not None
    }


def denied(book: Book, things: Sequence[tuple[str, Thing]], by: str, at: str) -> Book:
    """The book after a no to these things of servers, however they are defined."""
    for server, thing in things:
        pins = book.servers.get(server)
        if pins is not None:
            entry = replace(pins.of(thing), denied=Denial(by, at))
            book = book.with_server(server, pins.with_entries({thing: entry}))
    return book


def settled(pending: Book, found: Sequence[Drift]) -> Book:
    """What still waits for a decision."""
    for one in found:
        pins = pending.servers.get(one.server)
        if pins is None or one.thing is None:
            continue
        entry = pins.entries.get(one.thing, NOTHING)
        left = tuple(pin for pin in entry.pins if pin.fingerprint != one.fingerprint)
        pins = pins.with_entries({one.thing: Entry(left)}) if left else pins.without([one.thing])
        pending = pending.with_server(one.server, pins)
    empty = [name for name, pins in pending.servers.items() if not pins.entries]
    for name in empty:
        pending = pending.without(name)
    return pending
