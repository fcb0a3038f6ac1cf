"""What becomes of a list that cannot be read anew, and of calls to what it may hold."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Failure, Reply, Result
from lockgate.core.names import Naming, may_be, spell
from lockgate.core.raw import Raw
from lockgate.fronts.http import HttpRequest
from lockgate.gateway.health import ready
from lockgate.gateway.status import GatewayStatus, ServerStatus
from lockgate.testing import ScriptedServer
from tests.gateway.test_catalog import DOWN, names, run
from tests.gateway.world import World, tool
from tests.security.controls import holds
from tests.support.waiting import until

BROKEN = Failure(-32603, "Nothing works here.", "upstream", "upstream-error")
TIMEOUT = Failure(-32603, "'a' did not answer.", "upstream", "upstream-timeout", detail="at ::1")
REFUSED = Failure(-32603, "'a' refused the credentials.", "upstream", "upstream-unauthorized")
TTL = {"ttlMs": 2000}


def failing(server: ScriptedServer, failure: Failure | None = BROKEN) -> None:
    server.answers.pop("tools/list", None)
    if failure is not None:
        server.answers["tools/list"] = failure


def two(**hints: Any) -> World:
    first = ScriptedServer("a", tools=[tool("x")], hints=hints)
    return World([first, ScriptedServer("b", tools=[tool("y")])])


def refused(reply: Reply) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


async def read(world: World, seconds: float) -> list[str]:
    """Every list as it is after this time, once all that is asked behind it is answered."""
    world.clock.advance(seconds)
    await world.ask("tools/list")
    await until(lambda: not world.catalog._reads._tasks)
    return names(await world.ask("tools/list"))


async def seen(world: World) -> list[str]:
    """Every list as it is, and all that is asked behind it of `b` is answered."""
    listed = names(await world.ask("tools/list"))
    await until(lambda: all(server == "a" for _, server, _ in world.catalog._reads._tasks))
    return listed


def test_one_failed_reading_hides_no_tool_and_no_call_fails() -> None:
    async def test() -> None:
        world = two(**TTL)
        await world.ask("tools/list")
        failing(world.servers[0])
        assert await read(world, 3) == ["a__x", "b__y"]
        assert isinstance(await world.ask("tools/call", name="a__x"), Result)
        assert world.announced == []
        failing(world.servers[0], None)
        assert await read(world, 6) == ["a__x", "b__y"]
        assert world.catalog.troubles("a") == ()

    run(test)


@pytest.mark.parametrize("hints", [TTL, {}])
@pytest.mark.parametrize("failure", [BROKEN, TIMEOUT])
def test_what_was_read_last_is_believed_for_so_long_and_then_left_out(
    hints: dict[str, Any], failure: Failure
) -> None:
    async def test() -> None:
        world = two(**hints)
        await world.ask("tools/list")
        failing(world.servers[0], failure)
        due = 2 if hints else 30
        assert await read(world, due + 299) == ["a__x", "b__y"]
        assert await read(world, 1) == ["b__y"]
        assert world.announced == [("notifications/tools/list_changed", "a")]
        failing(world.servers[0], None)
        assert await read(world, 6) == ["a__x", "b__y"]
        assert len(world.announced) == 2

    run(test)


def test_a_reading_that_hangs_behind_the_answers_moves_no_bound() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/list")
        hanging = world.servers[0].gate = asyncio.Event()
        for second in range(30, 330, 3):
            world.clock.advance(3 if second > 30 else 30)
            assert await seen(world) == ["a__x", "b__y"], second
        world.clock.advance(3)
        assert await seen(world) == ["b__y"]
        slow = refused(await world.ask("tools/call", name="a__x"))
        assert slow.reason == "list-unread"
        assert len(world.servers[0].asked("tools/list")) == 2
        hanging.set()

    run(test)


def test_who_asks_first_after_long_waits_for_nobody() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/list")
        hanging = world.servers[0].gate = asyncio.Event()
        world.clock.advance(3600)
        assert await seen(world) == ["a__x", "b__y"]
        world.clock.advance(4.9)
        assert await seen(world) == ["a__x", "b__y"]
        world.clock.advance(0.2)
        assert await seen(world) == ["b__y"]
        hanging.set()

    run(test)


def test_a_change_that_was_told_is_overdue_from_then_on() -> None:
    async def test() -> None:
        world = two(ttlMs=3_600_000)
        await world.ask("tools/list")
        failing(world.servers[0])
        world.catalog.changed("a", "tools")
        assert await read(world, 299) == ["a__x", "b__y"]
        assert await read(world, 1) == ["b__y"]

    run(test)


@pytest.mark.parametrize("failure", [DOWN, REFUSED])
def test_a_server_that_is_down_or_refuses_takes_its_list_along(failure: Failure) -> None:
    async def test() -> None:
        world = two(**TTL)
        await world.ask("tools/list")
        failing(world.servers[0], failure)
        assert await read(world, 3) == ["b__y"]
        failing(world.servers[0])
        assert await read(world, 6) == ["b__y"]

    run(test)


def test_what_was_listed_before_a_server_went_is_not_believed_after_it() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/list")
        world.catalog.changed("a", "state", gone=True)
        failing(world.servers[0])
        assert names(await world.ask("tools/list")) == ["b__y"]

    run(test)


def test_nothing_is_believed_where_the_setting_is_zero() -> None:
    async def test() -> None:
        world = World(two(**TTL).servers, settings={"stale": 0.0})
        await world.ask("tools/list")
        failing(world.servers[0])
        assert await read(world, 3) == ["b__y"]

    run(test)


def test_clients_are_not_told_to_keep_what_is_only_believed() -> None:
    async def test() -> None:
        world = World([ScriptedServer("a", tools=[tool("x")], hints=TTL)])
        first = await world.ask("tools/list")
        failing(world.servers[0])
        world.clock.advance(3)
        later = await world.ask("tools/list")
        assert isinstance(first, Result)
        assert isinstance(later, Result)
        assert [first.raw.get("ttlMs"), later.raw.get("ttlMs")] == [2000, 0]

    run(test)


def test_a_list_of_ones_own_that_cannot_be_read_is_what_everyone_sees() -> None:
    async def test() -> None:
        world = two()
        call = world.call("tools/list", affinity="s")
        await world.ask("tools/list")
        failing(world.servers[0])
        world.catalog.changed("a", "tools", "s")
        assert names(await world.router(call)) == ["a__x", "b__y"]

    run(test)


@pytest.mark.parametrize("naming", ["prefix", "bare"])
def test_a_call_to_what_could_not_be_listed_blames_the_server(naming: Naming) -> None:
    async def test() -> None:
        world = two()
        world = World(world.servers, naming)
        failing(world.servers[0], TIMEOUT)
        said = refused(await world.ask("tools/call", name="a__x"))
        assert (said.reason, said.origin, said.code) == ("list-unread", "upstream", -32603)
        assert said.data == {
            "server": "a",
            "state": "ready",
            "cause": "upstream-timeout",
            "retry_after": 5.0,
        }
        assert "a (ready)" in said.message
        assert "::1" not in said.message
        assert not world.servers[0].asked("tools/call")
        other = refused(await world.ask("tools/call", name="b__nothing"))
        assert other.reason == ("unknown-tool" if naming == "prefix" else "list-unread")

    run(test)


def test_each_server_that_may_have_it_is_named_when_names_do_not_say() -> None:
    async def test() -> None:
        servers = [ScriptedServer(name, tools=[tool(name)]) for name in ("a", "b", "c")]
        failing(servers[0])
        failing(servers[1], DOWN)
        servers[1].down = DOWN
        said = refused(await World(servers, "bare").ask("tools/call", name="x"))
        assert said.data == {
            "retry_after": 3.0,
            "servers": [
                {"server": "a", "state": "ready", "cause": "upstream-error", "retry_after": 5.0},
                {
                    "server": "b",
                    "state": "backoff",
                    "cause": "server-unavailable",
                    "retry_after": 3.0,
                },
            ],
        }

    run(test)


def test_a_new_name_of_a_server_that_cannot_list_it_yet_is_not_called_unknown() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/list")
        failing(world.servers[0])
        world.catalog.changed("a", "tools")
        assert refused(await world.ask("tools/call", name="a__new")).reason == "list-unread"
        assert refused(await world.ask("tools/call", name="b__new")).reason == "unknown-tool"
        assert refused(await world.ask("prompts/get", name="a__new")).reason == "unknown-prompt"

    run(test)


@holds(23)
def test_a_server_that_is_down_is_reached_by_what_it_listed_and_by_no_guess() -> None:
    async def test() -> None:
        server = ScriptedServer("a", tools=[tool("with.dot")])
        world = World([server, ScriptedServer("b")])
        await world.ask("tools/list")
        server.down = DOWN
        world.catalog.changed("a", "state", gone=True)
        assert refused(await world.ask("tools/call", name="a__with_dot")) is DOWN
        assert [call.target.name for call in server.asked("tools/call") if call.target] == [
            "with.dot"
        ]
        guessed = refused(await world.ask("tools/call", name="a__guessed"))
        assert guessed.reason == "server-unavailable"
        assert guessed.data == {"server": "a", "state": "backoff", "retry_after": 3.0}
        assert len(server.asked("tools/call")) == 1

    run(test)


def test_no_call_waits_for_the_list_of_another_server_in_trouble() -> None:
    async def test() -> None:
        world = two(**TTL)
        await world.ask("tools/list")
        world.servers[1].gate = asyncio.Event()
        world.clock.advance(3600)
        world.servers[0].answers["tools/call"] = Result(Raw.of({}))
        assert isinstance(await world.ask("tools/call", name="a__x"), Result)
        world.servers[1].gate.set()

    run(test)


def test_trouble_with_a_list_is_told_once_and_until_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        world = two(**TTL)
        await world.ask("tools/list")
        failing(world.servers[0], TIMEOUT)
        for _ in range(10):
            await read(world, 6)
        (trouble,) = world.catalog.troubles("a")
        assert (trouble.method, trouble.code, trouble.believed) == ("tools/list", "LG-602", 242.0)
        await read(world, 400)
        assert world.catalog.troubles("a")[0].believed is None
        assert {d.verdict for d in world.decisions} == {"answered", "refused"}
        assert {(d.policy, d.reason) for d in world.decisions} == {("lists", "upstream-timeout")}
        failing(world.servers[0], None)
        await read(world, 6)
        assert world.catalog.troubles("a") == ()

    with caplog.at_level(logging.INFO, "lockgate.servers"):
        run(test)
    told = [record for record in caplog.records if record.name == "lockgate.servers"]
    assert [record.levelname for record in told] == ["WARNING", "WARNING", "INFO"]
    assert "counts for 296 s more" in told[0].getMessage()
    assert "[at ::1]" in told[0].getMessage()
    assert "left out" in told[1].getMessage()
    assert told[0].__dict__["code"] == "LG-602"


def test_a_server_that_is_down_is_no_news_about_its_lists(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        world = two(**TTL)
        failing(world.servers[0], DOWN)
        await read(world, 3)
        assert world.catalog.troubles("a") == ()
        assert world.decisions == []

    with caplog.at_level(logging.INFO, "lockgate.servers"):
        run(test)
    assert not caplog.records


def test_ready_says_which_lists_cannot_be_read() -> None:
    async def test() -> None:
        world = two(**TTL)
        await world.ask("tools/list")
        failing(world.servers[0], TIMEOUT)
        await read(world, 3)
        lists = world.catalog.troubles("a")
        shown = ServerStatus(name="a", transport="http", phase="ready", lists=lists)
        body = await _answer(GatewayStatus(phase="serving", servers=(shown,)))
        assert body["servers"]["a"]["lists"] == {
            "tools/list": {"code": "LG-602", "believed_for": 299.0}
        }
        assert b"::1" not in json.dumps(body).encode()

    run(test)


async def _answer(status: GatewayStatus) -> dict[str, Any]:
    class Kept:
        body = b""
        started = False

        def send(self, _status: int, _headers: object, body: bytes) -> None:
            self.body = body

    kept: Any = Kept()
    request = HttpRequest(method="GET", path="/ready", query="", headers={})
    await ready(lambda: status)(request, kept)
    return json.loads(kept.body)


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(["prefix", "bare"]))
def test_a_name_may_always_be_of_the_server_whose_it_is(
    server: str, name: str, naming: Naming
) -> None:
    assert may_be(spell(server, name, naming), server, naming)


def test_a_name_is_not_taken_for_that_of_any_server() -> None:
    assert not may_be("b__x", "a", "prefix")
    assert not may_be("a_x", "a", "prefix")
    assert not may_be("a" * 64, "b" * 64, "prefix")
