"""What each caller sees: an endpoint, as the rules of access leave it.

Must not know: configuration files, fronts, lists. Callers about whom the same rules are share one
sight, however many they are; what has been asked once is a look into a table.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Final
from weakref import ref

import msgspec

from lockgate.core.message import Call, Failure, Kind, Principal
from lockgate.core.names import Naming
from lockgate.core.policy import Decision, Observe
from lockgate.core.sight import Sight, SightOf
from lockgate.identity.access import NOTHING, UNKNOWN, Book, Entry, Extract, Verdict
from lockgate.identity.refusals import refusal
from lockgate.identity.rules import Rule
from lockgate.wire.envelope import unreadable

__all__ = ["APPROVED", "ASKABLE", "AccessSights", "Ruled"]

APPROVED: Final = "approved"
"""Among the facts of a call that a person has said yes to."""
ASKABLE: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods whose callers may be asked something before they are answered."""
WITH_ARGUMENTS: Final = frozenset({"tools/call", "prompts/get"})
MOST_CALLERS: Final = 8192
MOST_SIGHTS: Final = 1024
MOST_THINGS: Final = 20_000
POLICY: Final = "access"

_Thing = tuple[str, Kind, str]


class Ruled:
    """The sight of one class of callers at one endpoint."""

    def __init__(
        self, bits: int, within: Sight, extract: Extract, observe: Observe | None, *, personal: bool
    ) -> None:
        """`within` is the endpoint's own sight: what it does not show, no rule does."""
        self._within = within
        self._extract = extract
        self._observe = observe
        self._things: dict[_Thing, Entry] = {}
        self._allowed: dict[Rule | None, Decision] = {}
        self.key: Hashable = (within.key, bits)
        self.servers: Collection[str] = tuple(filter(extract.sees, within.servers))
        self.whole = within.whole and all(map(extract.sees_all, self.servers))
        self.personal = within.personal or personal

    @property
    def endpoint(self) -> str:
        """See `Sight.endpoint`."""
        return self._within.endpoint

    @property
    def naming(self) -> Naming:
        """See `Sight.naming`."""
        return self._within.naming

    @property
    def page_size(self) -> int:
        """See `Sight.page_size`."""
        return self._within.page_size

    @property
    def instructions(self) -> str | None:
        """See `Sight.instructions`."""
        return self._within.instructions

    def shows(self, server: str, kind: Kind, name: str, /) -> bool:
        """See `Sight.shows`."""
        if kind == "task":
            return server in self.servers and self._within.shows(server, kind, name)
        return self.entry(server, kind, name).shown

    def entry(self, server: str, kind: Kind, name: str) -> Entry:
        """The rules about a thing, kept for the next time."""
        thing = server, kind, name
        found = self._things.get(thing)
        if found is None:
            if not self._within.shows(server, kind, name):
                found = NOTHING
            else:
                found = self._extract.entry(server, kind, name)
                if self._extract.hints and kind == "tool":
                    return found  # a tool's annotations may be others the next time
            if len(self._things) >= MOST_THINGS:
                self._things.clear()
            self._things[thing] = found
        return found

    def judge(self, call: Call, /) -> Failure | None:
        """See `Sight.judge`."""
        refused = self._within.judge(call)
        target = call.target
        if refused is not None or target is None or target.kind == "task":
            return refused
        entry = self.entry(target.server, target.kind, target.name)
        verdict = entry.free
        if verdict is None:
            try:
                verdict = self.weigh(entry, call)
            except msgspec.MsgspecError:
                return unreadable()
        if verdict.answer == "allow" or (verdict.answer == "approve" and APPROVED in call.facts):
            if self._observe is not None:
                self._observe(call, self._allowed.get(verdict.rule) or self._by(verdict.rule))
            return None
        return refusal(verdict, target, call.principal.scopes)

    def _by(self, rule: Rule | None) -> Decision:
        """What is recorded of calls that this rule allows: the same for all of them."""
        name = rule.name if rule is not None else None
        made = self._allowed[rule] = Decision(POLICY, "allowed", 0.0, rule=name)
        return made

    def weigh(self, entry: Entry, call: Call) -> Verdict:
        """What becomes of a call of this thing.

        Raises:
            msgspec.MsgspecError: its arguments cannot be read.
        """
        arguments: object = UNKNOWN
        if call.method in WITH_ARGUMENTS and entry.reads:
            # Looking at them makes what was understood here what the server is sent.
            arguments = call.params.get("arguments")
            arguments = {} if arguments is None else arguments
        asks = call.method in ASKABLE
        return entry.weigh(call.principal.scopes, arguments, asks=asks)


class AccessSights:
    """The sight of each call: see `lockgate.core.sight.SightOf`."""

    def __init__(
        self,
        within: SightOf,
        book: Book,
        observe: Observe | None = None,
        exempt: Principal | None = None,
    ) -> None:
        """`within` gives the sights of endpoints; `observe` hears of every call a rule allows.

        For `exempt`, by identity, there are no rules.
        """
        self._exempt = exempt
        self._within = within
        self._book = book
        self._observe = observe
        # By weak reference: a caller has its token with it, which must not live on for our sake.
        self._callers: dict[tuple[int, str], tuple[ref[Principal], Sight, Sight]] = {}
        self._sights: dict[tuple[Hashable, int], tuple[Sight, Ruled]] = {}

    def __call__(self, call: Call) -> Sight:
        """The sight of a call."""
        within, principal = self._within(call), call.principal
        key = id(principal), within.endpoint
        known = self._callers.get(key)
        if known is not None and known[0]() is principal and known[1] is within:
            return known[2]
        sight = within if principal is self._exempt else self.of(principal, within)
        if len(self._callers) >= MOST_CALLERS:
            self._callers.clear()
        self._callers[key] = ref(principal), within, sight
        return sight

    def of(self, principal: Principal, within: Sight) -> Ruled:
        """The sight of a caller, shared with everybody of the same class."""
        bits = self._book.about(principal)
        key = within.key, bits
        known = self._sights.get(key)
        if known is not None and known[0] is within:
            return known[1]
        if len(self._sights) >= MOST_SIGHTS:
            self._sights.clear()
        extract = self._book.of(bits, within.endpoint)
        sight = Ruled(bits, within, extract, self._observe, personal=self._book.tells_apart)
        self._sights[key] = within, sight
        return sight
