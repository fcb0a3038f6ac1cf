"""Traffic in both directions between clients and a hardened server of the official SDK."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import mcp_types
import pytest
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

import lockgate
from tests.fixtures import everything
from tests.fixtures.everything_tools import cancelled
from tests.hosts.serving import ERAS, client, said, served
from tests.hosts.test_fastmcp import Ear
from tests.support.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


def hardened() -> Any:
    options = argparse.Namespace(page_size=0)
    return lockgate.harden(everything.build(options), {"lockgate": {"shutdown_grace": 0}})


class Person:
    """Answers whatever a server asks, and notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def elicit(self, context: Any, params: Any) -> mcp_types.ElicitResult:
        self.heard.append("elicitation")
        return mcp_types.ElicitResult(
            action="accept", content={"username": "ada", "email": "a@b.c"}
        )

    async def sample(self, context: Any, params: Any) -> mcp_types.CreateMessageResult:
        self.heard.append("sampling")
        words = mcp_types.TextContent(type="text", text="words of a model")
        return mcp_types.CreateMessageResult(role="assistant", content=words, model="m")

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append(f"progress {progress:g}")

    async def log(self, params: Any) -> None:
        self.heard.append("log")

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "logging_callback": self.log,
        }


@pytest.mark.parametrize("era", ERAS)
def test_servers_ask_report_and_are_cancelled(era: str) -> None:
    async def run() -> None:
        person = Person()
        async with (
            served(hardened()) as serving,
            client(serving, era, **person.callbacks) as one,
        ):
            assert "ada" in said(await one.call_tool("test_elicitation", {"message": "who?"}))
            assert "words of a model" in said(await one.call_tool("test_sampling", {"prompt": "p"}))
            await one.call_tool("test_tool_with_progress", {}, progress_callback=person.progress)
            assert person.heard[:2] == ["elicitation", "sampling"]
            assert [one for one in person.heard if "progress" in one] == [
                "progress 0",
                "progress 50",
                "progress 100",
            ]
            person.heard.clear()
            slow = {"steps": 1000, "interval": 0.05, "name": f"hosted {era}"}
            call = asyncio.create_task(
                one.call_tool("slow", slow, progress_callback=person.progress)
            )
            await until(lambda: "progress 1" in person.heard)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await until(lambda: slow["name"] in cancelled)

    asyncio.run(run())


class Secret(BaseModel):
    password: str


@pytest.mark.parametrize(("around", "asked"), [(False, True), (True, False)])
def test_what_a_server_asks_people_is_looked_at(around: bool, asked: bool) -> None:
    server = MCPServer("shop")

    @server.tool()
    async def login(ctx: Context) -> str:
        """Ask for what nobody should type into a form."""
        return (await ctx.elicit("Your password, please", Secret)).action

    async def run() -> None:
        person = Person()
        app = lockgate.harden(server) if around else server.streamable_http_app()
        async with (
            served(app) as serving,
            client(serving, ERAS[0], **person.callbacks) as one,
        ):
            await one.call_tool("login", {})
        assert ("elicitation" in person.heard) is asked

    asyncio.run(run())


def test_updates_of_resources_reach_who_listens() -> None:
    async def run() -> None:
        async with (
            served(hardened()) as serving,
            client(serving, ERAS[1]) as one,
            one.listen(resource_subscriptions=["test://watched-resource"]) as news,
        ):
            await one.call_tool("touch", {"uri": "test://watched-resource"})
            event = await asyncio.wait_for(anext(aiter(news)), 60)
            assert getattr(event, "uri", None) == "test://watched-resource"

    asyncio.run(run())


def test_what_an_mcpserver_publishes_reaches_sessions_too() -> None:
    server = MCPServer("shop")

    @server.tool()
    async def open_counter(ctx: Context) -> str:
        """Say that tools have changed."""
        await ctx.notify_tools_changed()
        return "open"

    async def run() -> None:
        ear = Ear()
        async with (
            served(lockgate.harden(server)) as serving,
            client(serving, ERAS[0], message_handler=ear) as old,
            client(serving, ERAS[1]) as modern,
            modern.listen(tools_list_changed=True) as news,
        ):
            # Its stream is there once a server has heard of the session.
            await old.list_tools()
            await modern.call_tool("open_counter", {})
            await asyncio.wait_for(anext(aiter(news)), 60)
            await asyncio.wait_for(ear.told.wait(), 60)

    asyncio.run(run())


def test_sessions_are_apart() -> None:
    async def run() -> None:
        async with (
            served(hardened()) as serving,
            client(serving, ERAS[0]) as one,
            client(serving, ERAS[0]) as other,
        ):
            counts = [said(await each.call_tool("count", {})) for each in (one, one, other)]
            assert counts[0] == counts[2] != counts[1]

    asyncio.run(run())


def test_errors_are_the_servers_own() -> None:
    async def run() -> None:
        async with served(hardened()) as serving, client(serving, ERAS[1]) as one:
            with pytest.raises(MCPError) as error:
                await one.read_resource("test://nowhere")
            assert error.value.error.code == mcp_types.INVALID_PARAMS
            assert error.value.error.data["uri"] == "test://nowhere"

    asyncio.run(run())
