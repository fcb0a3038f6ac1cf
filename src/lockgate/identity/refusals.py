"""How a call that the rules of access do not let through is answered.

Must not know: how it was decided. Which rule it was stays here: its name may say who it is about.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lockgate.core.message import Failure, Target
from lockgate.identity.access import Verdict
from lockgate.wire.jsonrpc import FORBIDDEN, INVALID_PARAMS

POLICY: Final = "access"
LONGEST: Final = 128
NO_RULE: Final = "no rule allows it"
"""What stands in place of a rule's name where none decided."""


def refusal(verdict: Verdict, target: Target, scopes: Collection[str]) -> Failure:
    """The answer to a call of `target` by a caller with these scopes."""
    if verdict.answer == "hide":
        return _hidden(verdict, target)
    if verdict.answer == "scopes":
        return _lacking(verdict, target, scopes)
    name = target.name[:LONGEST]
    if verdict.answer == "approve":
        return Failure(
            code=FORBIDDEN,
            message=f"{name} needs the approval of a person, and none has been given.",
            origin="policy",
            reason="approval-required",
            policy=POLICY,
            remedy="Call it from a client that can ask its user (form elicitation).",
            rule=_by(verdict),
        )
    with_these = "" if verdict.rule is not None else " with these arguments"
    return Failure(
        code=FORBIDDEN,
        message=f"The rules of this gateway do not let this caller use {name}{with_these}.",
        origin="policy",
        reason="access-denied",
        policy=POLICY,
        remedy="Ask whoever runs the gateway; calling again will not help.",
        rule=_by(verdict),
    )


def _hidden(verdict: Verdict, target: Target) -> Failure:
    """Word for word what is said of a thing that does not exist."""
    if target.kind in ("resource", "template"):
        return Failure(
            code=INVALID_PARAMS,
            message=f"Resource not found: {target.name[:256]}",
            origin="client",
            reason="unknown-resource",
            remedy="See resources/list and resources/templates/list.",
            rule=_by(verdict),
        )
    return Failure(
        code=INVALID_PARAMS,
        message=f"Unknown {target.kind}: {target.name[:LONGEST]}",
        origin="client",
        reason="unknown-tool" if target.kind == "tool" else "unknown-prompt",
        remedy=f"See {target.kind}s/list.",
        rule=_by(verdict),
    )


def _lacking(verdict: Verdict, target: Target, scopes: Collection[str]) -> Failure:
    needed = sorted(verdict.scopes)
    missing = ", ".join(one for one in needed if one not in scopes)
    return Failure(
        code=FORBIDDEN,
        message=f"{target.name[:LONGEST]} needs scopes that were not granted: {missing}.",
        origin="policy",
        reason="insufficient-scope",
        policy=POLICY,
        # All that this call needs, so that one more authorization is enough.
        data={"scopes": needed},
        remedy="Authorize again for these scopes beside those already granted.",
        rule=_by(verdict),
    )


def _by(verdict: Verdict) -> str:
    return NO_RULE if verdict.rule is None else verdict.rule.name
