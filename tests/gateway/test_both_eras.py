"""What servers of both eras tell outside of sessions reaches sessions, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import Context, MCPServer

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.testing import ScriptedServer
from lockgate.upstreams.changes import Announcer, Changed
from tests.gateway.test_gathering import Heard, hearing
from tests.gateway.world import HANDSHAKE, World, tool
from tests.hosts.serving import ERAS, client, served

TOOLS = "notifications/tools/list_changed"
UPDATED = "notifications/resources/updated"
BOTH = ("handshake", "modern")
QUIET = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


@pytest.mark.parametrize("ways", ["outside", "session first", "outside first"])
def test_a_session_is_told_once(ways: str) -> None:
    async def play() -> None:
        server = ScriptedServer("a", tools=[tool("x")])
        world = World([server])
        world.subscriptions.eras_of = lambda _: BOTH
        heard = Heard()
        listening = await hearing(world, HANDSHAKE, heard, affinity="s1")
        if ways == "session first":
            server.tell(TOOLS)
        world.catalog.changed("a", "tools")
        world.subscriptions.heard_outside("a", "tools")
        if ways == "outside first":
            server.tell(TOOLS)
        assert len(heard) == 1
        async with asyncio.timeout(5):
            await heard.reach(2)
        assert heard[1].method == TOOLS
        assert world.subscriptions._timer is None
        world.subscriptions.close()
        await listening
        assert len(heard) == 2

    asyncio.run(play())


def test_sessions_of_servers_of_one_era_hear_their_own_news_alone() -> None:
    async def play() -> None:
        world = World([ScriptedServer("a", tools=[tool("x")])])
        heard = Heard()
        listening = await hearing(world, HANDSHAKE, heard, affinity="s1")
        world.subscriptions.heard_outside("a", "tools")
        assert world.subscriptions._timer is None
        world.servers[0].tell(TOOLS)
        assert [one.method for one in heard[1:]] == [TOOLS]
        world.subscriptions.close()
        await listening

    asyncio.run(play())


def test_news_of_the_two_kinds_do_not_hold_each_other_back() -> None:
    async def play() -> None:
        announcer, told = Announcer("a", quiet=0), list[Changed]()
        announcer.watch(told.append)
        announcer.tell("tools")
        announcer.tell_outside("tools")
        announcer.tell("tools")
        assert told == [Changed("a", "tools"), Changed("a", "tools", outside=True)]
        announcer.stop()

    asyncio.run(play())


def shop() -> MCPServer:
    """Tells of changes as the official SDK has it: on listen streams, and nowhere else."""
    server = MCPServer("shop")

    @server.tool()
    async def turn(ctx: Context[Any, Any]) -> str:
        """Turn the sign."""
        await ctx.notify_tools_changed()
        await ctx.notify_resource_updated("note://sign")
        return "turned"

    @server.resource("note://sign")
    def sign() -> str:
        """What it says."""
        return "open"

    return server


@asynccontextmanager
async def clients(server: MCPServer, *eras: str) -> AsyncGenerator[list[tuple[Client, Heard]]]:
    """Clients of a gateway in front of it, and what each hears."""
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(served(server.streamable_http_app()))
        gateway = Gateway(Config.model_validate({"servers": {"shop": {"url": serving.url}}}))
        await gateway.start()
        stack.push_async_callback(gateway.stop, 0)
        assert await gateway.settled(5)
        [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
        url: Any = SimpleNamespace(url=f"http://127.0.0.1:{port}/mcp")
        found: list[tuple[Client, Heard]] = []
        for era in eras:
            heard = Heard()

            async def hear(message: Any, heard: Heard = heard) -> None:
                heard.append(message)

            one = await stack.enter_async_context(client(url, era, message_handler=hear))
            found.append((one, heard))
        yield found


@QUIET
def test_what_the_official_sdk_publishes_reaches_sessions() -> None:
    async def run() -> None:
        async with clients(shop(), *ERAS) as ((old, heard), (modern, _)):
            # Its stream is there once a server has heard of the session.
            await old.list_tools()
            opening = old.session.initialize_result
            assert opening is not None
            assert opening.capabilities.resources is not None
            assert opening.capabilities.resources.subscribe is True
            await old.session.subscribe_resource("note://sign")
            async with asyncio.timeout(5):
                for caller in (modern, old):
                    heard.clear()
                    await caller.call_tool("turn", {})
                    await heard.reach(2)
                    assert sorted(one.method for one in heard) == [UPDATED, TOOLS]
            await old.session.unsubscribe_resource("note://sign")

    asyncio.run(run())
