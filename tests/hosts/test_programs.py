"""Whole programs with a hardened server: how they end, and how they speak on stdio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from mcp import Client, StdioServerParameters

from tests.hosts.serving import ERAS, said
from tests.support import running
from tests.support.caching import REPOSITORY
from tests.support.waiting import until

CUT_AFTER = 2.0
"""Seconds FastMCP's own `run` gives calls that are under way when it is told to stop."""


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.hosts.programs", *arguments]


async def held_call(url: str, file: Path, *, listens: bool) -> str:
    """Call `hold`; what came of it. `listens`: with a stream open that has no end of its own."""
    outcome = "cut off"
    with contextlib.suppress(Exception, ExceptionGroup):
        async with Client(url, mode=ERAS[1]) as one, contextlib.AsyncExitStack() as stack:
            # It holds results against what is listed, and a server that stops lists nothing more.
            await one.list_tools()
            if listens:
                await stack.enter_async_context(one.listen(tools_list_changed=True))
            outcome = said(await one.call_tool("hold", {"file": str(file)}))
    return outcome


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to send")
def test_calls_under_way_are_finished_when_it_is_told_to_stop(tmp_path: Path) -> None:
    ways: tuple[str, ...] = ("own", "run", "uvicorn")
    ports = {way: running.free_port() for way in ways}
    children: dict[str, subprocess.Popen[bytes]]

    async def run(children: dict[str, subprocess.Popen[bytes]]) -> dict[str, str]:
        file = {way: tmp_path / way for way in ways}
        calls = {
            way: asyncio.create_task(
                held_call(f"http://127.0.0.1:{ports[way]}/mcp", file[way], listens=way != "own")
            )
            for way in ways
        }
        began = [Path(f"{one}.began") for one in file.values()]
        await until(lambda: all(one.exists() for one in began), within=20)
        for child in children.values():
            child.send_signal(signal.SIGTERM)
        # The one that cuts calls off says how long the others are held up.
        await until(lambda: children["own"].poll() is not None, within=20)
        assert all(children[way].poll() is None for way in ways[1:])
        for one in file.values():
            one.touch()
        outcome = {way: await task for way, task in calls.items()}
        await until(lambda: all(one.poll() is not None for one in children.values()), within=10)
        return outcome

    with (
        running.process(program("fastmcp", "own", str(ports["own"]))) as own,
        running.process(program("fastmcp", "run", str(ports["run"]))) as hardened,
        running.process(program("sdk", "uvicorn", str(ports["uvicorn"]))) as other,
    ):
        children = dict(zip(ways, (own, hardened, other), strict=True))
        for port in ports.values():
            running.await_listening(port)
        outcome = asyncio.run(run(children))
        codes = {way: child.returncode for way, child in children.items()}
    assert outcome == {"own": "cut off", "run": "released", "uvicorn": "released"}
    assert codes["run"] == 0
    # uvicorn ends itself by the signal it was sent.
    assert codes["uvicorn"] in (0, -signal.SIGTERM)


@pytest.mark.parametrize("era", ERAS)
def test_on_stdio_everything_passes_and_prints_do_not(era: str, tmp_path: Path) -> None:
    heard: list[Any] = []

    async def elicit(context: Any, params: Any) -> mcp_types.ElicitResult:
        heard.append(params.message)
        return mcp_types.ElicitResult(action="accept", content={"name": "Ada"})

    async def log(params: Any) -> None:
        heard.append(params.data)

    async def reported(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async def run() -> None:
        (here := tmp_path / "here").touch()
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command, *arguments = program("sdk", "stdio")
        process = StdioServerParameters(
            command=command, args=arguments, env=env, cwd=str(REPOSITORY)
        )
        async with Client(
            process, mode=era, elicitation_callback=elicit, logging_callback=log
        ) as one:
            if era == "legacy":
                result = await one.call_tool("chat", {}, progress_callback=reported)
                assert said(result) == "hello Ada"
                assert heard == ["half", "working", "Who are you?"]
            assert said(await one.call_tool("hold", {"file": str(here)})) == "released"
            assert {tool.name for tool in (await one.list_tools()).tools} == {"hold", "chat"}

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals to send")
@pytest.mark.parametrize("logs", [False, True])
def test_a_program_says_where_it_is_served_unless_it_logs(logs: bool) -> None:
    code = (
        "import logging, lockgate\n"
        "from mcp.server.lowlevel import Server\n"
        f"logging.basicConfig(level='INFO') if {logs} else None\n"
        "lockgate.harden(Server('shop')).run('http', port=0)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    late = threading.Timer(30, child.kill)
    late.start()
    try:
        assert child.stderr is not None
        told = next(line for line in child.stderr if "http://127.0.0.1:" in line)
    finally:
        child.send_signal(signal.SIGTERM)
        _, rest = child.communicate(timeout=60)
        late.cancel()
    assert told.startswith("INFO:lockgate.hosts:serving" if logs else "shop is served at http://")
    assert "is served at" not in rest
