"""What was approved: of each server, who it is and what it defines, every variant of it.

Must not know: how it is written down, who asks for it, or what is done about what is not in it.

A server may define one thing in several ways: in each protocol era, or for each caller. Each way
that was approved is a pin of its own, and any of them passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, cast

import msgspec

Subject = Literal["server", "tool", "prompt", "template"]
SUBJECTS: Final[tuple[Subject, ...]] = ("server", "tool", "prompt", "template")
Thing = tuple[Subject, str]
"""What is pinned: a kind and the server's own name for it. Of what a server says of itself: ""."""
ITSELF: Final[Thing] = ("server", "")
Era = Literal["handshake", "modern"]
Trust = Literal["first use", "reviewed"]
"""`first use`: each of its lists is believed the first time it is read in an era, and recorded;
`reviewed`: nothing is believed that is not in the book."""
FIRST_USE: Final = "first use"


class Pin(msgspec.Struct, frozen=True):
    """One approved definition.

    definition  the value it was made from, for people and for later comparisons.
    by, at      who approved it, and when (RFC 3339, UTC).
    """

    fingerprint: str
    definition: Any
    by: str
    at: str


class Denial(msgspec.Struct, frozen=True):
    """Somebody has said no, whatever the definition says."""

    by: str
    at: str


class Entry(msgspec.Struct, frozen=True):
    """All that was decided about one thing."""

    pins: tuple[Pin, ...] = ()
    denied: Denial | None = None

    def has(self, fingerprint: str) -> bool:
        """Whether this very definition was approved."""
        return self.denied is None and any(pin.fingerprint == fingerprint for pin in self.pins)


NOTHING: Final = Entry()


class ServerPins(msgspec.Struct, frozen=True, kw_only=True):
    """What was approved of one server.

    identity  what is started or connected to; see `lockgate.guard.pins.identity`.
    met       the lists that were read once, by the eras they were read in.
    version   what the server said its version was; for people, it decides nothing.
    """

    identity: Mapping[str, Any]
    trust: Trust = "reviewed"
    met: frozenset[tuple[str, Era]] = frozenset()
    version: str | None = None
    entries: Mapping[Thing, Entry] = {}

    def of(self, thing: Thing) -> Entry:
        """What was decided about a thing; nothing, if it was never approved."""
        return self.entries.get(thing, NOTHING)

    def with_entries(self, entries: Mapping[Thing, Entry]) -> ServerPins:
        """A copy where these entries replace those of the same things."""
        return msgspec.structs.replace(self, entries={**self.entries, **entries})

    def without(self, things: Iterable[Thing]) -> ServerPins:
        """A copy without these things."""
        gone = set(things)
        kept = {thing: entry for thing, entry in self.entries.items() if thing not in gone}
        return msgspec.structs.replace(self, entries=kept)

    def has_met(self, subject: str, era: Era) -> bool:
        """Whether a list was read before, in this era."""
        return (subject, era) in self.met


class Book(msgspec.Struct, frozen=True):
    """All servers by name."""

    servers: Mapping[str, ServerPins] = {}

    def with_server(self, name: str, pins: ServerPins) -> Book:
        """A copy with another or a changed server."""
        return Book({**self.servers, name: pins})

    def without(self, name: str) -> Book:
        """A copy without a server."""
        return Book({key: one for key, one in self.servers.items() if key != name})


def added(entry: Entry, pin: Pin, *, most: int | None = None) -> Entry:
    """The entry with one more variant; itself if it has that one already."""
    if any(one.fingerprint == pin.fingerprint for one in entry.pins):
        return entry
    pins = (*entry.pins, pin)
    return Entry(pins if most is None else pins[-most:], entry.denied)


def plain_identity(value: object) -> dict[str, Any]:
    """An identity as it was read; empty for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
