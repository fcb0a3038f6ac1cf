"""Servers nobody here wrote, and Lockgate itself: nothing grave is found on any of them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from lockgate.config.model import Config
from lockgate.doctor import page
from lockgate.doctor.report import Report
from lockgate.doctor.run import command_subject, examine
from lockgate.doctor.visit import HttpSubject
from lockgate.gateway.app import Gateway
from tests.doctor.looking import PATIENT, found_in
from tests.fixtures.serving import one_era_only

PAGE = Path(__file__).parents[2] / page.PAGE
STDIO = Path(__file__).with_name("stdio_patient.py")


@pytest.fixture(scope="module")
def minimal() -> str:
    """The server that the troubleshooting page shows."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return block


def official(source: str, era: str) -> Any:
    """On the official SDK."""
    found: dict[str, Any] = {"__name__": "minimal"}
    exec(compile(source, "minimal.py", "exec"), found)  # noqa: S102 - from our own page
    app = found["server"].streamable_http_app()
    return app if era == "both" else one_era_only(app, era)


def fastmcp(_: str, __: str) -> Any:
    """On FastMCP, with something of every kind."""
    from fastmcp import FastMCP

    server = FastMCP("fast")

    @server.tool(annotations={"readOnlyHint": True})
    def add(a: int = 1, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    @server.resource("test://one")
    def one() -> str:
        """One."""
        return "one"

    @server.prompt()
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Hello, {name}"

    del add, one, greet
    return server.http_app()


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    # A socket that knows it is one of TCP; otherwise each answer waits for Nagle's algorithm.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, lifespan="on")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        await running


def graver(report: Report) -> list[tuple[str, str]]:
    return [(one.id, one.saw) for one in report.found if one.severity == "error"]


@pytest.mark.parametrize(
    ("made", "era", "least"),
    [
        (official, "both", {"cors-none"}),
        (official, "modern", {"cors-none", "modern-only"}),
        (official, "handshake", {"cors-none", "handshake-only"}),
        (fastmcp, "both", {"origin-any", "host-any"}),
    ],
)
def test_over_http(made: Any, era: str, least: set[str], minimal: str) -> None:
    async def run() -> Report:
        async with served(made(minimal, era)) as url:
            return await examine(HttpSubject(name="real", url=url), patience=PATIENT)

    report = asyncio.run(run())
    assert graver(report) == []
    assert report.outcome == "healthy"
    assert least <= {one.id for one in report.found}
    skipped = {one.id for one in report.steps if one.status == "skipped"}
    assert skipped == ({"sessions"} if era == "modern" else set())
    called = next(one.saw for one in report.steps if one.id == "call")
    assert called.startswith("tools/call")


def test_over_stdio(minimal: str, tmp_path: Path) -> None:
    file = tmp_path / "minimal.py"
    file.write_text(minimal)
    command = [sys.executable, str(file), "--stdio"]
    report = asyncio.run(examine(command_subject(command, {}), patience=PATIENT))
    assert graver(report) == []
    assert report.outcome == "healthy"
    assert next(one.saw for one in report.steps if one.id == "call").startswith("tools/call hello")


def test_lockgate_itself() -> None:
    async def run() -> Report:
        server = {"command": sys.executable, "args": ["-I", "-S", str(STDIO)]}
        gateway = Gateway(Config.model_validate({"servers": {"patient": server}}))
        await gateway.start()
        try:
            ((host, port),) = await gateway.serve_http("127.0.0.1", 0)
            url = f"http://{host}:{port}/mcp"
            return await examine(HttpSubject(name="lockgate", url=url), patience=PATIENT)
        finally:
            await gateway.stop(1.0)

    report = asyncio.run(run())
    assert {one.id for one in found_in(report)} == {"cors-none"}
    assert report.outcome == "healthy"
