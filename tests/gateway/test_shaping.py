"""How tools are listed: shorter, and the same bytes for all who read the same, each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.context.compact.levels import FLAG
from lockgate.core.message import ClientFacts, Reply, Result
from lockgate.gateway import shaping
from lockgate.gateway.build import tool_shapes
from lockgate.gateway.listing import LISTS
from lockgate.gateway.shaping import Dialect, Shaping, ToolShape
from lockgate.testing import ScriptedServer
from tests.gateway.world import HANDSHAKE, MODERN, World, tool

PAGE = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "searchArguments",
    "type": "object",
    "properties": {"page": {**PAGE, "title": "Page"}},
}
PLAIN = {"type": "object", "properties": {"page": PAGE}}
RICH = {"type": "object", "properties": {"page": {"type": ["integer", "null"]}}}
AUTO = ToolShape("lossless", "auto", ("claude*",))
CLAUDE = MODERN.replace(name="Claude-Code")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def made(shape: ToolShape = AUTO, *tools: dict[str, Any]) -> World:
    listed = [*tools] or [tool("search", inputSchema=SCHEMA, description="Finds.\n\n  It.")]
    return World([ScriptedServer("a", tools=listed)], settings={"shapes": {"": shape}})


def listed(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, Result), reply
    return json.loads(reply.raw.encode())


@pytest.mark.parametrize("client", [MODERN, HANDSHAKE])
def test_tools_are_listed_shorter_and_known_as_their_server_wrote_them(
    client: ClientFacts,
) -> None:
    async def test() -> None:
        world = made()
        (one,) = listed(await world.ask("tools/list", client))["tools"]
        assert one == {"name": "a__search", "description": "Finds.\nIt.", "inputSchema": PLAIN}
        original = world.catalog.definition("a", "tools/list", "search")
        assert original is not None
        assert original["inputSchema"] == SCHEMA

    run(test)


def test_clients_that_take_lists_of_types_get_them_for_themselves() -> None:
    async def test() -> None:
        world = made()
        await world.ask("tools/list", CLAUDE)
        plain = listed(await world.ask("tools/list", MODERN.replace(name="Cursor")))
        rich = listed(await world.ask("tools/list", CLAUDE))
        assert rich["tools"][0]["inputSchema"] == RICH
        assert plain["tools"][0]["inputSchema"] == PLAIN
        assert rich["cacheScope"] == "private"

    run(test)


@pytest.mark.parametrize(("lists", "schema"), [("always", RICH), ("never", PLAIN)])
def test_lists_of_types_for_all_or_for_nobody(lists: Any, schema: dict[str, Any]) -> None:
    async def test() -> None:
        world = made(ToolShape("lossless", lists, ("claude*",)))
        for client in (CLAUDE, MODERN):
            (one,) = listed(await world.ask("tools/list", client))["tools"]
            assert one["inputSchema"] == schema

    run(test)


def test_what_is_off_is_listed_byte_for_byte() -> None:
    async def test() -> None:
        world = made(ToolShape("off"), tool("search", inputSchema=SCHEMA))
        (one,) = listed(await world.ask("tools/list", CLAUDE))["tools"]
        assert one["inputSchema"] == SCHEMA

    run(test)


def test_a_level_that_loses_something_says_so() -> None:
    async def test() -> None:
        world = made(ToolShape("signature"))
        (one,) = listed(await world.ask("tools/list"))["tools"]
        assert one["description"] == "(page?: integer) - Finds."
        assert one["_meta"] == {FLAG: "signature"}

    run(test)


def test_other_lists_are_left_alone() -> None:
    async def test() -> None:
        prompts = [{"name": "p", "description": "a  \n\n  b"}]
        server = ScriptedServer("a", prompts=prompts)
        world = World([server], settings={"shapes": {"": AUTO}})
        assert listed(await world.ask("prompts/list"))["prompts"][0]["description"] == "a  \n\n  b"

    run(test)


def test_lists_are_the_same_bytes_for_everybody_and_each_time() -> None:
    """So that what a provider keeps of a prompt goes on being worth something."""

    async def test() -> None:
        tools = [tool(f"t{at}", inputSchema=SCHEMA) for at in (3, 1, 2)]
        seen: set[bytes] = set()
        for _ in range(2):
            world = made(AUTO, *tools)
            for client in (MODERN, MODERN.replace(name="Other", capabilities_key="x")):
                reply = await world.ask("tools/list", client)
                assert isinstance(reply, Result)
                seen.add(reply.raw.encode())
            # Asked for anew, it is what it was.
            world.catalog.changed("a", "tools")
            again = await world.ask("tools/list")
            assert isinstance(again, Result)
            seen.add(again.raw.encode())
        assert len(seen) == 1
        (only,) = seen
        assert [one["name"] for one in json.loads(only)["tools"]] == ["a__t3", "a__t1", "a__t2"]

    run(test)


def test_pages_of_either_kind_go_on_by_the_same_cursor() -> None:
    async def test() -> None:
        tools = [tool(f"t{at}", inputSchema=SCHEMA) for at in range(3)]
        world = World(
            [ScriptedServer("a", tools=tools)],
            settings={"shapes": {"": AUTO}, "page_size": 2},
        )
        first = listed(await world.ask("tools/list"))
        second = listed(await world.ask("tools/list", CLAUDE, cursor=first["nextCursor"]))
        assert [one["name"] for one in second["tools"]] == ["a__t2"]
        assert second["tools"][0]["inputSchema"] == RICH

    run(test)


def test_a_long_list_is_written_before_anybody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        tools = [tool(f"t{at}", inputSchema=SCHEMA, description="x" * 200) for at in range(200)]
        world = made(AUTO, *tools)
        calls: list[bytes] = []
        real = shaping.shaped

        def counted(data: bytes, level: Any, *, type_lists: bool) -> bytes:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                pass
            else:
                calls.append(data)
            return real(data, level, type_lists=type_lists)

        monkeypatch.setattr(shaping, "shaped", counted)
        assert len(listed(await world.ask("tools/list"))["tools"]) == 200
        assert calls == []

    run(test)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "MOST_BYTES", 10_000)
    monkeypatch.setattr(shaping, "MOST_NAMES", 3)
    known = Shaping({"": AUTO})
    write = known.writes(LISTS["tools/list"], Dialect("lossless", False))
    assert write is not None
    for at in range(200):
        write(json.dumps(tool(f"t{at}", inputSchema=SCHEMA)).encode())
        known.richer("", MODERN.replace(name=f"c{at}"))
    assert known._bytes <= 10_000
    assert known._bytes == sum(len(data) + len(made) for (data, _), made in known._written.items())
    assert len(known._takes) <= 3


def test_endpoints_say_how_tools_are_listed() -> None:
    endpoints = {"/short": {"compact": {"tools": "brief", "type_lists": "never"}}, "/same": {}}
    settings = {"compact": {"type_list_clients": ["Mine*"]}, "endpoints": endpoints}
    shapes = tool_shapes(Config.model_validate({"servers": {}, "lockgate": settings}))
    mine = ToolShape("lossless", "auto", ("mine*",))
    assert shapes["/mcp"] == shapes["/same"] == shapes[""] == mine
    assert shapes["/short"].level == "brief"
    assert not Shaping(shapes).richer("/short", MODERN.replace(name="claude-code"))
    assert Shaping(shapes).richer("/same", MODERN.replace(name="MINE-1"))
