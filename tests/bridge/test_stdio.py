"""The same over stdio, where one pipe carries everything: real servers on the official SDKs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from tests.bridge.clients import EVERYTHING, Begun, Client, progress
from tests.bridge.requirements import requirement
from tests.bridge.world import run
from tests.support import running

pytestmark = pytest.mark.interop

FIXTURE = {"L": "old_everything", "M": "new_everything"}


@asynccontextmanager
async def clients(cell: str, count: int = 1) -> AsyncIterator[list[Client]]:
    """Clients of the cell's era in front of a server of its other over stdio."""
    command, *arguments = running.fixture_command(FIXTURE[cell[1]], "--stdio")
    entry = {"command": command, "args": arguments, "cwd": str(running.REPOSITORY)}
    config = Config.model_validate({"servers": {"everything": entry}}, strict=False)
    gateway = Gateway(config)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.stop, 0.5)
        await gateway.start()
        assert await gateway.settled(15)
        [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
        found = [Client(port, cell[0], name=f"client-{n}") for n in range(count)]
        for client in found:
            stack.callback(client.close)
            await client.open()
        yield found


@requirement("stdio")
@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("test_input_required_result_elicitation", "Hello, Ada!"),
        ("test_input_required_result_list_roots", "Roots: file:///root"),
        ("test_input_required_result_sampling", "A sentence."),
    ],
)
def test_servers_on_a_pipe_ask(cell: str, tool: str, said: str) -> None:
    async def play() -> None:
        async with clients(cell) as [client]:
            done = await client.run(tool)
            assert done.result["content"][0]["text"] == said

    run(play())


@requirement("stdio", "cancel")
def test_a_call_on_a_pipe_is_cancelled(cell: str) -> None:
    async def play() -> None:
        async with clients(cell) as [client]:
            arguments = {"steps": 1000, "interval": 0.05, "name": "me"}
            params = {"name": "slow", "arguments": arguments, **progress("p")}
            begun = Begun("tools/call", params)
            await client.send(begun)
            assert begun.stream is not None
            await begun.stream.until("notifications/progress")
            await client.cancel(begun)
            async with asyncio.timeout(5):
                names: list[str] = []
                while names != ["me"]:
                    names = (await client.run("cancelled", name="me")).said["names"]

    run(play())


@requirement("stdio", "isolation-answers", "isolation-said")
def test_two_callers_on_one_pipe(cell: str) -> None:
    async def play() -> None:
        async with clients(cell, 2) as pair:
            for client in pair:
                named = {"action": "accept", "content": {"name": client.name, "color": "red"}}
                client.answers["elicitation/create"] = named
            begun = [await one.call("test_input_required_result_multi_round") for one in pair]
            for one, call in reversed(list(zip(pair, begun, strict=True))):
                await one.answer(call)
            for one, call in zip(pair, begun, strict=True):
                done = await one.answer(call)
                assert done.result["content"][0]["text"] == f"{one.name} likes red"

            params = {"name": "slow", "arguments": {"steps": 3, "interval": 0.02}}
            calls = [
                one.ask("tools/call", {**params, **progress(f"of {one.name}")}) for one in pair
            ]
            for one, done in zip(pair, await asyncio.gather(*calls), strict=True):
                tokens = {p["progressToken"] for p in done.notices("notifications/progress")}
                assert tokens == {f"of {one.name}"}

    run(play())


@requirement("stdio", "facts-stamped")
def test_a_server_on_a_pipe_learns_what_its_caller_can(cell: str) -> None:
    async def play() -> None:
        async with clients(cell) as [client]:
            assert (await client.run("who_calls")).said["capabilities"].keys() == EVERYTHING.keys()

    run(play())
