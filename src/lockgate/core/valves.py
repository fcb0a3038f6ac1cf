"""Steps of a chain that hold calls up, and what repairs what failed inside of them.

Must not know: any particular policy, transports, config; which steps there are.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.outcomes import as_reply, broken, decision, report
from lockgate.core.policy import CallNext, Decision, Observe, Recovery, Valve, Wait


def guard_valves(
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
                if isinstance(ticket, Wait):
                    ticket = await ticket.turn
                if isinstance(ticket, Failure):
                    reply = ticket
                    break
                tickets.append(ticket)
            else:
                reply = await call_next(call)
        except Exception as error:
            reply = broken(_next(valves, tickets), repr(error))
        finally:
            _left(valves, call, tickets, reply, observe)
        if isinstance(reply, Result):
            return reply
        reply = as_reply(reply, None)
        _tell(valves, tickets, call, reply, observe)
        if again is None:
            return reply
        return await recovered(recovery, call, reply, again, observe)

    begin = None if recovery is None else recovery.begin
    enters = tuple(valve.enter for valve in valves)
    again = None if recovery is None else guard_valves(valves, call_next, observe, None)
    return run


def guard_recovery(recovery: Recovery, call_next: CallNext, observe: Observe | None) -> CallNext:
    """What repairs a failure of what is right inside it, which always gives a Reply."""

    async def run(call: Call) -> Reply:
        try:
            begin(call)
        except Exception as error:
            return _not_begun(recovery, call, error, observe)
        reply = await call_next(call)
        if isinstance(reply, Result):
            return reply
        return await recovered(recovery, call, reply, call_next, observe)

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
    if not isinstance(reply, Result) and (
        len(tickets) < len(valves) or not isinstance(reply, Failure)
    ):
        reply = None
    for valve, ticket in zip(valves, tickets):  # noqa: B905 - those further inside have given none
        try:
            valve.left(call, ticket, reply)  # pyright: ignore[reportArgumentType] - made sure above
        except Exception as error:
            report(call, valve.name, error, observe)


async def recovered(
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
