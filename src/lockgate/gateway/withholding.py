"""What is done about a finding, by the settings of its server; and what is withheld because of it.

Must not know: how anything is found, or configuration files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Call, Era, Failure
from lockgate.gateway.listing import ListMethod, Section
from lockgate.guard.finding import Finding, Severity
from lockgate.wire.jsonrpc import FORBIDDEN

Doing = Literal["refuse", "warn", "off"]
Told = Callable[[str, str, str, Finding, str], None]
"""(server, kind, name, finding, what is done about it)"""

_MOST: Final = 4096


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about the findings of one server. `allow`: by name, `*` for every name."""

    block: Doing = "refuse"
    review: Doing = "warn"
    kinds: Mapping[str, Doing] = {}
    allow: Mapping[str, Sequence[str]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is ever done."""
        return {self.block, self.review, *self.kinds.values()} == {"off"}

    def of(self, name: str, finding: Finding) -> Doing:
        """What is done about one finding of what is called `name`."""
        if finding.id in self.allow.get(name, ()) or finding.id in self.allow.get("*", ()):
            return "off"
        named = self.kinds.get(finding.id)
        if named is not None:
            return named
        by: dict[Severity, Doing] = {"block": self.block, "review": self.review, "note": "off"}
        return by[finding.severity]


class Withholding:
    """Moves what is refused out of lists, tells of the rest, and remembers what is refused."""

    def __init__(self, rules: Mapping[str, Rules], told: Told) -> None:
        """`rules`: by server; nothing is done about the others."""
        self._rules = {name: one for name, one in rules.items() if not one.idle}
        self._told = told
        self.withheld: OrderedDict[tuple[str, str, Era], Mapping[str, Failure]] = OrderedDict()
        """By server, kind and era: why each of these is withheld."""

    def concerns(self, server: str) -> bool:
        """Whether anything is ever done about this server's findings."""
        return server in self._rules

    def verdict(
        self, server: str, kind: str, name: str, findings: Iterable[Finding]
    ) -> Failure | None:
        """Why this is withheld, if it is. What is done, and because of what, is told."""
        rules = self._rules.get(server)
        if rules is None:
            return None
        done = [(finding, rules.of(name, finding)) for finding in findings]
        refused = [finding for finding, doing in done if doing == "refuse"]
        for finding in refused or [finding for finding, doing in done if doing == "warn"]:
            self._told(server, kind, name, finding, "refuse" if refused else "warn")
        return refusal(server, kind, name, refused[0]) if refused else None

    def without(
        self, entry: ListMethod, section: Section, era: Era, refused: Mapping[str, Failure]
    ) -> Section:
        """The section without what is refused."""
        key = section.server, entry.kind, era
        self.withheld.pop(key, None)
        if not refused:
            return section
        self.withheld[key] = refused
        if len(self.withheld) > _MOST:
            self.withheld.popitem(last=False)
        items = tuple(item for item in section.items if item.key not in refused)
        return replace(section, items=items, withheld={**section.withheld, **refused})

    def refused(self, call: Call) -> Failure | None:
        """Why what a call is about is withheld, if it is."""
        target = call.target
        if target is None or not self.withheld:
            return None
        found = self.withheld.get((target.server, target.kind, call.client.era))
        return None if found is None else found.get(target.name)


def refusal(server: str, kind: str, name: str, finding: Finding) -> Failure:
    """What a caller is told. The text that was found is not repeated: models read errors."""
    shown = shortened(visible(name), 100)
    return Failure(
        code=FORBIDDEN,
        message=f"The {kind} '{shown}' of {visible(server)} is withheld: {finding.summary}",
        origin="policy",
        reason="definition-withheld",
        policy="definitions",
        data={"server": server, "finding": finding.id, "where": finding.where},
        remedy=(
            "Look at it with `lockgate scan`. To let it pass all the same: "
            f"servers.{visible(server)}.guard.definitions.allow: {{{shown}: [{finding.id}]}}."
        ),
        rule=finding.id,
    )
