"""The same over stdio, where one pipe carries everything: real servers on the official SDKs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from tests.bridge.clients import EVERYTHING, Begun, Client, progress
from tests.bridge.requirements import requirement
from tests.support import running

pytestmark = pytest.mark.interop

FIXTURE = {"L": "old_everything", "M": "new_everything"}


class Pipes:
    """Gateways in front of one server each over stdio, in a loop of their own.

    A server takes longer to start than all of this needs it for, so every test has the same ones.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._gateways: dict[str, tuple[Gateway, int]] = {}

    def run(self, play: Coroutine[Any, Any, None]) -> None:
        """Play to the end, in the loop of the gateways."""
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(play, 60), self._loop).result()

    @asynccontextmanager
    async def clients(self, cell: str, count: int = 1) -> AsyncIterator[list[Client]]:
        """Clients of the cell's era in front of a server of its other."""
        port = await self._port(cell[1])
        found = [Client(port, cell[0], name=f"client-{cell}-{n}") for n in range(count)]
        with ExitStack() as stack:
            for client in found:
                stack.callback(client.close)
                await client.open()
            yield found

    async def _port(self, era: str) -> int:
        if era not in self._gateways:
            command, *arguments = running.fixture_command(FIXTURE[era], "--stdio")
            entry = {"command": command, "args": arguments, "cwd": str(running.REPOSITORY)}
            config = Config.model_validate({"servers": {"everything": entry}}, strict=False)
            gateway = Gateway(config)
            self._gateways[era] = gateway, 0
            await gateway.start()
            assert await gateway.settled(60)
            [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
            self._gateways[era] = gateway, port
        return self._gateways[era][1]

    async def stop(self) -> None:
        """End the servers."""
        await asyncio.gather(*(gateway.stop(0.5) for gateway, _ in self._gateways.values()))


@pytest.fixture(scope="module")
def pipes() -> Iterator[Pipes]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    found = Pipes(loop)
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(found.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@requirement("stdio")
@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("test_input_required_result_elicitation", "Hello, Ada!"),
        ("test_input_required_result_list_roots", "Roots: file:///root"),
        ("test_input_required_result_sampling", "A sentence."),
    ],
)
def test_servers_on_a_pipe_ask(pipes: Pipes, cell: str, tool: str, said: str) -> None:
    async def play() -> None:
        async with pipes.clients(cell) as [client]:
            done = await client.run(tool)
            assert done.result["content"][0]["text"] == said

    pipes.run(play())


@requirement("stdio", "cancel")
def test_a_call_on_a_pipe_is_cancelled(pipes: Pipes, cell: str) -> None:
    async def play() -> None:
        async with pipes.clients(cell) as [client]:
            arguments = {"steps": 1000, "interval": 0.05, "name": cell}
            params = {"name": "slow", "arguments": arguments, **progress("p")}
            begun = Begun("tools/call", params)
            await client.send(begun)
            assert begun.stream is not None
            await begun.stream.until("notifications/progress")
            await client.cancel(begun)
            async with asyncio.timeout(60):
                names: list[str] = []
                while names != [cell]:
                    names = (await client.run("cancelled", name=cell)).said["names"]

    pipes.run(play())


@requirement("stdio", "isolation-answers", "isolation-said")
def test_two_callers_on_one_pipe(pipes: Pipes, cell: str) -> None:
    async def play() -> None:
        async with pipes.clients(cell, 2) as pair:
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

    pipes.run(play())


@requirement("stdio", "facts-stamped")
def test_a_server_on_a_pipe_learns_what_its_caller_can(pipes: Pipes, cell: str) -> None:
    async def play() -> None:
        async with pipes.clients(cell) as [client]:
            assert (await client.run("who_calls")).said["capabilities"].keys() == EVERYTHING.keys()

    pipes.run(play())
