"""What the rules say of one thing, and of one call of it. Pure; see `lockgate.identity.rules`.

Must not know: configuration files, how callers are recognised, engines, the wording of refusals.

A question is answered in two steps. What can be known without the call (which rules are about this
caller's class and this thing) is an `Entry`, found once and kept; what the call brings (arguments,
the caller's scopes) is weighed each time, and only where the entry leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

import msgspec

from lockgate.core.message import Kind, Principal
from lockgate.core.targets import Words
from lockgate.identity.arguments import all_hold, all_may_hold
from lockgate.identity.index import Index
from lockgate.identity.rules import (
    KINDS,
    Hints,
    HintsOf,
    Rule,
    What,
    forms_of,
    no_hints,
)

Answer = Literal["allow", "approve", "scopes", "deny", "hide"]

EVERYTHING: Final = What(KINDS, Words(["*"]), Words(["*"]))
NO_RULES: Final = Rule(verb="allow", name="no rule exists", what=(EVERYTHING,))
"""What stands for the rules where there are none: then everything is allowed."""
UNKNOWN: Final = object()
"""Arguments that are not there to be judged, as in completion, or that nobody can read."""
_NONE: Final[frozenset[str]] = frozenset()

ScopesOf = Callable[[str, str], frozenset[str]]
"""What every call of a server's tool needs, whatever the rules say."""


def no_scopes(server: str, tool: str) -> frozenset[str]:
    """No tool needs any."""
    del server, tool
    return _NONE


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a call.

    rule    the one that decided; None: that there is none did.
    scopes  of the answer `scopes`: all that this call needs, whether the caller has it or not.
    """

    answer: Answer
    rule: Rule | None = None
    scopes: frozenset[str] = _NONE


class Entry(msgspec.Struct, frozen=True, eq=False):
    """The rules about one thing for one class of callers, by what they do.

    free  the verdict on every call of it, where neither arguments nor scopes can change it.
    """

    hide: Rule | None
    deny: tuple[Rule, ...]
    approve: tuple[Rule, ...]
    allow: tuple[Rule, ...]
    scopes: frozenset[str]
    free: Verdict | None = None

    @property
    def shown(self) -> bool:
        """Whether there is such a thing for these callers."""
        return self.hide is None and bool(self.allow)

    @property
    def reads(self) -> bool:
        """Whether the arguments of a call decide anything."""
        return any(one.arguments for one in (*self.deny, *self.approve, *self.allow))

    def weigh(
        self, scopes: Collection[str], arguments: object = UNKNOWN, *, asks: bool = True
    ) -> Verdict:
        """The verdict on a call.

        Args:
            scopes: what the caller has.
            arguments: the call's own, decoded.
            asks: whether a person can be asked about calls of its method at all.
        """
        if not self.shown:
            return Verdict("hide", self.hide)
        for rule in self.deny:
            if all_may_hold(rule.arguments, arguments):
                return Verdict("deny", rule)
        fitting = [one for one in self.allow if all_hold(one.arguments, arguments)]
        if not fitting:
            return Verdict("deny")
        able = next((one for one in fitting if (self.scopes | one.scopes).issubset(scopes)), None)
        if able is None:
            nearest = min(fitting, key=lambda one: len(one.scopes.difference(scopes)))
            return Verdict("scopes", nearest, self.scopes | nearest.scopes)
        for rule in self.approve if asks else ():
            if all_may_hold(rule.arguments, arguments):
                return Verdict("approve", rule)
        return Verdict("allow", able)


NOTHING: Final = Entry(None, (), (), (), _NONE, Verdict("hide"))
"""What there is of a thing that does not exist."""


class Book:
    """All rules, and what tools need beside."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        scopes_of: ScopesOf = no_scopes,
        hints_of: HintsOf = no_hints,
    ) -> None:
        """`scopes_of` and `hints_of`: what each tool needs, and what its server says of it."""
        self.rules = tuple(rules)
        self.scopes_of = scopes_of
        self.hints_of = hints_of
        self.tells_apart = any(rule.tells_apart for rule in rules)
        self.approves = any(rule.verb == "approve" for rule in rules)

    def about(self, principal: Principal) -> int:
        """The class of a caller: a bit for each rule that is about it, the first rule lowest."""
        bits = 0
        for number, rule in enumerate(self.rules):
            if rule.about(principal):
                bits |= 1 << number
        return bits

    def of(self, bits: int, endpoint: str) -> Extract:
        """The rules for a class of callers at an endpoint."""
        mine = [
            rule
            for number, rule in enumerate(self.rules)
            if bits >> number & 1 and rule.at(endpoint)
        ]
        return Extract(self, mine)


class Extract:
    """The rules that are about one class of callers at one endpoint."""

    def __init__(self, book: Book, rules: Sequence[Rule]) -> None:
        self._book = book
        self._rules = tuple(rules) if book.rules else (NO_RULES,)
        self._of_server: dict[str, Index] = {}
        self._entries: dict[tuple[tuple[Rule, ...], frozenset[str]], Entry] = {}
        self.hints = any(rule.hints for rule in self._rules)

    def _on(self, server: str) -> Index:
        """The rules about anything of a server."""
        found = self._of_server.get(server)
        if found is None:
            about = [one for one in self._rules if any(server in it.servers for it in one.what)]
            found = self._of_server[server] = Index(server, about)
        return found

    def sees(self, server: str) -> bool:
        """Whether anything of a server may be shown."""
        rules = self._on(server).rules
        return any(r.grants for r in rules) and not any(
            r.verb == "hide" and not r.hints and _covers_all(r, server) for r in rules
        )

    def sees_all(self, server: str) -> bool:
        """Whether everything of a server is shown for certain."""
        rules = self._on(server).rules
        return not any(r.verb == "hide" for r in rules) and any(
            r.grants and not r.hints and _covers_all(r, server) for r in rules
        )

    def entry(self, server: str, kind: Kind, name: str) -> Entry:
        """The rules about one thing; equal ones are one object."""
        forms = forms_of(kind, name)
        able = self._on(server).about(forms)
        found = tuple(rule for rule in able if rule.covers(kind, server, forms))
        if self.hints and any(rule.hints for rule in found):
            variants = self.variants(server, kind, name)
            found = tuple(r for r in found if not r.hints or (variants and r.hinted(variants)))
        scopes = self._book.scopes_of(server, name) if kind == "tool" else _NONE
        key = found, scopes
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _entry(found, scopes)
        return entry

    def variants(self, server: str, kind: Kind, name: str) -> Sequence[Hints]:
        """The annotations of a thing; nothing but tools has any."""
        return self._book.hints_of(server, name) if kind == "tool" else ()


def _entry(rules: Sequence[Rule], scopes: frozenset[str]) -> Entry:
    by_verb = {
        verb: tuple(rule for rule in rules if rule.verb == verb)
        for verb in ("hide", "deny", "approve", "allow")
    }
    hide, deny, approve, allow = by_verb.values()
    entry = Entry(hide[0] if hide else None, deny, approve, allow, scopes)
    return msgspec.structs.replace(entry, free=_free(entry))


def _free(entry: Entry) -> Verdict | None:
    """The one verdict there can be, if there is one."""
    if not entry.shown:
        return entry.weigh(_NONE)
    flat = next((rule for rule in entry.deny if not rule.arguments), None)
    if flat is not None:
        return Verdict("deny", flat)
    easy = next((one for one in entry.allow if not one.arguments and not one.scopes), None)
    if entry.deny or entry.approve or entry.scopes or easy is None:
        return None
    return Verdict("allow", easy)


def _covers_all(rule: Rule, server: str) -> bool:
    """Whether a rule is about everything of a server, of every kind."""
    kinds = {
        kind
        for one in rule.what
        if one.names.everything and server in one.servers
        for kind in one.kinds
    }
    return kinds >= KINDS


__all__ = [
    "EVERYTHING",
    "NOTHING",
    "NO_RULES",
    "UNKNOWN",
    "Answer",
    "Book",
    "Entry",
    "Extract",
    "Verdict",
]
