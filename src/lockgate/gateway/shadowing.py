"""Everything that is shown together is held against one another: a `Vetting`.

Must not know: what shadows what (`lockgate.guard.shadowing`), or what is done about it
(`lockgate.gateway.withholding`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from lockgate.core.message import Era, Failure
from lockgate.core.raw import Raw
from lockgate.gateway.listing import ListMethod, Section
from lockgate.gateway.studying import MOST_BYTES
from lockgate.gateway.withholding import Withholding
from lockgate.guard.shadowing import Listed, Mention, judge, mentions

_MOST: Final = 20_000
"""Definitions of which it is remembered whom they mention, and names that were there before."""


class Shadowing:
    """Keeps to itself what shadows something else; what was there first stays."""

    def __init__(self, withholding: Withholding) -> None:
        self._withholding = withholding
        self._mentions: OrderedDict[bytes, tuple[Mention, ...]] = OrderedDict()
        self._known: dict[str, OrderedDict[tuple[str, str], None]] = {}

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era) -> Sequence[Section]:
        """See `lockgate.gateway.guarding.Vetting`."""
        named = entry.key == "name"
        listed = [one for section in sections for one in self._listed(section, named=named)]
        known = self._known.setdefault(entry.kind, OrderedDict())
        found = judge(listed, known.keys(), names=named)
        vetted: list[Section] = []
        for section in sections:
            refused: dict[str, Failure] = {}
            for item in section.items:
                findings = found.get((section.server, item.key), ())
                why = self._withholding.verdict(section.server, entry.kind, item.key, findings)
                if why is None:
                    known[section.server, item.key] = None
                else:
                    refused[item.key] = why
            vetted.append(self._withholding.without(entry, section, era, refused))
        while len(known) > _MOST:
            known.popitem(last=False)
        return vetted

    def introduced(self, server: str, facts: Raw) -> Raw:
        """See `lockgate.gateway.guarding.Vetting`: what servers say of themselves is as it is."""
        del server
        return facts

    def _listed(self, section: Section, *, named: bool) -> Iterator[Listed]:
        left = MOST_BYTES if named else 0
        for item in section.items:
            data = item.raw.encode()
            left -= len(data)
            yield Listed(section.server, item.key, self._mentioned(data) if left >= 0 else ())

    def _mentioned(self, data: bytes) -> tuple[Mention, ...]:
        found = self._mentions.get(_key(data))
        if found is None:
            found = mentions(msgspec.json.decode(data, type=dict[str, object]))
            self.remember(data, found)
        return found

    def remember(self, data: bytes, spoken: tuple[Mention, ...]) -> None:
        """Whom a definition mentions."""
        self._mentions[_key(data)] = spoken
        if len(self._mentions) > _MOST:
            self._mentions.popitem(last=False)


def _key(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
