"""A stdio server that is killed, between calls or in the middle of one: what callers notice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.clients import Client, going
from tests.fronts.served import run
from tests.security.world import Json, World, gateway, until

PROGRAM = Path(__file__).with_name("mortal_server.py")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kills with signals"),
    pytest.mark.parametrize("client_era", ["L", "M"]),
    pytest.mark.parametrize("server_era", ["handshake", "modern"]),
]


class Mortal:
    """One server behind a gateway, and a client of it."""

    def __init__(self, world: World, client: Client, folder: Path) -> None:
        self.world = world
        self.client = client
        self.folder = folder

    async def call(self, tool: str) -> Any:
        begun = await self.client.call(tool)
        if begun.stream is not None:
            begun.stream.close()
        return begun

    def runs(self) -> list[tuple[int, str]]:
        """Who ran what, in order."""
        written = self.folder / "runs"
        lines = written.read_text().splitlines() if written.exists() else []
        return [(int(pid), tool) for pid, _, tool in (line.partition(" ") for line in lines)]

    def pid(self) -> int:
        """The last process that ran anything."""
        return self.runs()[-1][0]

    def hang(self, yes: bool) -> None:
        if yes:
            (self.folder / "hang").touch()
        else:
            (self.folder / "hang").unlink()

    def phase(self) -> str:
        return self.world.gateway.servers()[0].phase


@asynccontextmanager
async def mortal(client_era: str, server_era: str, folder: Path) -> AsyncIterator[Mortal]:
    args = ["-I", "-S", str(PROGRAM), server_era, str(folder)]
    entry: Json = {"command": sys.executable, "args": args}
    async with (
        gateway({"mortal": entry}, naming="bare") as world,
        going(Client(world.port, client_era)) as client,
    ):
        await client.open()
        made = Mortal(world, client, folder)
        assert (await made.call("look")).said["pid"] == made.pid()
        yield made


@pytest.mark.parametrize("tool", ["look", "set", "pay"])
def test_between_calls_nobody_notices(
    client_era: str, server_era: str, tool: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with mortal(client_era, server_era, tmp_path) as m:
            first = m.pid()
            os.kill(first, signal.SIGKILL)
            await until(lambda: m.phase() != "ready")
            # It has certainly not been sent, so even what must not run twice is sent then.
            assert (await m.call(tool)).said["pid"] != first
            assert [ran for _, ran in m.runs()] == ["look", tool]

    run(play())


@pytest.mark.parametrize("tool", ["look", "set"])
def test_in_the_middle_of_a_call_that_may_run_twice_it_is_made_again(
    client_era: str, server_era: str, tool: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with mortal(client_era, server_era, tmp_path) as m:
            m.hang(True)
            asked = asyncio.create_task(m.call(tool))
            await until(lambda: len(m.runs()) == 2)
            first = m.pid()
            m.hang(False)
            os.kill(first, signal.SIGKILL)
            second = (await asked).said["pid"]
            assert second != first
            assert m.runs()[1:] == [(first, tool), (second, tool)]

    run(play())


def test_in_the_middle_of_any_other_call_the_caller_is_told_and_it_runs_once(
    client_era: str, server_era: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with mortal(client_era, server_era, tmp_path) as m:
            m.hang(True)
            asked = asyncio.create_task(m.call("pay"))
            await until(lambda: len(m.runs()) == 2)
            m.hang(False)
            os.kill(m.pid(), signal.SIGKILL)
            error = (await asked).error
            assert error["code"] == -32603
            told = error["data"]
            assert (told["reason"], told["code"]) == ("upstream-lost", "LG-603")
            assert (told["server"], told["sent"]) == ("mortal", True)
            # The server is back, and does not do it after all.
            assert (await m.call("look")).said["pid"] != m.runs()[1][0]
            assert [ran for _, ran in m.runs()] == ["look", "pay", "look"]

    run(play())


def test_killed_as_calls_arrive_reads_are_answered_and_nothing_else_runs_twice(
    client_era: str, server_era: str, tmp_path: Path
) -> None:
    async def play() -> None:
        async with mortal(client_era, server_era, tmp_path) as m:
            os.kill(m.pid(), signal.SIGKILL)
            # Some are on their way before anybody knows that it is gone.
            tools = ["look", "pay"] * 4
            found = await asyncio.gather(*map(m.call, tools))
            for tool, begun in zip(tools, found, strict=True):
                if tool == "look":
                    assert begun.said["pid"] == m.pid()
                elif begun.response is not None and "error" in begun.response:
                    assert begun.error["data"]["reason"] == "upstream-lost"
            answered = sum("result" in begun.response for begun in found)
            assert len(m.runs()) - 1 == answered

    run(play())
