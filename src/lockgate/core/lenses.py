"""The step of a chain that sees calls on their way in and replies on their way out.

Must not know: any particular policy, transports, config; which steps there are.
"""

from __future__ import annotations

from collections.abc import Callable

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.outcomes import as_reply, broken, decision
from lockgate.core.policy import CallNext, Lens, Observe, Recovery
from lockgate.core.valves import recovered


def guard_lenses(
    lenses: tuple[Lens, ...],
    call_next: CallNext,
    observe: Observe | None,
    recovery: Recovery | None = None,
    outside: int = 0,
) -> CallNext:
    """What lenses side by side pass on, both ways.

    `recovery` repairs what fails inside of it, which the first `outside` lenses are not. Whatever
    `call_next` does is made a Reply.
    """

    async def run(call: Call) -> Reply:
        reply: Reply
        # As the step of this number was given it, where it passed on another one.
        given: dict[int, Call] | None = None
        at = 0
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
            reply = broken(names[at] if at < count else None, repr(error))
        if at < count or not isinstance(reply, Result):
            reply = _not_let_in(names, at, call, reply, observe)
        if recovery is None or at <= outside:
            return _outward(names, outwards, at, 0, call, given, reply, observe)
        reply = _outward(names, outwards, at, outside + 1, call, given, reply, observe)
        whole = call if given is None else _given(given, outside, call)
        if not isinstance(reply, Result):
            reply = await recovered(recovery, whole, reply, again, observe)
        return _outward(names, outwards, outside, 0, whole, given, reply, observe)

    names = [lens.name for lens in lenses]
    inwards = [lens.inward for lens in lenses]
    outwards = [lens.outward for lens in lenses]
    again = call_next
    if recovery is not None:
        again = guard_lenses(lenses[outside:], call_next, observe)
        # Its place among them; what it makes of replies is awaited, above.
        names.insert(outside, recovery.name)
        inwards.insert(outside, _begun(recovery))
        outwards.insert(outside, _as_it_is)
    count = len(names)
    return run


def _begun(recovery: Recovery) -> Callable[[Call], Call | Failure]:
    def inward(call: Call) -> Call | Failure:
        recovery.begin(call)
        return call

    return inward


def _as_it_is(_: Call, reply: Reply, /) -> Reply:
    return reply


def _given(given: dict[int, Call], at: int, call: Call) -> Call:
    """The call as the step of this number was given it; `call` is what came of all of them."""
    later = [number for number in given if number >= at]
    return given[min(later)] if later else call


def _not_let_in(
    names: list[str], at: int, call: Call, reply: object, observe: Observe | None
) -> Reply:
    """What a step refused with, or what is inside of all of them came to that is no Result."""
    known = as_reply(reply, None)
    if at < len(names) and observe is not None:
        observe(call, decision(names[at], False, known, 0.0))
    return known


def _outward(
    names: list[str],
    outwards: list[Callable[[Call, Reply], Reply]],
    at: int,
    until: int,
    call: Call,
    given: dict[int, Call] | None,
    reply: Reply,
    observe: Observe | None,
) -> Reply:
    """The reply as the steps before `at`, back to `until`, pass it on."""
    while at > until:
        at -= 1
        before = reply
        try:
            reply = outwards[at](call, before)
        except Exception as error:
            reply = broken(names[at], repr(error))
        if reply is not before:
            reply = _changed(names[at], call, reply, observe)
        if given is not None:
            call = given.get(at, call)
    return reply


def _changed(name: str, call: Call, reply: Reply, observe: Observe | None) -> Reply:
    """What a lens made of a reply."""
    reply = as_reply(reply, name)
    if observe is not None:
        observe(call, decision(name, True, reply, 0.0))
    return reply
