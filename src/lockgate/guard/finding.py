"""What a check of the guard says about one definition, argument or result.

Must not know: how anything is found, or what is done about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

Severity = Literal["block", "review", "note"]
Worst = Literal["block", "review", "note", "none"]
"""`block`: so rarely honest that it is refused unless told otherwise; `review`: a person should
look; `note`: worth knowing, and nothing more."""

_ORDER: Final[tuple[Severity, ...]] = ("block", "review", "note")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a check.

    id        the kind, stable, such as `hidden-characters`.
    summary   what is wrong, in one sentence.
    where     the place in what was looked at, as a path: `inputSchema.properties.path.description`.
    evidence  the text it was seen in, shortened, with what is invisible made visible.
    remedy    what to do.
    """

    id: str
    severity: Severity
    summary: str
    where: str = ""
    evidence: str = ""
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Worst:
    """The gravest severity among them."""
    found = {one.severity for one in findings}
    for severity in _ORDER:
        if severity in found:
            return severity
    return "none"
