"""Only what was approved is shown, and only what was approved can be called.

Must not know: files, how a definition is read, how lists are fetched.

    | a definition                                   | enforce            | warn             |
    |------------------------------------------------|--------------------|------------------|
    | is one of those approved under its name        | passes             | passes           |
    | is another one, or of a name nobody approved   | withheld, refused  | passes, is told  |
    | of a server whose identity is another one      | withheld, refused  | passes, is told  |
    | cannot be read without doubt                   | withheld, refused  | passes, is told  |
    | was denied                                     | withheld, refused  | passes, is told  |

What is withheld is on no list, and a gate before the server refuses it by name, whatever way the
name came (`lockgate.gateway.pin_gate`).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple
from weakref import ref

import msgspec
from msgspec.structs import replace

from lockgate.core.codes import CODES
from lockgate.core.message import Era, Failure
from lockgate.core.raw import Raw
from lockgate.gateway.guarding import Lists
from lockgate.gateway.listing import Item, ListMethod, Section
from lockgate.gateway.pin_gate import PinGate
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.pin_refusals import Doubt, State, refusal
from lockgate.gateway.views import View
from lockgate.guard.definition import Unreadable, read, value_of
from lockgate.guard.pins.about import about_of, bare, version_of
from lockgate.guard.pins.book import ITSELF, Subject, Thing
from lockgate.guard.pins.difference import touched

_log: Final = logging.getLogger("lockgate.pins")
Mode = Literal["enforce", "warn"]
PINNED: Final[Mapping[str, Subject]] = {
    "tools/list": "tool",
    "prompts/list": "prompt",
    "resources/templates/list": "template",
}
"""The lists whose entries are pinned. Resources are data: what they are called changes with it."""
MOST_KNOWN: Final = 50_000
"""Definitions whose fingerprints are remembered."""
MOST_SECTIONS: Final = 4096
"""Lists of which it is remembered what was judged."""


class Pinned(msgspec.Struct, frozen=True):
    """How one server is held: `identity` is what the configuration starts or connects to."""

    mode: Mode
    identity: Mapping[str, Any]


class Known(NamedTuple):
    """What was read of a definition.

    fingerprint  None: it cannot be read, and `other` says why.
    other        what is forwarded in its place, where readers would not agree on the original.
    """

    fingerprint: str | None
    other: bytes | str | None = None


class Fingerprints:
    """Each definition is read once, however often it is listed. Bounded."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def of(self, data: bytes) -> Known:
        """What is known of these bytes."""
        key = sha256(data).digest()
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _read(data)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return known


def _read(data: bytes) -> Known:
    try:
        definition = read(data)
    except Unreadable as error:
        return Known(None, str(error))
    return Known(definition.fingerprint, None if definition.data is data else definition.data)


def _value(data: bytes, known: Known) -> Any:
    return value_of(known.other if isinstance(known.other, bytes) else data)


_Judged = tuple[ref[Section], int, dict[str, Failure]]
"""A list, the edition of the book it was held against, and what is doubted of it."""


class Pinning:
    """The pins of one configuration's servers: a `Vetting`, and what first use learns from."""

    def __init__(self, keeper: PinKeeper, servers: Mapping[str, Pinned]) -> None:
        """`servers`: those that are held at all; the others are nobody's business here."""
        self._keeper = keeper
        self._servers = servers
        self._identities = {name: one.identity for name, one in servers.items()}
        self._fingerprints = Fingerprints()
        self._judged: OrderedDict[int, _Judged] = OrderedDict()
        self.gates = {name: PinGate(name) for name, one in servers.items() if one.mode == "enforce"}
        self._relearn: Callable[[], None] = lambda: None
        keeper.meet(self._identities)

    def look_into(self, lists: Lists) -> None:
        """Lists are kept there."""
        self._relearn = lists.relearn
        for gate in self.gates.values():
            gate.look_into(lists)

    # Learning, before anything is shown.

    def learned(self, entry: ListMethod, section: Section, view: View) -> None:
        """A list was read. The first of its kind is recorded, on first use; all are judged."""
        subject, held = PINNED.get(entry.method), self._servers.get(section.server)
        if subject is None or held is None or section.problem is not None:
            return
        keeper, server = self._keeper, section.server
        if keeper.believes(server, subject, view.era):
            keeper.believe(server, subject, view.era, self._things(subject, section.items))
        elif keeper.forgets and keeper.is_new((server, subject, view.era, view.capabilities)):
            # Nobody could ever approve what a client of other abilities is shown besides.
            names = self._approved(held, server, subject)
            fresh = [one for one in section.items if one.key not in names]
            keeper.believe(server, subject, view.era, self._things(subject, fresh))
        gate = self.gates.get(server)
        if gate is not None:
            doubts = self._doubts(held, section, subject)
            gate.learned(subject, view, doubts, self._approved(held, server, subject))

    def _approved(self, held: Pinned, server: str, subject: Subject) -> frozenset[str]:
        """The names under which something of this kind was approved."""
        pins = self._keeper.of(server, held.identity)
        if pins is None:
            return frozenset()
        return frozenset(
            name
            for (kind, name), entry in pins.entries.items()
            if kind == subject and entry.pins and entry.denied is None
        )

    def _things(self, subject: Subject, items: Iterable[Item]) -> list[tuple[Thing, str, Any]]:
        found: list[tuple[Thing, str, Any]] = []
        for item in items:
            data = item.raw.encode()
            known = self._fingerprints.of(data)
            if known.fingerprint is not None:
                found.append(((subject, item.key), known.fingerprint, _value(data, known)))
        return found

    def curious(self, server: str) -> bool:
        """On first use; what servers list for some clients alone is to be recorded as well."""
        return server in self._servers and self._keeper.open(server)

    def surveyed(self, server: str) -> None:
        """First use of its lists is over, also in an era that it was not asked in."""
        if server in self._servers:
            self._keeper.over(server, PINNED.values())

    def said(self, server: str, facts: Raw, era: Era) -> None:
        """A server has said who it is; recorded as `learned` does."""
        if server in self._servers and self._keeper.believes(server, "server", era):
            data = about_of(facts)
            known = self._fingerprints.of(data)
            if known.fingerprint is not None:
                one = (ITSELF, known.fingerprint, _value(data, known))
                self._keeper.believe(server, "server", era, [one], version_of(facts))

    # Judging.

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era) -> Sequence[Section]:
        """See `lockgate.gateway.guarding.Vetting`. What was believed is on the disk before that."""
        del era
        self._flush()
        subject = PINNED.get(entry.method)
        return sections if subject is None else [self._vetted(one, subject) for one in sections]

    def _flush(self) -> None:
        edition = self._keeper.edition
        self._keeper.flush()
        if self._keeper.edition != edition:
            # Somebody else has recorded other things first, and theirs count.
            self._relearn()

    def _vetted(self, section: Section, subject: Subject) -> Section:
        held = self._servers.get(section.server)
        if held is None:
            return section
        doubts = self._doubts(held, section, subject)
        if held.mode != "enforce":
            return section
        items = tuple(self._forwarded(one) for one in section.items if one.key not in doubts)
        if not doubts and all(new is old for new, old in zip(items, section.items, strict=True)):
            return section
        return replace(section, items=items, withheld={**section.withheld, **doubts})

    def _forwarded(self, item: Item) -> Item:
        """What is shown is what was inspected: where the text could be read otherwise, not it."""
        other = self._fingerprints.of(item.raw.encode()).other
        return Item(item.key, Raw(other)) if isinstance(other, bytes) else item

    def _doubts(self, held: Pinned, section: Section, subject: Subject) -> dict[str, Failure]:
        """Why entries of a list are withheld, by their names; judged once for each list."""
        known = self._judged.get(id(section))
        edition = self._keeper.edition
        if known is not None and known[0]() is section and known[1] == edition:
            return known[2]
        doubts: dict[str, Failure] = {}
        for item in section.items:
            doubt = self._doubt(held, section.server, (subject, item.key), item.raw.encode())
            if doubt is not None:
                doubts.setdefault(item.key, doubt)
        if doubts:
            self._keeper.publish(self._identities)
        # A list that nobody keeps any more is not kept here either.
        self._judged[id(section)] = ref(section), edition, doubts
        if len(self._judged) > MOST_SECTIONS:
            self._judged.popitem(last=False)
        return doubts

    def _doubt(self, held: Pinned, server: str, thing: Thing, data: bytes) -> Failure | None:
        pins = self._keeper.of(server, held.identity)
        known = self._fingerprints.of(data)
        if known.fingerprint is None:
            return self._told(held, Doubt("unreadable", server, thing, (), str(known.other)), "")
        if pins is not None and pins.of(thing).has(known.fingerprint):
            return None
        value = _value(data, known)
        self._keeper.withhold(server, thing, known.fingerprint, value)
        return self._told(held, self._found(held, server, thing, value), known.fingerprint)

    def _found(self, held: Pinned, server: str, thing: Thing, value: Any) -> Doubt:
        """What is wrong with a definition that was not approved."""
        pins = self._keeper.of(server, held.identity)
        if pins is None:
            known = server in self._keeper.book.servers
            return Doubt("identity" if known else "unknown", server, thing)
        entry = pins.of(thing)
        if entry.denied is not None or not entry.pins:
            state: State = "new" if entry.denied is None else "denied"
            return Doubt(state, server, thing)
        return Doubt("changed", server, thing, touched(entry.pins[-1].definition, value))

    def _told(self, held: Pinned, doubt: Doubt, mark: str) -> Failure:
        """The refusal, told to the log as well, once for each definition."""
        failure = refusal(doubt)
        whole = doubt.state in ("unknown", "identity")
        about = refusal(doubt._replace(thing=ITSELF)) if whole else failure
        known = (ITSELF, doubt.state) if whole else (doubt.thing, f"{doubt.state} {mark}")
        if self._keeper.news(doubt.server, *known):
            passes = "" if held.mode == "enforce" else " It passes all the same (pins: warn)."
            code = CODES.get(about.reason)
            extra = {"server": doubt.server, "code": code, "remedy": about.remedy}
            _log.warning("%s%s", about.message, passes, extra=extra)
        return failure

    def introduced(self, server: str, facts: Raw) -> Raw:
        """See `lockgate.gateway.guarding.Vetting`."""
        self._flush()
        held = self._servers.get(server)
        if held is None:
            return facts
        whole = self._fingerprints.of(facts.encode())
        if isinstance(whole.other, bytes):
            facts = Raw(whole.other)
        doubt = self._doubt(held, server, ITSELF, about_of(facts))
        if doubt is None:
            return facts
        self._keeper.publish(self._identities)
        return bare(facts) if held.mode == "enforce" else facts
