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
from typing import Any

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.outcomes import as_reply, broken, decision, report
from lockgate.core.policy import (
    AnyPolicy,
    CallNext,
    Check,
    Decision,
    Gate,
    Lens,
    Look,
    Observe,
    Policy,
    Recovery,
    Valve,
    Wait,
)


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
            if self._lenses:
                self._lenses_step(policy)
            elif self._valves or not self._wrapped:
                self._valves_step(policy)
            else:
                self._handler = _guard_recovery(policy, self._handler, self._observe)
        elif isinstance(policy, Lens):
            self._close_valves(None)
            self._lenses.insert(0, policy)
        else:
            self._close_valves(None)
            if not self._wrapped:
                self._gates_step(None)
            self._handler = _guard(policy, self._handler, self._observe)

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
        if self._lenses:
            self._lenses_step(None)

    def _close_checks(self) -> None:
        if self._checks:
            self._handler = _guard_checks(tuple(self._checks), self._handler, self._observe)
            self._checks = []

    def _gates_step(self, failed: Callable[[Call, Failure], Reply] | None) -> None:
        self._handler = _guard_gates(tuple(self._gates), self._handler, self._observe, failed)
        self._gates, self._wrapped = [], True

    def _lenses_step(self, recovery: Recovery | None) -> None:
        self._handler = _guard_lenses(tuple(self._lenses), self._handler, self._observe, recovery)
        self._lenses, self._wrapped = [], True

    def _valves_step(self, recovery: Recovery | None) -> None:
        self._handler = _guard_valves(tuple(self._valves), self._handler, self._observe, recovery)
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
        if reply.__class__ is Result:
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


def _guard_valves(
    valves: tuple[Valve, ...],
    call_next: CallNext,
    observe: Observe | None,
    recovery: Recovery | None,
) -> CallNext:
    """Valves side by side, what is outside them to repair what fails, and always a Reply."""

    async def run(call: Call) -> Reply:
        tickets: list[object] = []
        reply: Any = None
        if begin is not None:
            try:
                begin(call)
            except Exception as error:
                return _not_begun(recovery, call, error, observe)
        try:
            for enter in enters:
                ticket: Any = enter(call)
                if ticket.__class__ is Wait:
                    ticket = await ticket.turn
                if ticket.__class__ is Failure:
                    reply = ticket
                    break
                tickets.append(ticket)
            else:
                reply = await call_next(call)
        except Exception as error:
            reply = broken(_next(valves, tickets), repr(error))
        finally:
            _left(valves, call, tickets, reply, observe)
        if reply.__class__ is Result:
            return reply
        reply = as_reply(reply, None)
        _tell(valves, tickets, call, reply, observe)
        if again is None:
            return reply
        return await _recover(recovery, call, reply, again, observe)

    begin = None if recovery is None else recovery.begin
    enters = tuple(valve.enter for valve in valves)
    again = None if recovery is None else _guard_valves(valves, call_next, observe, None)
    return run


def _guard_recovery(recovery: Recovery, call_next: CallNext, observe: Observe | None) -> CallNext:
    """What repairs a failure of what is right inside it, which always gives a Reply."""

    async def run(call: Call) -> Reply:
        try:
            begin(call)
        except Exception as error:
            return _not_begun(recovery, call, error, observe)
        reply = await call_next(call)
        if reply.__class__ is Result:
            return reply
        return await _recover(recovery, call, reply, call_next, observe)

    begin = recovery.begin
    return run


def _next(valves: tuple[Valve, ...], tickets: list[object]) -> str | None:
    """Whose turn it was; None: that of what is inside them."""
    return valves[len(tickets)].name if len(tickets) < len(valves) else None


def _tell(
    valves: tuple[Valve, ...],
    tickets: list[object],
    call: Call,
    reply: Reply,
    observe: Observe | None,
) -> None:
    """A call was not let in by one of the valves, or broke it."""
    name = _next(valves, tickets)
    if name is not None and observe is not None:
        observe(call, decision(name, False, reply, 0.0))


def _not_begun(
    recovery: Recovery | None, call: Call, error: Exception, observe: Observe | None
) -> Failure:
    """A recovery broke before anything inside it was asked."""
    failure = broken(None if recovery is None else recovery.name, repr(error))
    if recovery is not None and observe is not None:
        observe(call, decision(recovery.name, False, failure, 0.0))
    return failure


def _left(
    valves: tuple[Valve, ...],
    call: Call,
    tickets: list[object],
    reply: object,
    observe: Observe | None,
) -> None:
    """Whoever let the call in learns what became of it; a refusal further inside is no answer."""
    if reply.__class__ is not Result and (
        len(tickets) < len(valves) or not isinstance(reply, Result | Failure)
    ):
        reply = None
    for valve, ticket in zip(valves, tickets):  # noqa: B905 - those further inside have given none
        try:
            valve.left(call, ticket, reply)  # pyright: ignore[reportArgumentType] - made sure above
        except Exception as error:
            report(call, valve.name, error, observe)


async def _recover(
    recovery: Recovery | None,
    call: Call,
    failure: Reply,
    again: CallNext,
    observe: Observe | None,
) -> Reply:
    """What `recovery` makes of a failure; one that breaks leaves the failure as it was."""
    if recovery is None or not isinstance(failure, Failure):
        return failure
    started = perf_counter()
    try:
        reply = as_reply(await recovery.recover(call, failure, again), recovery.name)
    except Exception as error:
        report(call, recovery.name, error, observe)
        return failure
    if observe is not None and reply is not failure:
        milliseconds = (perf_counter() - started) * 1000
        observe(call, Decision(recovery.name, "changed", milliseconds, failure.reason))
    return reply


def _guard_lenses(
    lenses: tuple[Lens, ...],
    call_next: CallNext,
    observe: Observe | None,
    recovery: Recovery | None,
) -> CallNext:
    """What lenses side by side pass on, both ways, and what is outside them to repair what fails.

    Whatever `call_next` does is made a Reply.
    """

    async def run(call: Call) -> Reply:
        reply: Reply
        # As the lens of this number was given it, where it passed on another one.
        given: dict[int, Call] | None = None
        whole = call
        at = 0
        if begin is not None:
            try:
                begin(call)
            except Exception as error:
                return _not_begun(recovery, call, error, observe)
        try:
            for inward in inwards:
                passed = inward(call)
                if passed is not call:
                    if isinstance(passed, Failure):
                        reply = passed
                        break
                    given = given or {}
                    given[at] = call
                    call = passed
                at += 1
            else:
                reply = await call_next(call)
        except Exception as error:
            reply = broken(lenses[at].name if at < count else None, repr(error))
        if at < count or reply.__class__ is not Result:
            reply = _not_let_in(lenses, at, call, reply, observe)
        reply = _outward(lenses, outwards, at, call, given, reply, observe)
        if again is None or reply.__class__ is Result:
            return reply
        return await _recover(recovery, whole, reply, again, observe)

    count = len(lenses)
    begin = None if recovery is None else recovery.begin
    again = None if recovery is None else _guard_lenses(lenses, call_next, observe, None)
    inwards = tuple(lens.inward for lens in lenses)
    outwards = tuple(lens.outward for lens in lenses)
    return run


def _not_let_in(
    lenses: tuple[Lens, ...], at: int, call: Call, reply: object, observe: Observe | None
) -> Reply:
    """What a lens refused with, or what is inside of all of them came to that is no Result."""
    known = as_reply(reply, None)
    if at < len(lenses) and observe is not None:
        observe(call, decision(lenses[at].name, False, known, 0.0))
    return known


def _outward(
    lenses: tuple[Lens, ...],
    outwards: tuple[Callable[[Call, Reply], Reply], ...],
    at: int,
    call: Call,
    given: dict[int, Call] | None,
    reply: Reply,
    observe: Observe | None,
) -> Reply:
    """The reply as the first `at` lenses, which let the call in, pass it on, innermost first."""
    while at:
        at -= 1
        before = reply
        try:
            reply = outwards[at](call, before)
        except Exception as error:
            reply = broken(lenses[at].name, repr(error))
        if reply is not before:
            reply = _changed(lenses[at], call, reply, observe)
        if given is not None:
            call = given.get(at, call)
    return reply


def _changed(lens: Lens, call: Call, reply: Reply, observe: Observe | None) -> Reply:
    """What a lens made of a reply."""
    reply = as_reply(reply, lens.name)
    if observe is not None:
        observe(call, decision(lens.name, True, reply, 0.0))
    return reply


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
