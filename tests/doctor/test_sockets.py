"""Servers at a WebSocket: one that is well, in both eras, and one broken in each way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from lockgate.config.model import Config
from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import SocketSubject
from lockgate.gateway.app import Gateway
from tests.doctor.looking import PATIENT, VAIN, found_in
from tests.doctor.patient import Patient
from tests.hosts.serving import served
from tests.upstreams.one_stream import INTRODUCTION, SocketServer

Said = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


async def right(socket: ServerConnection, message: dict[str, Any]) -> None:
    """As a server of the handshake era answers."""
    if "id" in message:
        result: dict[str, Any] = {"tools": []}
        if message["method"] == "initialize":
            result = INTRODUCTION
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if message["method"] not in ("initialize", "tools/list", "ping"):
            del answer["result"]
            answer["error"] = {"code": -32601, "message": "Method not found"}
        await socket.send(json.dumps(answer))


async def noisy(socket: ServerConnection, message: dict[str, Any]) -> None:
    if message["method"] == "initialize":
        await socket.send("starting up")
    await right(socket, message)


async def touchy(socket: ServerConnection, message: dict[str, Any]) -> None:
    if message["method"] in ("initialize", "notifications/initialized", "server/discover"):
        await right(socket, message)
    else:
        await socket.close(1011)


@asynccontextmanager
async def speaking(said: Said, *subprotocols: str) -> AsyncIterator[str]:
    """The URL of a server that does this with each message."""

    async def connected(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in socket:
                await said(socket, json.loads(message))

    offered = [Subprotocol(one) for one in subprotocols]
    async with serve(connected, "127.0.0.1", 0, subprotocols=offered or None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/mcp"


def looked_at(url: str) -> Awaitable[Report]:
    patience = PATIENT if "well" in url else VAIN
    return examine(SocketSubject(name="it", url=url), patience=patience)


def test_a_healthy_server_of_both_eras() -> None:
    tools = MCPServer("tools")

    @tools.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def run() -> Report:
        async with served(tools.streamable_http_app()) as serving:
            gateway = Gateway(Config.model_validate({"servers": {"it": {"url": serving.url}}}))
            await gateway.start()
            try:
                assert await gateway.settled(5)
                [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
                return await looked_at(f"ws://127.0.0.1:{port}/mcp?well")
            finally:
                await gateway.stop(0)

    report = asyncio.run(run())
    assert [one for one in found_in(report) if one.severity != "note"] == []
    assert (report.outcome, report.transport) == ("healthy", "websocket")
    saw = {one.id: one.saw for one in report.steps}
    assert "subprotocol: mcp" in saw["upgrade"]
    assert "server/discover answered" in saw["era"]
    assert "initialize answered" in saw["era"]
    assert "1 tools" in saw["lists"]
    assert saw["frames"].endswith(" messages")


@asynccontextmanager
async def plain_http() -> AsyncIterator[str]:
    async with Patient().serve() as url:
        yield url.replace("http", "ws", 1)


@asynccontextmanager
async def answering(status: int) -> AsyncIterator[str]:
    async with SocketServer() as server:
        server.status = status
        yield server.url


BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "socket-refused": (plain_http, "unreachable"),
    "socket-guarded": (lambda: answering(401), "guarded"),
    "socket-broken": (lambda: answering(503), "unreachable"),
    "socket-subprotocol": (lambda: speaking(right), "healthy"),
    "socket-noise": (lambda: speaking(noisy, "mcp"), "broken"),
    "socket-closed": (lambda: speaking(touchy, "mcp"), "broken"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_found(kind: str) -> None:
    make, outcome = BROKEN[kind]

    async def run() -> Report:
        async with make() as url:
            return await looked_at(url)

    report = asyncio.run(run())
    found = {one.id for one in found_in(report)}
    assert kind in found
    assert report.outcome == outcome, found
    assert not {"check-failed", "time-up"} & found


def test_without_the_library_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.client", None)

    async def run() -> Report:
        async with speaking(right, "mcp") as url:
            return await looked_at(url)

    assert [one.id for one in found_in(asyncio.run(run()))] == ["socket-library"]
