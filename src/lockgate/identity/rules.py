"""Rules of access: who may use what. Pure: questions in, answers out.

Must not know: configuration files, how callers are recognised, who enforces an answer.

A rule has one verb, and matches a call when its target, its caller, its endpoint and, where the
rule names them, its arguments and the tool's annotations all match. `allow` alone grants; the other
three only ever take away, whoever wrote which first:

    | of the rules that match, there is | then the call                                           |
    |-----------------------------------|---------------------------------------------------------|
    | a `hide`                          | is answered as if its target did not exist              |
    | no `allow`                        | the same: what no rule allows is not there              |
    | a `deny`                          | is refused, and told so; its target is listed           |
    | an `allow`, its scopes missing    | is refused, with the scopes that would do               |
    | an `approve`                      | waits for a person to say yes                           |
    | none of these                     | goes through                                            |

So the order of rules means nothing, and no rule but an `allow` can ever let anybody do more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import msgspec

from lockgate.core.message import ANONYMOUS, Kind, Principal
from lockgate.core.targets import Words, readings
from lockgate.identity.arguments import Condition

Verb = Literal["allow", "deny", "hide", "approve"]
Hints = Mapping[str, object]
HintsOf = Callable[[str, str], Sequence[Hints]]
"""The annotations of a server's tool, in each form in which it is listed to anybody."""

KINDS: Final[frozenset[Kind]] = frozenset({"tool", "resource", "template", "prompt"})
URIS: Final = frozenset({"resource", "template"})
HINTS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": True,
    }
)
"""What the specification takes for granted of a tool that says nothing."""
_NO_HINTS: Final[Sequence[Hints]] = ({},)
_NO_CLAIM: Final = object()


def no_hints(server: str, tool: str) -> Sequence[Hints]:
    """Nothing is known of any tool."""
    del server, tool
    return _NO_HINTS


class What(msgspec.Struct, frozen=True):
    """Things of servers, by pattern."""

    kinds: frozenset[Kind]
    servers: Words
    names: Words

    def covers(self, kind: Kind, server: str, forms: Sequence[str], *, every: bool) -> bool:
        """Whether a thing is one of these, in every or in any of the forms of its name."""
        if kind not in self.kinds or server not in self.servers:
            return False
        if self.names.everything:
            return True
        found = (form in self.names for form in forms)
        return bool(forms) and all(found) if every else not forms or any(found)


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Callers: each member that is set has to match, by any of its patterns."""

    ids: Words | None = None
    issuers: Words | None = None
    clients: Words | None = None
    groups: Words | None = None
    scopes: Words | None = None
    claims: tuple[tuple[tuple[str, ...], Words], ...] = ()
    authenticated: bool | None = None

    def matches(self, principal: Principal) -> bool:
        """Whether a caller is one of them."""
        known = principal.id != ANONYMOUS.id
        if self.authenticated is not None and self.authenticated is not known:
            return False
        one = (
            (self.ids, principal.id),
            (self.issuers, principal.issuer),
            (self.clients, principal.client),
        )
        if any(words is not None and value not in words for words, value in one):
            return False
        many = ((self.groups, principal.groups), (self.scopes, principal.scopes))
        if any(words is not None and not _any(words, values) for words, values in many):
            return False
        return all(_any(words, _claim(principal.claims, path)) for path, words in self.claims)


class Rule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One rule.

    name    what logs and people call it.
    place   where it is written, `file:line`.
    who     callers it is about: any of these; none: every caller.
    unless  callers it is not about after all.
    scopes  of an `allow`: what the caller needs beside.
    """

    verb: Verb
    name: str
    what: tuple[What, ...]
    who: tuple[Who, ...] = ()
    unless: tuple[Who, ...] = ()
    endpoints: Words | None = None
    arguments: tuple[Condition, ...] = ()
    hints: tuple[tuple[str, bool], ...] = ()
    scopes: frozenset[str] = frozenset()
    place: str = ""

    @property
    def grants(self) -> bool:
        """Whether it lets anybody do anything."""
        return self.verb == "allow"

    @property
    def tells_apart(self) -> bool:
        """Whether it is about some callers and not about others."""
        return bool(self.who or self.unless)

    def about(self, principal: Principal) -> bool:
        """Whether it is about this caller."""
        if self.who and not any(one.matches(principal) for one in self.who):
            return False
        return not any(one.matches(principal) for one in self.unless)

    def at(self, endpoint: str) -> bool:
        """Whether it holds at this endpoint."""
        return self.endpoints is None or endpoint in self.endpoints

    def covers(self, kind: Kind, server: str, forms: Sequence[str]) -> bool:
        """Whether it is about this thing; what grants needs it in every form of its name."""
        every = self.grants
        return any(one.covers(kind, server, forms, every=every) for one in self.what)

    def hinted(self, variants: Sequence[Hints]) -> bool:
        """Whether a tool is annotated as it asks; what grants needs it in every variant."""
        if not self.hints:
            return True
        found = (all(_hint(one, name) is value for name, value in self.hints) for one in variants)
        return all(found) if self.grants else any(found)


def forms_of(kind: Kind, name: str) -> Sequence[str]:
    """Every way in which a server may read a name."""
    return readings(name) if kind in URIS else (name,)


def _hint(hints: Hints, name: str) -> bool:
    if name == "destructiveHint" and hints.get("readOnlyHint") is True:
        return False  # it means something only for tools that change anything
    value = hints.get(name)
    return value if isinstance(value, bool) else HINTS[name]


def _any(words: Words, values: Collection[str]) -> bool:
    return any(value in words for value in values)


def _claim(claims: Mapping[str, Any], path: Sequence[str]) -> Collection[str]:
    """A claim's value, or its values, as text; a dotted name leads into objects."""
    whole = ".".join(path)
    value: Any = claims.get(whole, _NO_CLAIM)
    if value is _NO_CLAIM:
        value = claims
        for step in path:
            value = (
                cast("Mapping[str, Any]", value).get(step, _NO_CLAIM)
                if isinstance(value, Mapping)
                else _NO_CLAIM
            )
    values = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
    return [_text(one) for one in values if isinstance(one, str | int | float)]


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
