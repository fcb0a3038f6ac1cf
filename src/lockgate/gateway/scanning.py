"""Definitions are judged before anybody sees them: a `Vetting`.

Must not know: what is suspicious (`lockgate.guard.scan`), or what is done about it
(`lockgate.gateway.withholding`). A definition is scanned once, however often it is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lockgate.core.message import Era, Failure
from lockgate.core.raw import Raw
from lockgate.gateway.listing import ListMethod, Section
from lockgate.gateway.studying import MOST_BYTES
from lockgate.gateway.withholding import Withholding
from lockgate.guard.finding import Finding
from lockgate.guard.remembering import Scanner
from lockgate.guard.scan import TOO_LARGE


class Scanning:
    """Keeps to itself what has findings that its server's rules refuse."""

    def __init__(self, withholding: Withholding, scanner: Scanner) -> None:
        self._withholding = withholding
        self._scanner = scanner

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era) -> Sequence[Section]:
        """See `lockgate.gateway.guarding.Vetting`."""
        return [self._section(entry, section, era) for section in sections]

    def _section(self, entry: ListMethod, section: Section, era: Era) -> Section:
        if not self._withholding.concerns(section.server):
            return section
        refused: dict[str, Failure] = {}
        left = MOST_BYTES
        for item in section.items:
            data = item.raw.encode()
            left -= len(data)
            findings = self._findings(data) if left >= 0 else (TOO_LARGE,)
            why = self._withholding.verdict(section.server, entry.kind, item.key, findings)
            if why is not None:
                refused[item.key] = why
        return self._withholding.without(entry, section, era, refused)

    def _findings(self, data: bytes) -> Sequence[Finding]:
        return self._scanner.scan(data).findings

    def introduced(self, server: str, facts: Raw) -> Raw:
        """See `lockgate.gateway.guarding.Vetting`: instructions and names that are refused go."""
        if not self._withholding.concerns(server):
            return facts
        said = dict(facts)
        kept = dict(said)
        for member in ("instructions", "serverInfo"):
            if member not in said:
                continue
            findings = self._findings(msgspec.json.encode({member: said[member]}))
            if self._withholding.verdict(server, "server", "instructions", findings) is not None:
                kept[member] = _bare(said[member]) if member == "serverInfo" else None
                if kept[member] is None:
                    del kept[member]
        return facts if kept == said else Raw.of(kept)


def _bare(info: Any) -> dict[str, str]:
    """What every server has to say of itself, without a word of its own."""
    version: object = info.get("version") if isinstance(info, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any JSON
    short = version if isinstance(version, str) and len(version) < 20 else ""
    return {"name": "withheld", "version": short}
