"""What a diagnosis comes to: the steps with what was seen, and what was found.

Must not know: how anything was found, or how it is shown.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lockgate.doctor.kind import Severity
from lockgate.doctor.kinds import KINDS

Status = Literal["ok", "note", "warning", "error", "skipped"]
Outcome = Literal["healthy", "broken", "unreachable", "guarded"]


class Exchange(msgspec.Struct, frozen=True):
    """One request and what came of it, without secrets.

    sent, got  lines: the head of the message, then its body.
    """

    sent: tuple[str, ...]
    got: tuple[str, ...]
    seconds: float


class Found(msgspec.Struct, frozen=True):
    """One finding: its kind, and what was seen."""

    id: str
    severity: Severity
    saw: str = ""

    @property
    def means(self) -> str:
        """What it is, in a few words."""
        return KINDS[self.id].means

    def plain(self) -> dict[str, Any]:
        """All of it, the words of its kind included."""
        kind = KINDS[self.id]
        return {
            "id": self.id,
            "severity": self.severity,
            "means": kind.means,
            "saw": self.saw,
            "cause": kind.cause,
            "remedy": kind.remedy,
        }


class Looked(msgspec.Struct, frozen=True):
    """One step: what was seen in one line, what was found, and the exchanges."""

    id: str
    status: Status
    saw: str
    found: tuple[Found, ...]
    exchanges: tuple[Exchange, ...]
    seconds: float

    def plain(self, *, exchanges: bool) -> dict[str, Any]:
        """As values of JSON."""
        plain: dict[str, Any] = {
            "step": self.id,
            "status": self.status,
            "saw": self.saw,
            "seconds": round(self.seconds, 4),
            "findings": [one.plain() for one in self.found],
        }
        if exchanges:
            plain["exchanges"] = msgspec.to_builtins(self.exchanges)
        return plain


class Report(msgspec.Struct, frozen=True):
    """One server.

    outcome  healthy: nothing of severity error. broken: something is. unreachable: nothing could
             be asked of it. guarded: it wants a credential, so that not everything was looked at.
    """

    subject: str
    transport: Literal["http", "stdio", "websocket"]
    outcome: Outcome
    steps: tuple[Looked, ...]
    seconds: float

    @property
    def found(self) -> tuple[Found, ...]:
        """Everything that was found, in the order of the steps."""
        return tuple(one for step in self.steps for one in step.found)

    def plain(self, *, exchanges: bool = False) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "subject": self.subject,
            "transport": self.transport,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 3),
            "steps": [one.plain(exchanges=exchanges) for one in self.steps],
        }
