"""The rules of access, from configuration to what callers see and are asked.

Must not know: how rules are applied, how files are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from lockgate.config.access import (
    ArgumentSettings,
    RuleSettings,
    Scalars,
    ThingsSettings,
    WhoSettings,
)
from lockgate.config.flows import FlowSettings
from lockgate.config.model import Config
from lockgate.config.secrets import secret_name
from lockgate.core.clock import Clock
from lockgate.core.flowing import Answered
from lockgate.core.match import ByTool
from lockgate.core.message import Kind
from lockgate.core.once import Once
from lockgate.core.policy import AnyPolicy
from lockgate.core.sight import Everything, SightOf
from lockgate.core.targets import Things, Words
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.hints import ToolHints
from lockgate.gateway.sights import OPERATOR
from lockgate.identity.access import Book, ScopesOf
from lockgate.identity.arguments import Among, Condition
from lockgate.identity.rules import KINDS, HintsOf, Rule, What, Who, no_hints
from lockgate.identity.sights import AccessSights
from lockgate.observe.decisions import record_decision
from lockgate.policies.approval import Approval, ApprovalSettings
from lockgate.policies.flows import Flow, Flows
from lockgate.wire.seal import KeyRing

_KINDS: Final[Mapping[str, frozenset[Kind]]] = {
    "all": KINDS,
    "tools": frozenset({"tool"}),
    "resources": frozenset({"resource", "template"}),
    "prompts": frozenset({"prompt"}),
}
_NO_SCOPES: Final[frozenset[str]] = frozenset()


def restricts(config: Config) -> bool:
    """Whether anybody may be refused anything."""
    tools = (one for server in config.enabled.values() for one in server.tools.values())
    return config.lockgate.access.any or any(one.scopes for one in tools)


class Access:
    """What the rules of one configuration give an engine, and need of it once it is there."""

    def __init__(
        self,
        config: Config,
        within: SightOf | None,
        *,
        keys: KeyRing,
        once: Once,
        answered: Answered,
        clock: Clock,
        mask: Callable[[str], str],
    ) -> None:
        """`within` gives the sights of endpoints; None: there is one that shows everything.

        `once` and `answered` are what outlives configurations: questions asked, and what answered.
        """
        self.policies: list[AnyPolicy] = []
        """What stands before every server, outermost first."""
        self.sight_of = within
        self._hints = ToolHints()
        flows = config.lockgate.access.flows
        approves = any(one.approve for one in flows)
        if restricts(config):
            book = book_of(config, self._hints)
            within = within or _everything(config)
            self.sight_of = AccessSights(within, book, record_decision, exempt=OPERATOR)
            approves = approves or book.approves
        if approves:
            settings = approval_settings(config, mask)
            self.policies.append(Approval(settings, keys, once, clock))
        if flows:
            self.policies.append(Flows([_flow(*one) for one in enumerate(flows)], answered))

    def look_into(self, catalog: Catalog) -> None:
        """Read in this catalog what servers say of their tools."""
        self._hints.sections, self._hints.edition = catalog.sections, lambda: catalog.hands.edition


def _everything(config: Config) -> SightOf:
    settings = config.lockgate
    sight = Everything(
        servers=tuple(config.enabled),
        endpoint=settings.path,
        naming=config.naming,
        page_size=settings.page_size,
    )
    return lambda _: sight


def book_of(config: Config, hints_of: HintsOf = no_hints, places: Sequence[str] = ()) -> Book:
    """All rules; `places` are where they are written, for people."""
    settings = config.lockgate.access
    rules = [
        _rule(number, one, places[number] if number < len(places) else "")
        for number, one in enumerate(settings.rules)
    ]
    return Book(rules, scopes_of=_scopes_of(config), hints_of=hints_of)


def approval_settings(config: Config, mask: Callable[[str], str]) -> ApprovalSettings:
    """How people are asked."""
    settings = config.lockgate.access.approval
    masked = Words(settings.mask)
    return ApprovalSettings(
        wait=settings.wait,
        characters=settings.characters,
        hidden=lambda name: name in masked or secret_name(name),
        mask=mask,
    )


def _flow(number: int, settings: FlowSettings) -> Flow:
    return Flow(
        name=settings.name or f"flow {number + 1}",
        after=tuple(map(Things, settings.after)),
        verb=settings.verb,
        about=Things(settings.approve or settings.deny),
        within=settings.within,
    )


def _rule(number: int, settings: RuleSettings, place: str) -> Rule:
    return Rule(
        verb=settings.verb,
        name=settings.name or f"rule {number + 1}",
        what=tuple(_what(settings.things)),
        who=tuple(map(_who, settings.who)),
        unless=tuple(map(_who, settings.unless)),
        endpoints=_words(settings.endpoints),
        arguments=tuple(condition(name, one) for name, one in settings.args.items()),
        hints=tuple(settings.annotations.items()),
        scopes=frozenset(settings.scopes),
        place=place,
    )


def _what(things: ThingsSettings) -> Sequence[What]:
    """One for each server's pattern, with all that is named of it."""
    found: dict[tuple[str, str], list[str]] = {}
    for key, patterns in things.parts:
        for one in patterns:
            found.setdefault((key, one.server), []).append(one.name)
    return [
        What(_KINDS[key], Words([server]), Words(names)) for (key, server), names in found.items()
    ]


def _who(settings: WhoSettings) -> Who:
    return Who(
        ids=_words(settings.id),
        issuers=_words(settings.issuer),
        clients=_words(settings.client),
        groups=_words(settings.group),
        scopes=_words(settings.scope),
        claims=tuple(
            (tuple(name.split(".")), Words(values)) for name, values in settings.claims.items()
        ),
        authenticated=settings.authenticated,
    )


def _words(patterns: Sequence[str]) -> Words | None:
    return Words(patterns) if patterns else None


def condition(name: str, settings: ArgumentSettings) -> Condition:
    """One condition on the argument of this name."""
    return Condition(
        path=tuple(name.split(".")),
        text=f"{name}: {_told(settings)}",
        among=_among(settings.one_of),
        never=_among(settings.none_of),
        at_least=settings.at_least,
        at_most=settings.at_most,
        within=tuple(settings.within),
        present=settings.present,
    )


def _told(settings: ArgumentSettings) -> str:
    """As it is written, on one line."""
    said: dict[str, object] = settings.model_dump(exclude_unset=True)
    return ", ".join(f"{key} {_value(value)}" for key, value in said.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return " | ".join(map(str, cast("list[object]", value)))
    return str(value)


def _among(values: Scalars) -> Among | None:
    if not values:
        return None
    words = [one for one in values if isinstance(one, str)]
    return Among(Words(words), tuple(one for one in values if not isinstance(one, str)))


def _scopes_of(config: Config) -> ScopesOf:
    """What tools need by themselves: as with every setting of tools, the first match counts."""
    found = {
        name: ByTool(
            [(pattern, frozenset(one.scopes)) for pattern, one in server.tools.items()], _NO_SCOPES
        )
        for name, server in config.enabled.items()
        if any(one.scopes for one in server.tools.values())
    }

    def scopes_of(server: str, tool: str) -> frozenset[str]:
        known = found.get(server)
        return _NO_SCOPES if known is None else known[tool]

    return scopes_of
