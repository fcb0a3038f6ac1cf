from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.policy import Gate, Policy
from lockgate.core.rate import Taken, parse
from lockgate.core.raw import EMPTY
from lockgate.core.rules import Rule, Rules, Scope
from lockgate.core.store import Demand, StoreGone
from lockgate.gateway.chains import OTHER
from lockgate.policies.methods import REQUESTS
from lockgate.policies.rate import (
    RateLimit,
    ServerRateLimit,
    SharedRateLimit,
    SharedServerRateLimit,
)
from lockgate.stores.memory import MemoryStore
from lockgate.testing import ManualClock

DONE = Result(EMPTY)


def rule(scope: Scope, *rates: str, where: str = "the gateway") -> Rule:
    return Rule(scope, tuple(map(parse, rates)), where)


def call(who: str = "a", client: str = "c", tool: str = "", method: str = "tools/call") -> Call:
    return Call(
        method=method,
        client=ClientFacts(era="modern", protocol_version="2026-07-28", name=client),
        principal=Principal(id=who),
        target=Target("s", "tool", tool) if tool else None,
    )


async def answer(_: Call) -> Reply:
    return DONE


class Flaky(MemoryStore):
    """A store that can be away."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.away = False
        self.asked = 0

    async def take(self, demands: Sequence[Demand], /) -> Taken:
        self.asked += 1
        if self.away:
            raise StoreGone("away")
        return await super().take(demands)


def kinds(rules: Rules, clock: ManualClock) -> list[Policy | Gate]:
    local = RateLimit(rules, clock)
    return [local, SharedRateLimit(RateLimit(rules, clock), MemoryStore(clock), clock)]


TABLE: list[tuple[str, tuple[Rule, ...], list[tuple[float, Call, float | None]]]] = [
    (
        "each principal by itself",
        (rule("principal", "2/s"),),
        [
            (0, call("a"), None),
            (0, call("a"), None),
            (0, call("a"), 1.0),
            (0, call("b"), None),
            (0.25, call("a"), 0.75),
            (0.751, call("a"), None),
        ],
    ),
    (
        "all together",
        (rule("total", "2/s"),),
        [(0, call("a"), None), (0, call("b"), None), (0, call("c"), 1.0)],
    ),
    (
        "each client program, whoever uses it",
        (rule("client", "1/s"),),
        [(0, call("a", "x"), None), (0, call("b", "x"), 1.0), (0, call("a", "y"), None)],
    ),
    (
        "burst and sustained at once",
        (rule("principal", "10/s burst 2", "3/day"),),
        [
            (0, call(), None),
            (0, call(), None),
            (0, call(), 0.1),
            (0.101, call(), None),
            (0.099, call(), 86399.8),
            (86399.802, call(), None),
        ],
    ),
    (
        "what one rule refuses counts for no other",
        (rule("total", "3/min"), rule("principal", "1/min")),
        [
            (0, call("a"), None),
            (0, call("a"), 60.0),
            (0, call("a"), 60.0),
            (0, call("b"), None),
            (0, call("c"), None),
            (0, call("d"), 60.0),
        ],
    ),
]


@pytest.mark.parametrize(("what", "rules", "steps"), TABLE, ids=[row[0] for row in TABLE])
def test_scenarios(
    what: str, rules: tuple[Rule, ...], steps: list[tuple[float, Call, float | None]]
) -> None:
    del what

    async def run(policy: Policy | Gate, clock: ManualClock) -> None:
        chain = compose([policy], answer)
        for step, asked, refused in steps:
            clock.advance(step)
            reply = await chain(asked)
            if refused is None:
                assert reply is DONE
            else:
                assert isinstance(reply, Failure)
                assert reply.reason == "rate-limited"
                told = reply.data["retry_after"]
                assert refused < told <= refused + 0.0021
                assert reply.remedy == f"Try again in {told:.3f}".rstrip("0") + " seconds."

    for number in range(2):
        clock = ManualClock()
        asyncio.run(run(kinds(Rules(rules), clock)[number], clock))


def test_a_refusal_says_what_and_when() -> None:
    gate = RateLimit(Rules((rule("principal", "5/10s burst 1"),)), ManualClock())
    assert gate.enter(call()) is None
    refused = gate.enter(call())
    assert refused is not None
    assert refused.message == "Too many requests: the gateway takes 5/10s burst 1 from one caller."
    assert refused.remedy == "Try again in 2.001 seconds."
    assert refused.data == {
        "retry_after": 2.001,
        "limit": "5/10s burst 1",
        "scope": "principal",
        "quota": 5,
        "window": 10,
    }


def test_tools_have_the_rates_of_the_first_pattern_beside_those_of_the_server() -> None:
    rules = Rules(
        (rule("total", "4/min", where="server"),),
        (
            ("search_*", (rule("total", "1/min", where="search"),)),
            ("*_web", (rule("total", "2/min", where="web"),)),
            ("free", ()),
        ),
    )
    gate = ServerRateLimit(rules, ManualClock())

    def refused(tool: str) -> str | None:
        failure = gate.enter(call(tool=tool))
        return failure.message.split()[3] if failure else None

    assert refused("search_web") is None
    assert refused("search_docs") == "search"
    assert refused("fetch_web") is None
    assert refused("free") is None
    assert refused("other") is None
    assert refused("free") == "server"


def test_nothing_is_compiled_where_it_does_not_concern() -> None:
    gate = RateLimit(Rules((rule("total", "1/s"),)), ManualClock())
    assert all(gate.concerns(method) for method in (*REQUESTS, OTHER))
    server = ServerRateLimit(Rules((rule("total", "1/s"),)), ManualClock())
    assert not server.concerns("subscriptions/listen")
    assert not server.concerns("tools/list")
    assert not server.concerns(OTHER)
    assert not Rules(tools=(("x", ()),))


def test_while_the_store_is_away_each_replica_holds_the_rates_by_itself() -> None:
    async def run() -> None:
        clock = ManualClock()
        store = Flaky(clock)
        rules = Rules((rule("principal", "3/min"),))
        chains = [
            compose([SharedRateLimit(RateLimit(rules, clock), store, clock)], answer)
            for _ in range(2)
        ]
        replies = [await chain(call()) for chain in chains * 2]
        assert [isinstance(reply, Failure) for reply in replies] == [False, False, False, True]
        clock.advance(61)
        store.away = True
        for chain in chains:
            replies = [await chain(call()) for _ in range(4)]
            assert [isinstance(reply, Failure) for reply in replies] == [False, False, False, True]
        store.away = False
        replies = [await chain(call()) for chain in chains * 2]
        assert [isinstance(reply, Failure) for reply in replies] == [False, False, False, True]

    asyncio.run(run())


def test_a_flood_that_is_refused_asks_the_store_once() -> None:
    async def run() -> None:
        clock = ManualClock()
        store = Flaky(clock)
        local = ServerRateLimit(Rules((rule("principal", "1/min"),)), clock)
        chain = compose([SharedServerRateLimit(local, store, clock)], answer)
        assert await chain(call()) is DONE
        waits: list[Any] = []
        for _ in range(100):
            reply = await chain(call())
            assert isinstance(reply, Failure)
            waits.append(reply.data["retry_after"])
            clock.advance(0.1)
        assert store.asked == 2
        assert waits == pytest.approx([60 - n / 10 for n in range(100)], abs=0.0021)
        assert await chain(call("b")) is DONE
        clock.advance(50.01)
        assert await chain(call()) is DONE

    asyncio.run(run())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 3_000), st.booleans(), st.booleans()),
        max_size=80,
    )
)
def test_replicas_admit_no_more_than_the_bound_and_waits_are_enough(
    asked: list[tuple[str, int, bool, bool]],
) -> None:
    async def run() -> None:
        clock = ManualClock()
        store = Flaky(clock)
        rules = Rules((rule("principal", "5/s"), rule("total", "10/s burst 3")))
        chains = [
            compose([SharedRateLimit(RateLimit(rules, clock), store, clock)], answer)
            for _ in range(2)
        ]
        admitted: list[tuple[float, str]] = []
        for who, step, first, patient in asked:
            clock.advance(step / 1000)
            reply = await chains[first](call(who))
            if isinstance(reply, Failure) and patient:
                clock.advance(reply.data["retry_after"])
                reply = await chains[first](call(who))
                assert isinstance(reply, Result)
            if isinstance(reply, Result):
                admitted.append((clock.monotonic(), who))
        for begin, _ in admitted:
            window = [who for now, who in admitted if begin <= now < begin + 0.999999]
            assert len(window) <= 13
            assert window.count("a") <= 5
            assert window.count("b") <= 5

    asyncio.run(run())


@settings(max_examples=300, deadline=None)
@given(
    st.floats(0, 4e9),
    st.sampled_from(["1/s", "3/s", "7/min", "10/s burst 3", "9/7s burst 2", "200/s"]),
    st.lists(st.floats(0, 2), max_size=4),
    st.booleans(),
)
def test_who_waits_as_long_as_it_was_told_is_admitted(
    start: float, rate: str, steps: list[float], shared: bool
) -> None:
    async def run() -> None:
        # Any reading of a clock, however little of a microsecond it is past one.
        clock = ManualClock(start)
        chain = compose([kinds(Rules((rule("principal", rate),)), clock)[shared]], answer)
        for step in steps:
            clock.advance(step)
            while isinstance(await chain(call()), Result):
                pass
            refused = await chain(call())
            assert isinstance(refused, Failure)
            clock.advance(refused.data["retry_after"])
            assert await chain(call()) is DONE

    asyncio.run(run())
