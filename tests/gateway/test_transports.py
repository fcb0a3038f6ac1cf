"""Gateways in front of servers over HTTP with SSE and over WebSockets, end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from tests.bridge.clients import Client, going
from tests.upstreams.calls import run
from tests.upstreams.one_stream import SocketServer, SseServer

DOORS = ["sse", "websocket", "modern-websocket"]


@asynccontextmanager
async def gateway(door: str) -> AsyncIterator[tuple[Gateway, int]]:
    server: Any = {
        "sse": SseServer,
        "websocket": SocketServer,
        "modern-websocket": lambda: SocketServer("modern"),
    }[door]()
    async with server:
        one = Gateway(Config.model_validate({"servers": {"it": {"url": server.url}}}))
        await one.start()
        try:
            assert await one.settled(60)
            [(_, port)] = await one.serve_http("127.0.0.1", 0)
            yield one, port
        finally:
            await one.stop(0.5)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("era", ["L", "M"])
def test_calls_through_the_gateway(door: str, era: str) -> None:
    async def test() -> None:
        async with gateway(door) as (one, port), going(Client(port, era)) as client:
            await client.open()
            listed = await client.begin("tools/list")
            assert [tool["name"] for tool in listed.result["tools"]] == ["echo"]
            assert "peer" in (await client.call("echo")).result
            [status] = one.servers()
            assert status.phase == "ready"
            assert status.eras == (("modern",) if "modern" in door else ("handshake",))
            assert status.transport == ("http" if door == "sse" else "websocket")

    run(test())
