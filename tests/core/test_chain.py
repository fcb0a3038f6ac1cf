"""The chain is total and closed, whatever policies do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import _guard_checks, compose  # pyright: ignore[reportPrivateUsage] - see the last test
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.policy import CallNext, Decision, Look, Stage
from lockgate.core.raw import Raw
from tests.support.asking import asked

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
CALL = Call(method="tools/call", client=CLIENT)
DONE = Result(Raw(b'{"done":true}'))
REFUSED = Failure(code=-32600, message="no", origin="policy", reason="no")

Behaviour = Callable[[Call, CallNext], Any]


class Scripted:
    """A policy that does what its script says."""

    name: ClassVar[str] = "scripted"
    stage: ClassVar[Stage] = Stage.LIMIT

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour

    def concerns(self, method: str) -> bool:
        return True

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        match self.behaviour:
            case "pass":
                return await call_next(call)
            case "refuse":
                return REFUSED
            case "raise":
                raise ValueError("secret detail")
            case "raise-after":
                await call_next(call)
                raise KeyError("late")
            case "nonsense":
                return {"not": "a reply"}  # pyright: ignore[reportReturnType] - the point
            case "nothing":
                return None  # pyright: ignore[reportReturnType] - the point
            case "nothing-after":
                await call_next(call)
                return None  # pyright: ignore[reportReturnType] - the point
            case "twice":
                await call_next(call)
                return await call_next(call)
            case _:
                raise AssertionError(self.behaviour)


LETS_THROUGH = {"pass", "twice"}
BEHAVIOURS = [
    "pass", "refuse", "raise", "raise-after", "nonsense", "nothing", "nothing-after", "twice"
]  # fmt: skip


@given(st.lists(st.sampled_from(BEHAVIOURS), max_size=8), st.booleans())
def test_total_and_closed(behaviours: list[str], inner_raises: bool) -> None:
    async def inner(call: Call) -> Reply:
        if inner_raises:
            raise RuntimeError("inner")
        return DONE

    decisions: list[Decision] = []
    chain = compose(
        [Scripted(b) for b in behaviours], inner, lambda _, decision: decisions.append(decision)
    )
    reply = asked(chain(CALL))
    open_all_the_way = all(b in LETS_THROUGH for b in behaviours) and not inner_raises
    assert (reply is DONE) == open_all_the_way
    assert isinstance(reply, Result) == open_all_the_way
    for decision in decisions:
        assert decision.verdict in {"refused", "crashed"}


def test_cancellation_passes_untouched() -> None:
    async def run() -> None:
        entered = asyncio.Event()

        async def inner(call: Call) -> Reply:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError

        task = asyncio.ensure_future(compose([Scripted("pass")], inner)(CALL))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_stages_decide_the_order_and_config_order_decides_within_a_stage() -> None:
    seen: list[str] = []

    class Noting(Scripted):
        def __init__(self, note: str) -> None:
            super().__init__("pass")
            self.note = note

        async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
            seen.append(self.note)
            return await call_next(call)

    class Late(Noting):
        stage: ClassVar[Stage] = Stage.RESIST

    class Early(Noting):
        stage: ClassVar[Stage] = Stage.ADMIT

    async def inner(call: Call) -> Reply:
        return DONE

    policies = [Late("late"), Noting("first"), Early("early"), Noting("second")]
    asked(compose(policies, inner)(CALL))
    assert seen == ["early", "first", "second", "late"]


def test_a_crash_is_recorded_and_its_detail_stays_inside() -> None:
    async def inner(call: Call) -> Reply:
        return DONE

    decisions: list[Decision] = []
    chain = compose([Scripted("raise")], inner, lambda _, decision: decisions.append(decision))
    reply = asked(chain(CALL))
    assert isinstance(reply, Failure)
    assert (reply.origin, reply.policy, reply.reason) == ("policy", "scripted", "policy-crashed")
    assert "secret detail" not in reply.message + str(reply.remedy) + str(reply.data)
    assert [d.verdict for d in decisions] == ["crashed"]
    assert "secret detail" in (decisions[0].cause or "")


class Door:
    """A gate that does what its script says, and counts who is inside."""

    name: ClassVar[str] = "door"
    stage: ClassVar[Stage] = Stage.ADMIT

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.inside = 0

    def concerns(self, method: str) -> bool:
        return True

    def enter(self, call: Call, /) -> Failure | None:
        match self.behaviour:
            case "refuse":
                return REFUSED
            case "raise":
                raise ValueError("secret detail")
            case "nonsense":
                return DONE  # pyright: ignore[reportReturnType] - the point
            case _:
                self.inside += 1
                return None

    def leave(self, call: Call, /) -> None:
        self.inside -= 1
        if self.behaviour == "raise-after":
            raise KeyError("late")


DOORS = ["open", "refuse", "raise", "nonsense", "raise-after"]


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(BEHAVIOURS + DOORS)), max_size=8),
    st.sampled_from(["answer", "raise", "cancel"]),
)
def test_gates_between_policies_are_total_and_closed_and_left_as_often_as_entered(
    behaviours: list[tuple[bool, str]], inside: str
) -> None:
    async def inner(call: Call) -> Reply:
        if inside == "raise":
            raise RuntimeError("inner")
        if inside == "cancel":
            raise asyncio.CancelledError
        return DONE

    policies = [
        Door(what) if door and what in DOORS else Scripted(what if what in BEHAVIOURS else "pass")
        for door, what in behaviours
    ]
    decisions: list[Decision] = []
    failures: list[Failure] = []
    chain = compose(
        policies,
        inner,
        lambda _, decision: decisions.append(decision),
        lambda _, failure: failures.append(failure) or failure,
    )
    shut = [one for one in policies if one.behaviour not in {*LETS_THROUGH, "open", "raise-after"}]
    shut += [
        one for one in policies if isinstance(one, Scripted) and one.behaviour == "raise-after"
    ]

    async def play() -> Reply | None:
        try:
            return await chain(CALL)
        except asyncio.CancelledError:
            return None

    reply = asyncio.run(play())
    if inside == "cancel":
        assert reply is None or isinstance(reply, Failure)
    else:
        assert (reply is DONE) == (not shut and inside == "answer")
    assert all(one.inside == 0 for one in policies if isinstance(one, Door))
    assert len(failures) == isinstance(reply, Failure)
    if isinstance(reply, Failure) and inside == "answer":
        assert any(one.verdict in {"refused", "crashed"} for one in decisions)


def test_a_gate_that_refuses_is_named_and_those_before_it_are_left() -> None:
    async def inner(call: Call) -> Reply:
        raise AssertionError("nobody comes here")

    class Second(Door):
        name: ClassVar[str] = "second"

    first, second, third = Door("open"), Second("refuse"), Door("open")
    decisions: list[Decision] = []
    chain = compose([first, second, third], inner, lambda _, decision: decisions.append(decision))
    assert asked(chain(CALL)) is REFUSED
    assert [(one.policy, one.verdict) for one in decisions] == [("second", "refused")]
    assert (first.inside, third.inside) == (0, 0)


def test_a_gate_that_breaks_has_refused_and_its_detail_stays_inside() -> None:
    async def inner(call: Call) -> Reply:
        return DONE

    reply = asked(compose([Door("raise")], inner)(CALL))
    assert isinstance(reply, Failure)
    assert (reply.origin, reply.policy, reply.reason) == ("policy", "door", "policy-crashed")
    assert "secret detail" not in reply.message + str(reply.remedy) + str(reply.data)


class Inside:
    """A policy further inside that lets everything through."""

    name: ClassVar[str] = "inside"
    stage: ClassVar[Stage] = Stage.RESIST

    def concerns(self, method: str) -> bool:
        return True

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        return await call_next(call)


class Checking:
    """A check that does what its script says, and notes what it saw."""

    name: ClassVar[str] = "checking"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.seen: list[Reply] = []

    def concerns(self, method: str) -> bool:
        return True

    def check(self, call: Call, /) -> Failure | Look | None:
        match self.behaviour:
            case "refuse":
                return REFUSED
            case "raise":
                raise ValueError("secret detail")
            case "nonsense":
                return 3  # pyright: ignore[reportReturnType] - the point
            case "look":
                return self.look
            case "look-refuse":
                return lambda call, reply: REFUSED
            case "look-raise":
                return lambda call, reply: {}["secret detail"]
            case "look-nonsense":
                return lambda call, reply: None  # pyright: ignore[reportReturnType] - the point
            case _:
                return None

    def look(self, call: Call, reply: Reply) -> Reply:
        self.seen.append(reply)
        return reply


LOOKS = [
    "pass",
    "look",
    "refuse",
    "raise",
    "nonsense",
    "look-refuse",
    "look-raise",
    "look-nonsense",
]


@given(st.lists(st.sampled_from(LOOKS), max_size=4), st.booleans(), st.booleans(), st.booleans())
def test_checks_are_total_and_closed(
    behaviours: list[str], breaks: bool, around: bool, within: bool
) -> None:
    asked_inside = 0

    def inner(call: Call) -> Awaitable[Reply]:
        nonlocal asked_inside
        asked_inside += 1
        if breaks:
            raise RuntimeError("inner")

        async def answer() -> Reply:
            return DONE

        return answer()

    checks = [Checking(one) for one in behaviours]
    outside = [Scripted("pass")] if around else []
    inside = [Inside()] if within else []
    decisions: list[Decision] = []
    chain = compose(
        [*outside, *checks, *inside], inner, lambda _, decision: decisions.append(decision)
    )
    reply = asked(chain(CALL))
    good = set(behaviours) <= {"pass", "look"} and not breaks
    assert isinstance(reply, Result if good else Failure)
    before = {"refuse", "raise"}
    assert asked_inside == (0 if before & set(behaviours) else 1)
    if isinstance(reply, Failure):
        assert "secret" not in reply.message
    if good:
        assert all(one.seen == [DONE] for one in checks if one.behaviour == "look")
        assert decisions == []


def test_a_check_that_lets_a_call_in_costs_no_step() -> None:
    """What it hands out is the very awaitable of what is inside it."""
    told: list[Awaitable[Reply]] = []

    def inner(call: Call) -> Awaitable[Reply]:
        async def answer() -> Reply:
            return DONE

        told.append(answer())
        return told[0]

    chain = _guard_checks((Checking("pass"), Checking("pass")), inner, None)
    given = chain(CALL)
    assert given is told[0]
    assert asked(given) is DONE
