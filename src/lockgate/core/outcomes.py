"""What is made of what policies answer: always a Reply, and a record of who decided.

Must not know: how policies are composed.
"""

from __future__ import annotations

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.policy import Decision, Observe

INTERNAL_ERROR = -32603


def as_reply(answer: object, policy: str | None) -> Reply:
    """What a policy (None: the gateway) came to; anything that is no Reply is a refusal."""
    if isinstance(answer, Result | Failure):
        return answer
    return broken(policy, f"returned {type(answer).__name__}, which is no Reply")


def report(call: Call, policy: str, error: Exception, observe: Observe | None) -> None:
    """A policy broke where that changes nothing for the caller."""
    if observe is not None:
        observe(call, Decision(policy, "crashed", 0.0, "policy-crashed", repr(error)))


def decision(policy: str, passed: bool, reply: Reply, milliseconds: float) -> Decision:
    """What is recorded of a policy, by what it answered; `passed`: it had passed the call on."""
    if isinstance(reply, Failure):
        if reply.reason == "policy-crashed":
            return Decision(policy, "crashed", milliseconds, reply.reason, reply.detail)
        return Decision(policy, "refused", milliseconds, reply.reason, rule=reply.rule)
    return Decision(policy, "changed" if passed else "answered", milliseconds)


def broken(policy: str | None, cause: str) -> Failure:
    """What a policy that raised has answered; None: it was the gateway."""
    return Failure(
        code=INTERNAL_ERROR,
        message=f"The policy {policy!r} failed." if policy else "The gateway failed.",
        origin="policy" if policy else "gateway",
        reason="policy-crashed" if policy else "gateway-crashed",
        policy=policy,
        remedy="The gateway's log has the cause; nothing was let through.",
        detail=cause,
    )
