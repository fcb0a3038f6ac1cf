"""The only loop: policies composed around an inner handler.

Must not know: any particular policy, transports, config.

Two properties hold for every list of policies and every behaviour of theirs. *Total*: awaiting the
chain gives a Reply, or re-raises a cancellation, and nothing else. *Closed*: a Result comes out
only if every policy on the way let it through; a policy that raises, or returns something that is
no Reply, has refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.policy import CallNext, Decision, Observe, Policy

INTERNAL_ERROR = -32603


def compose(
    policies: Iterable[Policy], inner: CallNext, observe: Observe | None = None
) -> CallNext:
    """Wrap `inner` in `policies`, ordered by stage and, within a stage, as given.

    Returns a handler with the two properties above. `observe` gets one `Decision` for each policy
    that refused, answered, changed or broke something.
    """
    handler = _guard_inner(inner)
    ordered = sorted(policies, key=lambda policy: policy.stage)
    for policy in ordered[::-1]:
        handler = _guard(policy, handler, observe)
    return handler


def _guard_inner(inner: CallNext) -> CallNext:
    async def run(call: Call) -> Reply:
        try:
            return _reply(await inner(call), None)
        except Exception as error:
            return _broken(None, repr(error))

    return run


def _guard(policy: Policy, call_next: CallNext, observe: Observe | None) -> CallNext:
    async def run(call: Call) -> Reply:
        started = perf_counter()
        passed: list[Reply] = []

        async def onward(onward_call: Call) -> Reply:
            reply = await call_next(onward_call)
            passed.append(reply)
            return reply

        try:
            reply = _reply(await policy(call, onward), policy.name)
        except Exception as error:
            reply = _broken(policy.name, repr(error))
        if observe is not None and not (passed and reply is passed[-1]):
            observe(call, _decision(policy, bool(passed), reply, started))
        return reply

    return run


def _reply(answer: object, policy: str | None) -> Reply:
    if isinstance(answer, Result | Failure):
        return answer
    return _broken(policy, f"returned {type(answer).__name__}, which is no Reply")


def _decision(policy: Policy, passed: bool, reply: Reply, started: float) -> Decision:
    milliseconds = (perf_counter() - started) * 1000
    if isinstance(reply, Failure):
        verdict = "crashed" if reply.reason == "policy-crashed" else "refused"
        return Decision(policy.name, verdict, milliseconds, reply.reason)
    return Decision(policy.name, "changed" if passed else "answered", milliseconds)


def _broken(policy: str | None, cause: str) -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message=f"The policy {policy!r} failed." if policy else "The gateway failed.",
        origin="policy" if policy else "gateway",
        reason="policy-crashed" if policy else "gateway-crashed",
        policy=policy,
        remedy="The gateway's log has the cause; nothing was let through.",
        detail=cause,
    )
