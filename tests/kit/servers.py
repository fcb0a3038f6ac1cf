"""Servers to try blocks with: pages on loopback, and both SDKs in memory and over HTTP.

Must not know: any block.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

LOOPBACK = ("127.0.0.0/8", "::1/128")


class Asked(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = tuple[int, Mapping[str, str], bytes]
Answer = Callable[[Asked], Reply | Awaitable[Reply]]


@asynccontextmanager
async def pages(answer: Answer) -> AsyncIterator[str]:
    """An HTTP server that answers what `answer` says; gives its origin."""

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode("latin-1").split("\r\n")
                method, path, _ = line.split(" ")
                pairs = (one.partition(":") for one in rest if one)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                said = answer(Asked(method, path, headers, body))
                status, more, data = said if isinstance(said, tuple) else await said
                lines = [f"HTTP/1.1 {status} OK", f"content-length: {len(data)}"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def called(server: Any, tool: str, **arguments: Any) -> tuple[bool, str]:
    """Call a tool of an SDK's server in memory: whether it is an error, and the text."""
    if type(server).__module__.startswith("fastmcp"):
        from fastmcp import Client

        async with Client(server) as client:
            result: Any = await client.call_tool(tool, arguments, raise_on_error=False)
            return bool(result.is_error), result.content[0].text
    from mcp.client import Client as Official

    async with Official(server) as client:
        found: Any = await client.call_tool(tool, arguments)
        return bool(found.is_error), found.content[0].text


def sdk(number: int, name: str = "tried", **options: Any) -> Any:
    """A server of the official SDK (0), or of FastMCP (1)."""
    if number:
        from fastmcp import FastMCP

        return FastMCP(name, **options)
    from mcp.server.mcpserver import MCPServer

    return MCPServer(name, **options)
