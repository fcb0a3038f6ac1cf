"""What is approved, as a running gateway knows it: read at its start, added to on first use.

Must not know: configurations, lists, calls. It lives as long as the process, whatever is reloaded.

    | there is                        | then                                                      |
    |---------------------------------|-----------------------------------------------------------|
    | a lock file                     | it decides; of a server it does not know, nothing passes  |
    | one that cannot be used         | nothing starts; while running, what was read before holds |
    | none, and this one records      | first use: everything is believed once, and written down  |
    | none that can be written        | the same, for the life of the process; and it is said     |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from lockgate.core.clock import SYSTEM, Clock
from lockgate.errors import LockgateError
from lockgate.gateway.pin_file import PENDING, PinFile, PinsUnwritable
from lockgate.guard.pins.book import (
    FIRST_USE,
    NOTHING,
    Book,
    Entry,
    Era,
    Pin,
    ServerPins,
    Subject,
    Thing,
    added,
)

_log: Final = logging.getLogger("lockgate.pins")
MOST_WITHHELD: Final = 1000
"""Withheld definitions of one server that are kept for a person to look at."""
MOST_VARIANTS: Final = 8
"""And of one thing: the latest."""

_Change = Callable[[Book], Book]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What first use has written down.

    path     where; None: nowhere, it holds for the life of the process.
    servers  of how many servers.
    things   how many definitions.
    why      why it could not be written.
    """

    path: Path | None
    servers: int
    things: int
    why: str | None = None


class PinKeeper:
    """The book, and the file it is in."""

    def __init__(
        self,
        path: Path | None,
        clock: Clock = SYSTEM,
        *,
        records: bool = False,
        needed: bool = True,
    ) -> None:
        """Read what there is.

        Args:
            path: the lock file; None: there is none, and none is to be made.
            clock: for the dates of approvals.
            records: whether first use is written to it.
            needed: whether any server is held to it now; if not, a file that cannot be used
                stands in nobody's way.

        Raises:
            LockgateError: there is a file, and it cannot be used.
        """
        self._file = None if path is None else PinFile(path)
        self._pending = None if path is None else PinFile(path.with_name(PENDING))
        self._clock = clock
        self._records = records and path is not None
        found = None
        try:
            found = None if self._file is None else self._file.read()
        except LockgateError:
            if needed:
                raise
            found = Book()
        self.book = found or Book()
        self._stamp = None if self._file is None else self._file.stamp()
        self.first_use = found is None
        """Whether servers that the book does not know are believed when they are first met."""
        self.unwritable: str | None = None
        self._changes: list[_Change] = []
        self._believed: set[tuple[str, Thing]] = set()
        self._withheld: dict[str, dict[tuple[Thing, str], Any]] = {}
        self._told: set[tuple[str, Thing, str]] = set()
        self._published: set[tuple[str, Thing, str]] = set()
        self._open: set[str] = set()
        self._abilities: set[Hashable] = set()
        self.edition = 0
        """Another one whenever the book may say something else."""

    @property
    def path(self) -> Path | None:
        """The lock file."""
        return None if self._file is None else self._file.path

    # First use.

    def meet(self, identities: Mapping[str, Mapping[str, Any]]) -> None:
        """These servers are configured. On first use they are believed from now on.

        Where nothing is written down nobody can approve, so whoever changes the configuration does.
        """
        if not self.first_use:
            return
        known = self.book.servers
        fresh = {
            name: ServerPins(
                identity=identity,
                trust=FIRST_USE,
                entries=known[name].entries if name in known else {},
            )
            for name, identity in identities.items()
            if name not in known or (not self._records and known[name].identity != identity)
        }
        if not fresh:
            return

        def introduce(book: Book) -> Book:
            records = self._records
            return Book({**fresh, **book.servers} if records else {**book.servers, **fresh})

        self._change(introduce)
        if self._records:
            # From its next start on, the file decides who is known: also of who is away now.
            self.first_use = False

    def of(self, server: str, identity: Mapping[str, Any]) -> ServerPins | None:
        """What was approved of a server that is who it was then; None: nothing, or another one."""
        pins = self.book.servers.get(server)
        if pins is None or self.first_use or pins.identity == identity:
            return pins
        return None

    def believes(self, server: str, subject: Subject, era: Era) -> bool:
        """Whether what a server lists now is to be recorded."""
        pins = self.book.servers.get(server)
        if pins is None or pins.trust != FIRST_USE:
            return False
        return server in self._open or not pins.has_met(subject, era)

    @property
    def forgets(self) -> bool:
        """Whether all this holds for the life of the process alone."""
        return self.first_use and not self._records

    def is_new(self, ability: Hashable) -> bool:
        """Whether a list of this kind was never seen; after this question, it was. Bounded."""
        if ability in self._abilities or len(self._abilities) >= MOST_WITHHELD:
            return False
        self._abilities.add(ability)
        return True

    def open(self, server: str) -> bool:
        """Whether a server is met for the first time, and written down; until `over`."""
        if self._records and self.believes(server, "tool", "modern"):
            self._open.add(server)
        return server in self._open

    def believe(
        self,
        server: str,
        subject: Subject,
        era: Era,
        definitions: Sequence[tuple[Thing, str, Any]],
        version: str | None = None,
    ) -> None:
        """Record what a server lists the first time it is asked in an era.

        definitions  things with their fingerprints and values.
        """
        at = self.now()
        again = server in self._open or self.forgets

        def record(book: Book) -> Book:
            pins = book.servers.get(server)
            if pins is None or pins.trust != FIRST_USE:
                return book
            if pins.has_met(subject, era) and not again:
                return book
            entries: dict[Thing, Entry] = {}
            for thing, fingerprint, value in definitions:
                entry = entries.get(thing) or pins.of(thing)
                entries[thing] = added(entry, Pin(fingerprint, value, FIRST_USE, at))
            pins = replace(pins.with_entries(entries), met=pins.met | {(subject, era)})
            return book.with_server(
                server, pins if version is None else replace(pins, version=version)
            )

        self._believed |= {(server, thing) for thing, _, _ in definitions}
        self._change(record)

    def over(self, server: str, subjects: Iterable[Subject]) -> None:
        """First use is over of what was read of a server in any era."""
        every: tuple[Era, ...] = ("handshake", "modern")
        self._open.discard(server)
        wanted = tuple(subjects)

        def end(book: Book) -> Book:
            pins = book.servers.get(server)
            if pins is None or pins.trust != FIRST_USE:
                return book
            known = {subject for subject, _ in pins.met if subject in wanted}
            met = pins.met | {(subject, era) for subject in known for era in every}
            return book if met == pins.met else book.with_server(server, replace(pins, met=met))

        if end(self.book) is not self.book:
            self._change(end)

    def _change(self, change: _Change) -> None:
        self.book = change(self.book)
        self.edition += 1
        if self._records:
            self._changes.append(change)

    def now(self) -> str:
        """The time, as the book has it."""
        return datetime.fromtimestamp(self._clock.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def flush(self) -> None:
        """Have everything on the disk that was recorded; returns when it is.

        What cannot be written holds for the life of the process, and is said.
        """
        if not self._changes or self._file is None:
            return
        changes, self._changes = self._changes, []

        def apply(book: Book | None) -> Book:
            book = book or Book()
            for change in changes:
                book = change(book)
            return book

        try:
            book = self._file.change(apply)
        except LockgateError as error:
            self._records = False
            self.first_use = True
            self.unwritable = error.message
            _log.warning(
                "%s What servers offer now counts as approved until this process ends, and the "
                "next one believes what it meets then.",
                error.message,
                extra={"code": error.code},
            )
            return
        self._stamp = self._file.stamp()
        if book != self.book:
            self.book = book
            self.edition += 1

    def recorded(self) -> Recorded | None:
        """What first use has recorded since the process began; None: nothing."""
        if not self._believed:
            return None
        return Recorded(
            path=self.path if self._records else None,
            servers=len({server for server, _ in self._believed}),
            things=len(self._believed),
            why=self.unwritable,
        )

    # What others do to the file.

    def look(self) -> set[str] | None:
        """Read the file again if it is another one; the servers it says something else of.

        None: it is the same.
        """
        stamp = None if self._file is None else self._file.stamp()
        if self._file is None or stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            book = self._file.read()
        except LockgateError as error:
            _log.error(
                "%s What was approved before still holds.",
                error.message,
                extra={"code": error.code, "remedy": error.remedy},
            )
            return None
        if book is None:
            _log.error("%s is gone. What was approved before still holds.", self._file.path)
            return None
        before, self.book = self.book, book
        self.first_use = False
        self.edition += 1
        self._published.clear()
        names = {*before.servers, *book.servers}
        return {name for name in names if before.servers.get(name) != book.servers.get(name)}

    # What is withheld.

    def news(self, server: str, thing: Thing, mark: str) -> bool:
        """Whether this was not told yet. Of a server that goes on and on, no more is told."""
        known = (server, thing, mark)
        if known in self._told or len(self._told) >= MOST_WITHHELD * 16:
            return False
        self._told.add(known)
        return True

    def withhold(self, server: str, thing: Thing, fingerprint: str, value: Any) -> None:
        """Keep a definition for a person to look at."""
        known = (server, thing, fingerprint)
        if known in self._published or len(self._published) >= MOST_WITHHELD * 16:
            return
        self._published.add(known)
        waiting = self._withheld.setdefault(server, {})
        if len(waiting) < MOST_WITHHELD:
            waiting[thing, fingerprint] = value

    def publish(self, identities: Mapping[str, Mapping[str, Any]]) -> None:
        """Write down what is withheld, where `lockgate approve` looks for it."""
        if not self._withheld or self._pending is None or not self._records:
            self._withheld.clear()
            return
        withheld, self._withheld = self._withheld, {}
        at = self.now()

        def put(book: Book | None) -> Book:
            book = book or Book()
            for server, things in withheld.items():
                identity = identities.get(server, {})
                pins = book.servers.get(server)
                if pins is None or pins.identity != identity:
                    pins = ServerPins(identity=identity)
                for (thing, fingerprint), value in things.items():
                    pin = Pin(fingerprint, value, "withheld", at)
                    entry = added(pins.entries.get(thing, NOTHING), pin, most=MOST_VARIANTS)
                    pins = pins.with_entries({thing: entry})
                book = book.with_server(server, pins)
            return book

        try:
            self._pending.change(put)
        except PinsUnwritable as error:
            _log.warning("%s `lockgate approve` has to ask the servers.", error.message)
        except LockgateError as error:
            _log.warning("%s", error.message)
