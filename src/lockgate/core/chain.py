"""The only loop: policies composed around an inner handler.

Must not know: any particular policy, transports, config.

Two properties hold for every list of policies and every behaviour of theirs. *Total*: awaiting the
chain gives a Reply, or re-raises a cancellation, and nothing else. *Closed*: a Result comes out
only if every policy on the way let it through; a policy that raises, or returns something that is
no Reply, has refused. Each step of a chain is a coroutine that waits for the next, and a waiting
coroutine costs time and memory, so what can do without one (`Check`) has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter

from lockgate.core.lenses import guard_lenses
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.outcomes import as_reply, broken, decision, report
from lockgate.core.policy import (
    AnyPolicy,
    CallNext,
    Check,
    Gate,
    Lens,
    Look,
    Observe,
    Policy,
    Recovery,
    Valve,
)
from lockgate.core.valves import guard_recovery, guard_valves


def compose(
    policies: Iterable[AnyPolicy],
    inner: CallNext,
    observe: Observe | None = None,
    failed: Callable[[Call, Failure], Reply] | None = None,
) -> CallNext:
    """Wrap `inner` in `policies`, ordered by stage and, within a stage, as given.

    Returns a handler with the two properties above. `observe` gets one `Decision` for each policy
    that refused, answered, changed or broke something; `failed` turns each Failure that comes out
    into what the caller sees, and must not raise.
    """
    chain = _Chain(inner, observe)
    for policy in sorted(policies, key=lambda policy: policy.stage)[::-1]:
        chain.add(policy)
    return chain.whole(failed)


class _Chain:
    """What has been composed so far, from the inside out; neighbours of one kind are one step."""

    def __init__(self, inner: CallNext, observe: Observe | None) -> None:
        self._handler = inner
        self._observe = observe
        self._gates: list[Gate] = []
        self._checks: list[Check] = []
        self._valves: list[Valve] = []
        self._lenses: list[Lens] = []
        # What stands among the lenses, and how many of them are inside of it.
        self._among: Recovery | None = None
        self._inside = 0
        # Whether whatever goes wrong inside has become a Reply when it comes out.
        self._wrapped = False

    def add(self, policy: AnyPolicy) -> None:
        """Put one policy around what there is."""
        if isinstance(policy, Gate):
            self._close_lenses()
            self._close_valves(None)
            self._close_checks()
            self._gates.insert(0, policy)
        elif isinstance(policy, Check):
            self._close_lenses()
            self._close_valves(None)
            self._close_gates()
            self._checks.insert(0, policy)
        else:
            self._close_gates()
            self._close_checks()
            self._add_step(policy)

    def _add_step(self, policy: Policy | Lens | Valve | Recovery) -> None:
        if not isinstance(policy, Lens | Recovery):
            self._close_lenses()
        if isinstance(policy, Valve):
            self._valves.insert(0, policy)
        elif isinstance(policy, Recovery):
            self._add_recovery(policy)
        elif isinstance(policy, Lens):
            self._close_valves(None)
            self._lenses.insert(0, policy)
        else:
            self._close_valves(None)
            if not self._wrapped:
                self._gates_step(None)
            self._handler = _guard(policy, self._handler, self._observe)

    def _add_recovery(self, policy: Recovery) -> None:
        if self._among is not None:
            self._close_lenses()
        if self._lenses:
            self._among, self._inside = policy, len(self._lenses)
        elif self._valves or not self._wrapped:
            self._valves_step(policy)
        else:
            self._handler = guard_recovery(policy, self._handler, self._observe)

    def whole(self, failed: Callable[[Call, Failure], Reply] | None) -> CallNext:
        """The chain, as whoever calls it sees it."""
        self._close_lenses()
        self._close_valves(None)
        self._close_checks()
        if self._gates or failed is not None or not self._wrapped:
            self._gates_step(failed)
        return self._handler

    def _close_gates(self) -> None:
        if self._gates:
            self._gates_step(None)

    def _close_valves(self, recovery: Recovery | None) -> None:
        if self._valves:
            self._valves_step(recovery)

    def _close_lenses(self) -> None:
        if not self._lenses:
            return
        outside = len(self._lenses) - self._inside
        self._handler = guard_lenses(
            tuple(self._lenses), self._handler, self._observe, self._among, outside
        )
        self._lenses, self._among, self._inside, self._wrapped = [], None, 0, True

    def _close_checks(self) -> None:
        if self._checks:
            self._handler = _guard_checks(tuple(self._checks), self._handler, self._observe)
            self._checks = []

    def _gates_step(self, failed: Callable[[Call, Failure], Reply] | None) -> None:
        self._handler = _guard_gates(tuple(self._gates), self._handler, self._observe, failed)
        self._gates, self._wrapped = [], True

    def _valves_step(self, recovery: Recovery | None) -> None:
        self._handler = guard_valves(tuple(self._valves), self._handler, self._observe, recovery)
        self._valves, self._wrapped = [], True


def _guard_checks(
    checks: tuple[Check, ...], call_next: CallNext, observe: Observe | None
) -> CallNext:
    """Checks side by side: a plain function, unless one of them wants to see the reply."""

    def run(call: Call) -> Awaitable[Reply]:
        looks: list[tuple[str, Look]] | None = None
        entered = 0
        try:
            for check in asked:
                said = check(call)
                if said is not None:
                    if isinstance(said, Failure):
                        return _told(checks[entered].name, call, said, observe)
                    looks = looks or []
                    looks.append((checks[entered].name, said))
                entered += 1
            if looks is None:
                return call_next(call)
        except Exception as error:
            name = checks[entered].name if entered < len(checks) else None
            return _told(name, call, broken(name, repr(error)), observe)
        return _looked(looks, call, call_next, observe)

    asked = tuple(check.check for check in checks)
    return run


async def _told(name: str | None, call: Call, failure: Failure, observe: Observe | None) -> Reply:
    if name is not None and observe is not None:
        observe(call, decision(name, False, failure, 0.0))
    return failure


async def _looked(
    looks: list[tuple[str, Look]], call: Call, call_next: CallNext, observe: Observe | None
) -> Reply:
    """What becomes of a call, once everybody who wanted to has seen it: the innermost first."""
    try:
        reply = as_reply(await call_next(call), None)
    except Exception as error:
        reply = broken(None, repr(error))
    for name, look in reversed(looks):
        try:
            seen = as_reply(look(call, reply), name)
        except Exception as error:
            seen = broken(name, repr(error))
        if seen is not reply:
            if observe is not None:
                observe(call, decision(name, True, seen, 0.0))
            reply = seen
    return reply


def _guard_gates(
    gates: tuple[Gate, ...],
    call_next: CallNext,
    observe: Observe | None,
    failed: Callable[[Call, Failure], Reply] | None,
) -> CallNext:
    """Gates side by side, and whatever `call_next` does made a Reply."""

    async def run(call: Call) -> Reply:
        reply: Reply
        entered = 0
        try:
            for gate in gates:
                refusal = gate.enter(call)
                if refusal is not None:
                    reply = _refused(gate, refusal)
                    break
                entered += 1
            else:
                reply = await call_next(call)
        except Exception as error:
            # The gate after the last that was entered broke, if there is one.
            reply = broken(gates[entered].name if entered < len(gates) else None, repr(error))
        finally:
            if entered:
                _leave(gates[:entered], call, observe)
        if isinstance(reply, Result):
            return reply
        reply = as_reply(reply, None)
        if isinstance(reply, Failure):
            if entered < len(gates) and observe is not None:
                observe(call, decision(gates[entered].name, False, reply, 0.0))
            if failed is not None:
                return failed(call, reply)
        return reply

    return run


def _refused(gate: Gate, refusal: object) -> Failure:
    if isinstance(refusal, Failure):
        return refusal
    return broken(gate.name, f"refused with {type(refusal).__name__}, which is no Failure")


def _leave(gates: tuple[Gate, ...], call: Call, observe: Observe | None) -> None:
    """Whoever let the call in learns that it is over, even when another of them breaks."""
    for gate in gates:
        try:
            gate.leave(call)
        except Exception as error:
            report(call, gate.name, error, observe)


def _guard(policy: Policy, call_next: CallNext, observe: Observe | None) -> CallNext:
    async def run(call: Call) -> Reply:
        started = perf_counter()
        passed: list[Reply] = []

        async def onward(onward_call: Call) -> Reply:
            reply = await call_next(onward_call)
            passed.append(reply)
            return reply

        try:
            reply = as_reply(await policy(call, onward), policy.name)
        except Exception as error:
            reply = broken(policy.name, repr(error))
        if observe is not None and not (passed and reply is passed[-1]):
            milliseconds = (perf_counter() - started) * 1000
            observe(call, decision(policy.name, bool(passed), reply, milliseconds))
        return reply

    return run
