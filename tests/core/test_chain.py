"""The chain is total and closed, whatever policies do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.policy import CallNext, Decision, Stage
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
