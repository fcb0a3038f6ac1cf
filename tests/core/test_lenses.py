"""Lenses side by side, and what repairs what failed inside of some of them."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.policy import CallNext, Decision, Stage
from lockgate.core.raw import Raw

CALL = Call(method="tools/call", client=ClientFacts(era="modern", protocol_version="1"))
DONE = Result(Raw(b'{"done":true}'))
LOST = Failure(-32603, "lost", "upstream", "upstream-lost")
INWARD = ("pass", "change", "refuse", "raise")
OUTWARD = ("pass", "change", "refuse", "raise")


class Glass:
    """A lens that does as it is told, and writes down what it saw."""

    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(self, name: str, seen: list[str], inward: str = "pass", outward: str = "pass"):
        self.name: Any = name
        self.seen = seen
        self.ways = inward, outward
        self.passed: list[Call] = []
        self.got: list[Call] = []

    def inward(self, call: Call, /) -> Call | Failure:
        self.seen.append(f"{self.name} in")
        if self.ways[0] == "raise":
            raise ValueError(self.name)
        if self.ways[0] == "refuse":
            return Failure(1, self.name, "policy", "refused")
        if self.ways[0] == "change":
            call = call.replace(id=f"{call.id}{self.name}")
        self.passed.append(call)
        return call

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        self.seen.append(f"{self.name} out")
        self.got.append(call)
        if self.ways[1] == "raise":
            raise ValueError(self.name)
        if self.ways[1] == "refuse":
            return Failure(1, self.name, "policy", "refused")
        return reply.replace() if self.ways[1] == "change" else reply

    def concerns(self, method: str) -> bool:
        return True


class Mending:
    """Asks once more."""

    name: ClassVar[str] = "mending"
    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(self, seen: list[str], *, breaks: bool = False) -> None:
        self.seen = seen
        self.breaks = breaks
        self.asked: list[Call] = []

    def begin(self, call: Call, /) -> None:
        self.seen.append("begin")
        if self.breaks:
            raise ValueError("mending")

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        self.seen.append(f"recover {failure.reason}")
        self.asked.append(call)
        return await again(call)

    def concerns(self, method: str) -> bool:
        return True


def run(policies: list[Any], replies: list[Reply], decisions: list[Decision]) -> Reply:
    async def server(call: Call) -> Reply:
        return replies.pop(0)

    async def whole() -> Reply:
        handler = compose(policies, server, lambda _, decision: decisions.append(decision))
        return await handler(CALL)

    return asyncio.run(asyncio.wait_for(whole(), 10))


def test_a_lens_outside_of_a_recovery_sees_what_was_repaired() -> None:
    seen: list[str] = []
    outer, inner = Glass("outer", seen, "change"), Glass("inner", seen, "change")
    mending = Mending(seen)
    assert run([outer, mending, inner], [LOST, DONE], []) == DONE
    once = ["inner in", "inner out"]
    assert seen == ["outer in", "begin", *once, "recover upstream-lost", *once, "outer out"]
    # Each is told of the call as it passed it on.
    assert outer.got == outer.passed == mending.asked == [CALL.replace(id="Noneouter")]
    assert inner.got == inner.passed == [CALL.replace(id="Noneouterinner")] * 2


def test_a_recovery_is_not_asked_about_what_is_refused_outside_of_it() -> None:
    seen: list[str] = []
    policies = [Glass("first", seen), Glass("outer", seen, "refuse"), Mending(seen)]
    reply = run([*policies, Glass("inner", seen)], [], [])
    assert isinstance(reply, Failure)
    assert reply.message == "outer"
    assert seen == ["first in", "outer in", "first out"]


def test_a_recovery_that_breaks_before_anything_was_asked_has_refused() -> None:
    seen: list[str] = []
    decisions: list[Decision] = []
    policies = [Glass("outer", seen), Mending(seen, breaks=True), Glass("inner", seen)]
    reply = run(policies, [], decisions)
    assert isinstance(reply, Failure)
    assert (reply.reason, reply.policy) == ("policy-crashed", "mending")
    assert seen == ["outer in", "begin", "outer out"]
    assert [(one.policy, one.verdict) for one in decisions] == [("mending", "crashed")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(INWARD), st.sampled_from(OUTWARD)), min_size=1, max_size=4),
    st.integers(0, 4),
    st.booleans(),
)
def test_lenses_are_total_and_closed(ways: list[tuple[str, str]], at: int, fails: bool) -> None:
    seen: list[str] = []
    glasses = [Glass(str(number), seen, *way) for number, way in enumerate(ways)]
    policies: list[Any] = list(glasses)
    policies.insert(min(at, len(policies)), Mending(seen))
    reply = run(policies, [LOST if fails else DONE, LOST if fails else DONE], [])
    assert isinstance(reply, Result | Failure)
    stopping = {"refuse", "raise"}
    if isinstance(reply, Result):
        assert not fails
        assert not any(stopping & set(way) for way in ways)
    for one in glasses:
        assert one.got == one.passed
