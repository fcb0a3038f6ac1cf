"""Serves applications over real HTTP, and speaks to them with the official client in either era."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp import Client

from tests.support.waiting import until

ERAS = ("legacy", "2026-07-28")
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class Serving:
    """One application under uvicorn."""

    def __init__(self, app: Any, **options: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(app, log_config=None, lifespan="on", **options)
        self.server = uvicorn.Server(config)
        self.task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"{self.base}/mcp"

    async def start(self) -> None:
        # `serve` would take the signals of the test's own process.
        self.task = asyncio.create_task(self.server._serve(sockets=[self._socket]))
        await until(lambda: self.server.started or (self.task is not None and self.task.done()))

    async def stop(self) -> None:
        self.server.should_exit = True
        if self.task is not None:
            await self.task
        self._socket.close()


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncGenerator[Serving]:
    """The application, over HTTP, for as long as it is needed."""
    serving = Serving(app, **options)
    await serving.start()
    assert serving.server.started, "the application did not start"
    try:
        yield serving
    finally:
        await serving.stop()


@asynccontextmanager
async def client(serving: Serving, era: str, **options: Any) -> AsyncGenerator[Client]:
    """The official client."""
    async with Client(serving.url, mode=era, **options) as one:
        yield one


def said(result: Any) -> str:
    """The text of a result."""
    return "".join(getattr(one, "text", "") for one in result.content)


def call(tool: str, arguments: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """A request of the stateless era, as JSON."""
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }


def headers(tool: str, **more: str) -> dict[str, str]:
    """What such a request has for headers."""
    return {
        **HEADERS,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
