from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.core.cached import ToolRule
from lockgate.core.chain import compose
from lockgate.core.message import (
    Call,
    ClientFacts,
    Failure,
    Notification,
    Principal,
    Reply,
    Result,
    Target,
)
from lockgate.core.raw import Raw
from lockgate.policies.cache import Cache
from lockgate.policies.methods import REQUESTS
from lockgate.stores.memory import MemoryStore
from lockgate.stores.tiered import Tiered
from lockgate.testing import ManualClock
from tests.support.waiting import settle

MODERN = ClientFacts(era="modern", protocol_version="2026-07-28")
LOST = Failure(-32603, "lost", "upstream", "upstream-lost")


def read(uri: str = "a", who: str = "me", **more: Any) -> Call:
    params = {"uri": uri, **more.pop("params", {})}
    return Call(
        method="resources/read",
        client=more.pop("client", MODERN),
        params=Raw.of(params),
        principal=Principal(id=who),
        target=Target("s", "resource", uri),
        **more,
    )


def tool(name: str = "t", who: str = "me", **more: Any) -> Call:
    return Call(
        method="tools/call",
        client=MODERN,
        params=Raw.of({"name": name, "arguments": more.pop("arguments", {})}),
        principal=Principal(id=who),
        target=Target("s", "tool", name),
        **more,
    )


@dataclass
class World:
    """A cache before a server that numbers its answers."""

    hints: dict[str, Any] = field(default_factory=lambda: {"ttlMs": 10_000})
    rules: dict[str, ToolRule] = field(default_factory=dict[str, ToolRule])
    down: Failure | None = None
    stale: float = 60.0

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.cache = Cache(
            "s",
            Tiered(self.store, clock=self.clock),
            self.clock,
            tool=self.rules.get if self.rules else None,
            stale=self.stale,
        )
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.chain: Callable[[Call], Awaitable[Reply]] = compose([self.cache], self.answer)

    async def answer(self, call: Call) -> Reply:
        self.asked += 1
        number = self.asked
        if call.method == "subscriptions/listen":
            call.emit(Notification("notifications/resources/updated", Raw.of({"uri": "a"})))
            return Result(Raw())
        if self.gate is not None:
            await self.gate.wait()
        if self.down is not None:
            return self.down
        return Result(Raw.of({"n": number, "for": call.principal.id, **self.hints}))

    async def n(self, call: Call) -> Any:
        reply = await self.chain(call)
        assert isinstance(reply, Result), reply
        return reply.raw["n"]


def run(test: Callable[[World], Awaitable[None]], **world: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test(World(**world))

    asyncio.run(bounded())


def test_a_read_is_fresh_for_as_long_as_it_says() -> None:
    async def test(w: World) -> None:
        assert await w.n(read()) == 1
        w.clock.advance(4)
        reply = await w.chain(read())
        assert isinstance(reply, Result)
        assert reply.raw["n"] == 1
        # What is left of it, for the client counts from when it gets it.
        assert reply.raw["ttlMs"] == 6000
        w.clock.advance(6)
        assert await w.n(read()) == 2
        assert (w.cache.counts.hits, w.cache.counts.misses) == (1, 2)

    run(test)


@pytest.mark.parametrize(
    "hints",
    [
        {},
        {"ttlMs": 0},
        {"ttlMs": -5},
        {"ttlMs": "9"},
        {"ttlMs": None},
        {"ttlMs": True},
        {"ttlMs": 10000, "isError": True},
    ],
)
def test_what_does_not_say_so_is_not_kept(hints: dict[str, Any]) -> None:
    async def test(w: World) -> None:
        assert [await w.n(read()), await w.n(read())] == [1, 2]

    run(test, hints=hints)


@pytest.mark.parametrize(
    "other",
    [
        read("b"),
        read(who="you"),
        read(params={"extra": 1}),
        read(params={"_meta": {"com.example/tenant": "x"}}),
        read(client=ClientFacts(era="handshake", protocol_version="2025-11-25")),
        read(client=ClientFacts(era="modern", protocol_version="2026-07-28", capabilities_key="k")),
        read(affinity="session"),
    ],
)
def test_what_may_change_the_answer_is_in_the_key(other: Call) -> None:
    async def test(w: World) -> None:
        assert [await w.n(read()), await w.n(other), await w.n(read())] == [1, 2, 1]

    run(test)


def test_trace_context_and_order_change_nothing() -> None:
    async def test(w: World) -> None:
        first = read(params={"x": {"a": 1, "b": 2}, "_meta": {"traceparent": "1"}})
        second = read(params={"_meta": {"traceparent": "2"}, "x": {"b": 2, "a": 1}})
        assert [await w.n(first), await w.n(second)] == [1, 1]

    run(test)


@pytest.mark.parametrize("name", ["inputResponses", "requestState", "task"])
def test_rounds_and_tasks_are_never_kept(name: str) -> None:
    async def test(w: World) -> None:
        asked = read(params={name: {}})
        assert [await w.n(asked), await w.n(asked)] == [1, 2]

    run(test)


def test_what_was_compared_is_what_is_forwarded() -> None:
    async def test(w: World) -> None:
        twice = Raw(b'{"uri":"a","arguments":{"x":1,"x":2},"uri":"b"}')
        seen: list[bytes] = []

        async def answer(call: Call) -> Reply:
            seen.append(call.params.encode())
            return Result(Raw.of({"ttlMs": 1000, "cacheScope": "public"}))

        chain = compose([w.cache], answer)
        await chain(read().replace(params=twice))
        assert seen == [b'{"uri":"b","arguments":{"x":2}}']
        await chain(read().replace(params=Raw(b'{"uri":1e999}')))
        assert len(seen) == 2

    run(test)


def test_public_is_for_everybody_and_private_for_one() -> None:
    async def test(w: World) -> None:
        assert await w.n(read()) == 1
        w.hints = {"ttlMs": 10_000, "cacheScope": "public"}
        assert [await w.n(read(who="b")), await w.n(read(who="c"))] == [2, 2]
        assert await w.n(read()) == 1

    run(test)


def test_tools_are_kept_only_where_somebody_said_so() -> None:
    rules = {"t": ToolRule(5.0), "p": ToolRule(5.0, "public")}

    async def test(w: World) -> None:
        w.hints = {}
        assert [await w.n(tool()), await w.n(tool())] == [1, 1]
        assert await w.n(tool(arguments={"x": 1})) == 2
        assert await w.n(tool(who="you")) == 3
        assert [await w.n(tool("other")), await w.n(tool("other"))] == [4, 5]
        assert [await w.n(tool("p")), await w.n(tool("p", "you"))] == [6, 6]
        w.clock.advance(5)
        assert await w.n(tool()) == 7
        w.hints = {"ttlMs": 1000, "cacheScope": "private"}
        assert [await w.n(tool("p", "x")), await w.n(tool("p", "y"))] == [8, 9]
        w.clock.advance(1)
        assert await w.n(tool("p", "x")) == 10

    run(test, rules=rules)


def test_identical_calls_at_once_are_one() -> None:
    async def test(w: World) -> None:
        await w.n(read())
        w.clock.advance(60)
        w.gate = asyncio.Event()
        calls = [asyncio.ensure_future(w.n(read())) for _ in range(10)]
        other = asyncio.ensure_future(w.n(read(who="you")))
        await settle()
        assert w.asked == 3
        w.gate.set()
        assert await asyncio.gather(*calls) == [2] * 10
        assert await other == 3
        assert w.cache.counts.joined == 9

    run(test)


def test_who_leads_may_leave() -> None:
    async def test(w: World) -> None:
        await w.n(read())
        w.clock.advance(60)
        w.gate = asyncio.Event()
        calls = [asyncio.ensure_future(w.n(read())) for _ in range(4)]
        await settle()
        calls[0].cancel()
        calls[2].cancel()
        await settle()
        assert w.asked == 3
        w.gate.set()
        assert [await calls[1], await calls[3]] == [3, 3]
        assert not w.cache._flying

    run(test)


def test_waiting_for_what_cannot_be_shared_costs_one_round_only() -> None:
    async def test(w: World) -> None:
        await w.n(read())
        w.clock.advance(200)
        w.gate, w.down = asyncio.Event(), LOST
        calls = [asyncio.ensure_future(w.chain(read())) for _ in range(5)]
        await settle()
        assert w.asked == 2
        w.gate.set()
        assert await asyncio.gather(*calls) == [LOST] * 5

    run(test)


@pytest.mark.parametrize(
    ("failure", "helps"),
    [
        (LOST, True),
        (Failure(-32603, "m", "gateway", "upstream-busy"), True),
        (Failure(-32602, "not found", "upstream", "upstream-error"), False),
        (Failure(-32000, "m", "policy", "breaker-open"), True),
        (Failure(-32000, "m", "policy", "server-busy"), True),
        (Failure(-32000, "m", "policy", "rate-limited"), False),
        (Failure(-32602, "m", "client", "invalid-params"), False),
    ],
)
def test_an_old_answer_helps_out_while_the_server_cannot(failure: Failure, helps: bool) -> None:
    async def test(w: World) -> None:
        await w.n(read())
        w.clock.advance(11)
        w.down = failure
        reply = await w.chain(read())
        if helps:
            assert isinstance(reply, Result)
            assert reply.raw["ttlMs"] == 0
            w.clock.advance(60)
            reply = await w.chain(read())
        assert reply is failure

    run(test)


@pytest.mark.parametrize("change", ["list", "uri"])
def test_news_end_what_is_kept(change: str) -> None:
    async def test(w: World) -> None:
        heard: list[Notification] = []

        async def tell() -> None:
            if change == "list":
                w.cache.changed("tools")
                w.cache.changed("resources")
            else:
                listen = Call(method="subscriptions/listen", client=MODERN, emit=heard.append)
                await w.chain(listen)
                assert len(heard) == 1
                w.asked -= 1
                heard.clear()
            await asyncio.sleep(0)

        assert [await w.n(read()), await w.n(read("b"))] == [1, 2]
        await tell()
        assert await w.n(read()) == 3
        assert await w.n(read("b")) == (4 if change == "list" else 2)
        # What is on its way while the news comes in may be of before it.
        w.clock.advance(11)
        asked = w.asked
        w.gate = asyncio.Event()
        waiting = asyncio.ensure_future(w.n(read()))
        await asyncio.sleep(0)
        await tell()
        w.gate.set()
        await waiting
        assert await w.n(read()) == asked + 2
        # And nothing of before it helps out.
        await tell()
        w.down = LOST
        assert await w.chain(read()) is LOST

    run(test)


def test_it_is_in_no_chain_it_does_not_concern() -> None:
    w = World()
    concerned = {method for method in REQUESTS if w.cache.concerns(method)}
    assert concerned == {"resources/read", "prompts/get", "subscriptions/listen"}
    assert World(rules={"t": ToolRule(1.0)}).cache.concerns("tools/call")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nobody_is_served_the_private_entry_of_another(data: st.DataObject) -> None:
    """Whoever is served what was made for somebody else is served what was said to be public."""
    steps = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "c"]),
                st.sampled_from(["x", "y"]),
                st.sampled_from(["public", "private", None, "odd"]),
                st.sampled_from([None, "s1", "s2"]),
                st.integers(0, 6),
                st.booleans(),
            ),
            max_size=40,
        )
    )

    async def test(w: World) -> None:
        public: set[int] = set()
        waiting: list[tuple[Call, asyncio.Future[Reply]]] = []
        made: dict[int, tuple[str, str | None]] = {}
        scope: str | None = None
        numbers = itertools.count()

        async def answer(call: Call) -> Reply:
            number, said = next(numbers), scope
            made[number] = (call.principal.id, call.affinity)
            if said == "public":
                public.add(number)
            await asyncio.sleep(0)
            if call.params["fail"]:
                return LOST
            return Result(Raw.of({"n": number, "ttlMs": 5000, "cacheScope": said}))

        chain = compose([w.cache], answer)
        for who, uri, scope, affinity, step, fail in steps:  # noqa: B007 - answer reads it
            w.clock.advance(step)
            asked = read(uri, who, affinity=affinity, params={"fail": fail and step > 4})
            waiting.append((asked, asyncio.ensure_future(chain(asked))))
            if step % 2:
                await asyncio.sleep(0)
        for asked, reply in waiting:
            got = await reply
            if isinstance(got, Result):
                number = got.raw["n"]
                mine = made[number] == (asked.principal.id, asked.affinity)
                assert mine or number in public

    run(test)
