"""What a server defines, asked in every way in which it may answer otherwise.

Must not know: the lock file, or what is made of the answers.

A server may define things otherwise in each era, and more of them to clients that can be asked
something. So it is asked in both eras, by a client that can do nothing and by one that can do all
there is; what servers list for some callers alone is met when those call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

import msgspec

from lockgate.core.message import Call, ClientFacts, Era, Failure, Reply
from lockgate.gateway.facts import ABLE_CLIENT, OWN_CLIENT
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.listing import LISTS
from lockgate.gateway.pinning import PINNED
from lockgate.gateway.reading import read_pages
from lockgate.guard.definition import Unreadable, read, value_of
from lockgate.guard.pins.about import about_of, version_of
from lockgate.guard.pins.book import ITSELF, Entry, Pin, Thing, added
from lockgate.upstreams.supervisor import UpstreamState

ERAS: Final[tuple[Era, ...]] = ("handshake", "modern")


class Surveyed(msgspec.Struct, frozen=True):
    """What was found of one server.

    problem  why it, or one of its lists, could not be read; then the rest is not all there is.
    odd      definitions that cannot be read without doubt, and why.
    """

    entries: dict[Thing, Entry] = {}
    met: frozenset[tuple[str, Era]] = frozenset()
    version: str | None = None
    problem: Failure | None = None
    odd: dict[Thing, str] = {}


class Asked(Protocol):
    """A server that can be asked."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Upstream
    @property
    def state(self) -> UpstreamState: ...  # noqa: D102 - see Upstream
    async def send(self, call: Call, /) -> Reply: ...  # noqa: D102 - see Upstream


def clients() -> Iterable[ClientFacts]:
    """Who asks."""
    for era in ERAS:
        yield OWN_CLIENT[era]
        yield ABLE_CLIENT[era]


async def survey(server: Asked, most: tuple[int, int]) -> Surveyed:
    """Everything one server defines; `most` entries and pages of a list are taken."""
    found = _Finds()
    for client in clients():
        problem = await _ask(server, client, most, found)
        if problem is not None:
            return found.result(problem)
    return found.result(None)


async def _ask(
    server: Asked, client: ClientFacts, most: tuple[int, int], found: _Finds
) -> Failure | None:
    reply = await server.send(Call(method="server/discover", client=client))
    if isinstance(reply, Failure):
        return reply
    found.version = version_of(reply.raw) or found.version
    found.add(ITSELF, about_of(reply.raw))
    found.met.add(("server", client.era))
    for method, subject in PINNED.items():
        section, _ = await read_pages(
            server.name,
            server.send,
            LISTS[method],
            Call(method=method, client=client),
            most=most,
            most_bytes=CatalogSettings().most_bytes,
        )
        if section.problem is not None:
            return section.problem
        for item in section.items:
            found.add((subject, item.key), item.raw.encode())
        found.met.add((subject, client.era))
    return None


class _Finds:
    def __init__(self) -> None:
        self.entries: dict[Thing, Entry] = {}
        self.met: set[tuple[str, Era]] = set()
        self.version: str | None = None
        self.odd: dict[Thing, str] = {}

    def add(self, thing: Thing, data: bytes) -> None:
        try:
            definition = read(data)
            value: Any = value_of(definition.data)
        except Unreadable as error:
            self.odd[thing] = str(error)
            return
        entry = self.entries.get(thing, Entry())
        self.entries[thing] = added(entry, Pin(definition.fingerprint, value, "", ""))

    def result(self, problem: Failure | None) -> Surveyed:
        return Surveyed(self.entries, frozenset(self.met), self.version, problem, self.odd)
