"""When lists are fetched, kept, refreshed and given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockgate.core.credentials import Credentials
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.raw import Raw
from lockgate.gateway.reads import ATTEMPTS
from lockgate.testing import ScriptedServer
from tests.gateway.world import HANDSHAKE, MODERN, World, tool
from tests.support.credentials import Apart
from tests.support.waiting import until

DOWN = Failure(
    code=-32603,
    message="a is down.",
    origin="upstream",
    reason="server-unavailable",
    data={"server": "a", "retry_after": 3},
)


def names(reply: Reply) -> list[str]:
    assert isinstance(reply, Result), reply
    return [item["name"] for item in json.loads(reply.raw.encode())["tools"]]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def test_a_list_is_fetched_once_for_many_callers_at_once() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        world = World([server])
        replies = await asyncio.gather(*(world.ask("tools/list") for _ in range(50)))
        assert {tuple(names(reply)) for reply in replies} == {("a__x",)}
        assert len(server.asked("tools/list")) == 1

    run(test)


def test_an_answer_counts_although_it_is_being_asked_for_anew() -> None:
    async def test() -> None:
        quick, slow = ScriptedServer("a", tools=[tool("x")]), ScriptedServer("b")
        slow.gate = asyncio.Event()
        world = World([quick, slow])
        asking = asyncio.create_task(world.ask("tools/list"))
        key = ("tools/list", "a", world.catalog.view("a", world.call("tools/list")))
        await until(lambda: key in world.catalog._kept)
        quick.gate = asyncio.Event()
        world.catalog.changed("a", "state")
        again = asyncio.create_task(world.catalog.learn("a", world.call("")))
        await until(lambda: len(quick.asked("tools/list")) == 2)
        slow.gate.set()
        assert names(await asking) == ["a__x"]
        quick.gate.set()
        await again

    run(test)


def test_all_pages_of_a_server_are_one_list() -> None:
    async def test() -> None:
        async def paged(call: Call) -> Reply:
            page = int(call.params.get("cursor", "0"))
            more = {"nextCursor": str(page + 1)} if page < 3 else {}
            return Result(Raw.of({"tools": [tool(f"t{page}")], **more}))

        world = World([ScriptedServer("a", answers={"tools/list": paged})], "bare")
        assert names(await world.ask("tools/list")) == ["t0", "t1", "t2", "t3"]

    run(test)


def test_pages_of_two_versions_are_never_one_list() -> None:
    async def test() -> None:
        version, gate = 1, asyncio.Event()

        async def paged(call: Call) -> Reply:
            if "cursor" not in call.params:
                return Result(Raw.of({"tools": [tool(f"v{version}-1")], "nextCursor": "2"}))
            await gate.wait()
            return Result(Raw.of({"tools": [tool(f"v{version}-2")]}))

        server = ScriptedServer("a", answers={"tools/list": paged})
        world = World([server], "bare")
        asking = asyncio.create_task(world.ask("tools/list"))
        await until(lambda: len(server.asked("tools/list")) == 2)
        version = 2
        world.catalog.changed("a", "tools")
        gate.set()
        assert names(await asking) == ["v2-1", "v2-2"]

    run(test)


def test_a_list_that_always_changes_while_it_is_read_is_taken_as_it_is() -> None:
    async def test() -> None:
        async def paged(call: Call) -> Reply:
            world.catalog.changed("a", "tools")
            page = 1 if "cursor" not in call.params else 2
            more = {"nextCursor": "2"} if page == 1 else {}
            return Result(Raw.of({"tools": [tool(f"t{page}")], **more}))

        server = ScriptedServer("a", answers={"tools/list": paged})
        world = World([server], "bare")
        assert names(await world.ask("tools/list")) == ["t1", "t2"]
        assert len(server.asked("tools/list")) == 2 * ATTEMPTS

    run(test)


def test_nothing_is_asked_for_once_the_catalog_is_closed() -> None:
    async def test() -> None:
        fast, slow = ScriptedServer("a", tools=[tool("x")]), ScriptedServer("b")
        world = World([fast, slow])
        await world.ask("tools/list")
        world.clock.advance(1000)
        slow.gate = asyncio.Event()
        world.catalog.changed("b", "tools")
        asking = asyncio.create_task(world.ask("tools/list"))
        await until(lambda: len(slow.asked("tools/list")) == 2)
        await world.catalog.close()
        await asking
        await asyncio.sleep(0)
        assert len(fast.asked("tools/list")) == 1

    run(test)


def test_the_empty_string_is_a_cursor_like_any_other() -> None:
    async def test() -> None:
        async def paged(call: Call) -> Reply:
            if "cursor" in call.params:
                assert call.params["cursor"] == ""
                return Result(Raw.of({"tools": [tool("second")]}))
            return Result(Raw.of({"tools": [tool("first")], "nextCursor": ""}))

        world = World([ScriptedServer("a", answers={"tools/list": paged})], "bare")
        assert names(await world.ask("tools/list")) == ["first", "second"]

    run(test)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"tools": "nonsense"}, "no list"),
        ({"tools": [1]}, "no list"),
        ({"tools": [{"title": "no name"}]}, "no string"),
        ({}, "no list"),
        ({"tools": [], "nextCursor": 5}, "nextCursor"),
        ({"tools": [], "nextCursor": "again"}, "pages"),
        ({"tools": [tool(f"t{i}") for i in range(30)]}, "entries"),
    ],
)
def test_garbage_instead_of_a_list_takes_that_server_out_and_no_other(
    answer: dict[str, Any], what: str
) -> None:
    async def test() -> None:
        bad = ScriptedServer("bad", answers={"tools/list": Result(Raw.of(answer))})
        good = ScriptedServer("good", tools=[tool("x")])
        world = World([bad, good], settings={"most": dict.fromkeys(("bad", "good"), (20, 5))})
        assert names(await world.ask("tools/list")) == ["good__x"]
        face = world.catalog.peek("tools/list", world.call("tools/list"))
        assert face is not None
        problem = face.parts[0].problem
        assert problem is not None
        long = what in {"pages", "entries"}
        assert problem.reason == ("list-too-long" if long else "invalid-list")
        assert what in (problem.message if long else str(problem.remedy))

    run(test)


def test_a_server_that_hangs_delays_lists_once_and_appears_when_it_answers() -> None:
    async def test() -> None:
        slow = ScriptedServer("slow", tools=[tool("s")])
        slow.gate = asyncio.Event()
        world = World([slow, ScriptedServer("fast", tools=[tool("f")])], settings={"wait": 0.02})
        assert names(await world.ask("tools/list")) == ["fast__f"]
        started = asyncio.get_running_loop().time()
        for _ in range(20):
            assert names(await world.ask("tools/list")) == ["fast__f"]
        assert asyncio.get_running_loop().time() - started < 0.3
        assert world.announced == []
        slow.gate.set()
        await until(lambda: world.announced)
        assert world.announced == [("notifications/tools/list_changed", "slow")]
        assert names(await world.ask("tools/list")) == ["slow__s", "fast__f"]
        assert len(slow.asked("tools/list")) == 1

    run(test)


def test_who_is_told_of_a_slow_server_is_told_when_to_ask_again() -> None:
    async def test() -> None:
        slow = ScriptedServer("slow")
        slow.gate = asyncio.Event()
        world = World([slow], settings={"wait": 0.02, "retry": 7.0})
        for method, seconds in (("tools/list", 7.0), ("server/discover", 5)):
            reply = await world.ask(method)
            assert isinstance(reply, Failure)
            assert reply.reason == "server-slow"
            assert reply.data == {"server": "slow", "retry_after": seconds}
        slow.gate.set()

    run(test)


def test_when_no_server_answers_the_list_is_a_failure_not_empty() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        server.down = DOWN
        reply = await World([server]).ask("tools/list")
        assert isinstance(reply, Failure)
        assert reply.reason == "server-unavailable"
        assert "a is down" in reply.message

    run(test)


def test_a_failed_list_is_asked_again_after_a_while_and_comes_back() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        other = ScriptedServer("b", tools=[tool("y")])
        server.down = DOWN
        world = World([server, other])
        assert names(await world.ask("tools/list")) == ["b__y"]
        server.down = None
        assert names(await world.ask("tools/list")) == ["b__y"]
        world.clock.advance(6)
        await world.ask("tools/list")
        await until(lambda: world.announced)
        assert names(await world.ask("tools/list")) == ["a__x", "b__y"]

    run(test)


def test_list_changed_is_announced_and_the_next_list_is_the_new_one() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        world = World([server])
        assert names(await world.ask("tools/list")) == ["a__x"]
        server.lists["tools/list"] = ("tools", [tool("y")])
        assert names(await world.ask("tools/list")) == ["a__x"]
        world.catalog.changed("a", "tools")
        assert world.announced == [("notifications/tools/list_changed", "a")]
        assert names(await world.ask("tools/list")) == ["a__y"]
        assert len(world.announced) == 1

    run(test)


def test_a_change_during_a_fetch_is_not_lost() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        server.gate = asyncio.Event()
        world = World([server], settings={"wait": 1})
        asking = asyncio.ensure_future(world.ask("tools/list"))
        await until(lambda: server.calls)
        world.catalog.changed("a", "tools")
        server.gate.set()
        await asking
        server.lists["tools/list"] = ("tools", [tool("y")])
        assert names(await world.ask("tools/list")) == ["a__y"]

    run(test)


def test_ttl_is_honoured_to_the_second() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")], hints={"ttlMs": 2000})
        world = World([server])
        await world.ask("tools/list")
        world.clock.advance(1.9)
        await world.ask("tools/list")
        assert len(server.asked("tools/list")) == 1
        world.clock.advance(0.2)
        await world.ask("tools/list")
        assert len(server.asked("tools/list")) == 2

    run(test)


def test_without_ttl_an_old_list_is_answered_at_once_and_refreshed_behind() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        world = World([server])
        await world.ask("tools/list")
        server.lists["tools/list"] = ("tools", [tool("y")])
        world.clock.advance(31)
        assert names(await world.ask("tools/list")) == ["a__x"]
        await until(lambda: world.announced)
        assert names(await world.ask("tools/list")) == ["a__y"]

    run(test)


@pytest.mark.parametrize("personal", [False, True])
def test_principals_share_a_list_unless_the_server_can_tell_them_apart(personal: bool) -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        each = dict[str, Credentials]()
        if personal:
            each["a"] = Apart()
        world = World([server], credentials=each)
        rich = HANDSHAKE.__class__(
            era="handshake", protocol_version="2025-11-25", capabilities_key="rich"
        )
        for call in (
            world.call("tools/list", MODERN),
            *(world.call("tools/list", MODERN, principal=f"p{n}") for n in range(20)),
            world.call("tools/list", HANDSHAKE),
            world.call("tools/list", rich),
        ):
            await world.router(call)
            await world.router(call)
        assert len(server.asked("tools/list")) == 3 + 20 * personal
        asked_for = {one.principal.id for one in server.asked("tools/list")}
        assert len(asked_for) == 1 + 20 * personal
        assert len(world.catalog._faces) == 3 + 20 * personal

    run(test)


def test_a_list_that_changed_for_one_session_is_fetched_through_that_session() -> None:
    async def test() -> None:
        async def by_session(call: Call) -> Reply:
            return Result(Raw.of({"tools": [tool("own" if call.affinity else "everyones")]}))

        world = World([ScriptedServer("a", answers={"tools/list": by_session})], "bare")
        one = world.call("tools/list", HANDSHAKE, affinity="s1")
        two = world.call("tools/list", HANDSHAKE, affinity="s2")
        assert names(await world.router(one)) == names(await world.router(two)) == ["everyones"]
        world.catalog.changed("a", "tools", "s1")
        assert names(await world.router(one)) == ["own"]
        assert names(await world.router(two)) == ["everyones"]
        world.catalog.forget_session("s1")
        assert names(await world.router(one)) == ["everyones"]

    run(test)
