"""Chains with valves and recoveries are total and closed too, and tickets are always given back."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.policy import AnyPolicy, CallNext, Decision, Stage, Wait
from lockgate.core.raw import Raw
from tests.support.asking import asked

CALL = Call(method="tools/call", client=ClientFacts(era="modern", protocol_version="2026-07-28"))
DONE = Result(Raw(b'{"done":true}'))
REFUSED = Failure(code=-32600, message="no", origin="policy", reason="no")
LOST = Failure(code=-32603, message="lost", origin="upstream", reason="upstream-lost")
VALVES = ("in", "refuse", "raise", "wait", "wait-refused", "wait-raises", "left-raises")
RECOVERIES = ("keep", "again", "raise", "nonsense", "begin-raises")


class Valve:
    name: ClassVar[str] = "valve"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.inside = 0
        self.seen: list[Reply | None] = []

    def concerns(self, method: str) -> bool:
        return True

    def enter(self, call: Call, /) -> object:
        match self.behaviour:
            case "refuse":
                return REFUSED
            case "raise":
                raise ValueError("secret detail")
            case "wait" | "wait-refused" | "wait-raises":
                return Wait(self._later())
            case _:
                self.inside += 1
                return "ticket"

    async def _later(self) -> object:
        await asyncio.sleep(0)
        if self.behaviour == "wait-refused":
            return REFUSED
        if self.behaviour == "wait-raises":
            raise KeyError("late")
        self.inside += 1
        return "ticket"

    def left(self, call: Call, ticket: object, reply: Reply | None, /) -> None:
        assert ticket == "ticket"
        self.inside -= 1
        self.seen.append(reply)
        if self.behaviour == "left-raises":
            raise ValueError("left")


class Recovery:
    name: ClassVar[str] = "recovery"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.begun = 0

    def concerns(self, method: str) -> bool:
        return True

    def begin(self, call: Call, /) -> None:
        self.begun += 1
        if self.behaviour == "begin-raises":
            raise ValueError("begin")

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        match self.behaviour:
            case "again":
                return await again(call)
            case "raise":
                raise ValueError("recover")
            case "nonsense":
                return 7  # pyright: ignore[reportReturnType] - the point
            case _:
                return failure


def answers(*given: Any) -> CallNext:
    left = list(given)

    async def answer(_: Call) -> Reply:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


@given(
    st.lists(st.sampled_from([*VALVES, *(f"r-{one}" for one in RECOVERIES)]), max_size=5),
    st.lists(st.sampled_from([DONE, LOST, ValueError("x"), None]), min_size=1, max_size=3),
)
def test_the_chain_is_total_and_closed_and_keeps_no_ticket(kinds: list[str], given_: Any) -> None:
    steps: list[AnyPolicy] = [
        Recovery(one[2:]) if one.startswith("r-") else Valve(one) for one in kinds
    ]
    reply = asked(compose(steps, answers(*given_))(CALL))
    assert isinstance(reply, Result | Failure)
    valves = [one for one in steps if isinstance(one, Valve)]
    assert all(one.inside == 0 for one in valves)
    refusing = {"refuse", "raise", "wait-refused", "wait-raises"}
    if any(one.behaviour in refusing for one in valves):
        assert isinstance(reply, Failure)
    most = 2 ** kinds.count("r-again")
    assert all(one.begun <= most for one in steps if isinstance(one, Recovery))


def test_a_recovery_asks_what_is_inside_it_again_and_nothing_outside() -> None:
    outer, inner, recovery = Valve("in"), Valve("in"), Recovery("again")
    told: list[Decision] = []
    chain = compose(
        [outer, recovery, inner], answers(LOST, DONE), lambda _, decision: told.append(decision)
    )
    assert asked(chain(CALL)) is DONE
    assert inner.seen == [LOST, DONE]
    assert outer.seen == [DONE]
    assert [(one.policy, one.verdict, one.reason) for one in told] == [
        ("recovery", "changed", "upstream-lost")
    ]


@pytest.mark.parametrize(
    ("broken", "cause"),
    [(Valve("left-raises"), "left"), (Recovery("raise"), "recover")],
)
def test_what_breaks_where_no_caller_sees_it_is_told_with_its_cause(
    broken: Valve | Recovery, cause: str
) -> None:
    told: list[Decision] = []
    chain = compose([broken], answers(LOST), lambda _, decision: told.append(decision))
    assert asked(chain(CALL)) is LOST
    assert [(one.policy, one.verdict) for one in told] == [(broken.name, "crashed")]
    assert cause in (told[0].cause or "")


def test_a_recovery_that_cannot_begin_is_blamed_and_no_valve_beside_it() -> None:
    told: list[Decision] = []
    valve = Valve("in")
    chain = compose(
        [Recovery("begin-raises"), valve], answers(DONE), lambda _, decision: told.append(decision)
    )
    refused = asked(chain(CALL))
    assert isinstance(refused, Failure)
    assert (refused.policy, refused.origin, refused.reason) == (
        "recovery",
        "policy",
        "policy-crashed",
    )
    assert [(one.policy, one.verdict) for one in told] == [("recovery", "crashed")]
    assert "begin" in (told[0].cause or "")
    assert (valve.seen, valve.inside) == ([], 0)


def test_a_valve_is_told_nothing_of_an_answer_that_was_none() -> None:
    outer = Valve("in")
    assert asked(compose([outer, Valve("refuse")], answers(DONE))(CALL)) is REFUSED
    assert outer.seen == [None]


@pytest.mark.parametrize("kind", ["in", "wait"])
def test_cancelling_leaves(kind: str) -> None:
    async def run() -> None:
        valve, never = Valve(kind), asyncio.Event()

        async def wait(_: Call) -> Reply:
            await never.wait()
            return DONE

        task = asyncio.ensure_future(compose([Recovery("again"), valve], wait)(CALL))
        for _ in range(4):
            await asyncio.sleep(0)
        assert valve.inside == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (valve.inside, valve.seen, task.cancelled()) == (0, [None], True)

    asyncio.run(run())
