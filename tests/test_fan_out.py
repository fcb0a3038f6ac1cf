"""The programs of docs/concepts/fan-out.md: they are those in examples/, and do what is said."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from lockgate.core.message import Notification
from tests.fronts.served import run
from tests.security.world import Json, World, gateway, until

pytest.importorskip("mcp.server.mcpserver")

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "fan_out"
SERVER: Json = {"command": sys.executable, "args": [str(FOLDER / "server.py")]}


def test_the_page_shows_the_programs_that_are_run() -> None:
    page = (ROOT / "docs/concepts/fan-out.md").read_text("utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown == [(FOLDER / name).read_text("utf-8") for name in ("caller.py", "server.py")]


BOUNDS: list[Json] = [
    {},
    {"limits": {"concurrent": 1, "waiting": 0}},
    {"limits": {"concurrent": 4, "waiting": 4}, "rate": {"total": ["20/s burst 5"]}},
]


@pytest.mark.parametrize("bounds", BOUNDS, ids=["none", "places", "rates"])
def test_all_calls_are_answered_however_narrow_the_bounds(bounds: Json) -> None:
    async def check() -> None:
        async with gateway({"pages": {**SERVER, **bounds}}) as w:
            said = await called(w, 24)
            found = re.fullmatch(r"24 answers, asked (\d+) times", said)
            assert found, said
            assert (int(found[1]) > 24) == bool(bounds)

    run(check(), 60)


async def called(w: World, calls: int) -> str:
    url = f"http://127.0.0.1:{w.port}/mcp"
    command = [sys.executable, str(FOLDER / "caller.py"), url, str(calls)]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe)
    said, _ = await child.communicate()
    return said.decode().strip()


def test_many_things_in_one_call_are_answered_for_one_by_one() -> None:
    async def check() -> None:
        heard: list[Notification] = []
        async with gateway({"pages": SERVER}) as w:
            pages = [*(f"page {n}" for n in range(20)), "missing one", "page 3"]
            arguments = {"name": "sizes", "arguments": {"pages": pages}}
            result = await w.gateway.request("tools/call", arguments, on_notification=heard.append)
            found = result["structuredContent"]
            assert found["page 3"] == 6
            assert found["missing one"] == "FileNotFoundError"
            assert len(found) == 21
            # The last may come when nobody hears any more: the answer was there first.
            assert len(heard) >= 20
            assert heard[0].params["total"] == 22
            too_many = await w.call("sizes", pages=["x"] * 1001)
            assert too_many.result["isError"] is True

    run(check())


def test_a_call_that_is_called_off_leaves_room_for_the_next() -> None:
    async def check() -> None:
        async with gateway({"pages": SERVER}) as w:
            for _ in range(20):
                long = asyncio.create_task(w.call("sizes", pages=[f"p{n}" for n in range(1000)]))
                await until(lambda: w.gateway._engine.running)
                long.cancel()
                await until(lambda: not w.gateway._engine.running)
            # Each would take more than a second; nothing of them is still in the way.
            async with asyncio.timeout(60):
                assert (await w.call("size", page="abc")).result["structuredContent"]["result"] == 3

    run(check())
