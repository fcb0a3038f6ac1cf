"""Decisions and failures, written to the log; no configuration can turn a refusal silent.

Must not know: what a policy is about. Nothing of params or results is ever logged: they may hold
secrets. What a failure keeps in `detail` is logged here and nowhere shown.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from lockgate.core.codes import CODES
from lockgate.core.message import Call, Failure
from lockgate.core.policy import Decision

_log: Final = logging.getLogger("lockgate.calls")
_LONGEST: Final = 200
_LEVELS: Final = {
    "refused": logging.INFO,
    "crashed": logging.ERROR,
    "flagged": logging.INFO,
}

CRASHED: Final[Counter[str]] = Counter()
"""How often each policy has crashed in this process."""


def record_decision(call: Call, decision: Decision) -> None:
    """One policy did something to one call. Every refusal is told, a crash is an error."""
    if decision.verdict == "crashed":
        CRASHED[decision.policy] += 1
    level = _LEVELS.get(decision.verdict, logging.DEBUG)
    if _log.isEnabledFor(level):
        _log.log(
            level,
            "call %s: %s%s",
            decision.verdict,
            decision.reason or "",
            f" [{decision.cause}]" if decision.cause else "",
            extra=_fields(call)
            | {"policy": decision.policy}
            | ({} if decision.rule is None else {"rule": decision.rule})
            | _coded(decision.reason),
        )


def record_failure(call: Call, failure: Failure) -> None:
    """A call came to nothing. A client's mistakes and a server's own answers are debug lines."""
    quiet = failure.origin == "client" or failure.reason == "upstream-error"
    level = logging.DEBUG if quiet or failure.policy else logging.WARNING
    if _log.isEnabledFor(level):
        _log.log(
            level,
            "call failed: %s%s",
            failure.message,
            f" [{failure.detail}]" if failure.detail else "",
            extra=_fields(call) | _coded(failure.reason) | {"origin": failure.origin},
        )


def _coded(reason: str | None) -> dict[str, object]:
    if reason is None:
        return {}
    code = CODES.get(reason)
    return {"reason": reason} if code is None else {"code": code, "reason": reason}


def _fields(call: Call) -> dict[str, object]:
    return {
        "method": call.method,
        "principal": call.principal.id,
        "client": call.client.name[:_LONGEST],
        **(
            {"server": call.target.server, "target": call.target.name[:_LONGEST]}
            if call.target
            else {}
        ),
    }
