"""What keeps models' windows small holds inside of a server that is hardened, too."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

import lockgate
from tests.hosts.serving import ERAS, Serving, said, served
from tests.hosts.serving import client as connected

ROWS = [{"id": number, "city": f"city {number}"} for number in range(2000)]
SETTINGS = {"lockgate": {"expose": "search", "results": {"enabled": True, "budget": 500}}}


def library(kind: str) -> Any:
    made: Any = MCPServer("library") if kind == "sdk" else FastMCP("library")

    @made.tool(structured_output=False) if kind == "sdk" else made.tool(output_schema=None)
    def list_cities() -> str:
        """List all cities that there are."""
        return json.dumps(ROWS)

    @made.tool()
    def count_rows(rows: list[dict[str, Any]]) -> int:
        """Count the rows of a table."""
        return len(rows)

    return made


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_tools_are_found_called_read_on_and_their_results_passed_on(kind: str) -> None:
    async def test(era: str, serving: Serving) -> None:
        async with connected(serving, era) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert listed == {"find_tools", "describe_tools", "call_tool", "read_result"}
            found = said(await client.call_tool("find_tools", {"query": "cities"}))
            assert "list_cities" in found
            shown = await client.call_tool("call_tool", {"name": "list_cities"})
            assert len(said(shown)) < 3000
            assert shown.meta is not None
            handle = shown.meta["io.github.lockgate/result"]["id"]
            page = await client.call_tool("read_result", {"id": handle, "path": "/1999/city"})
            assert "city 1999" in said(page)
            passed = {"name": "count_rows", "arguments": {"rows": {"$result": handle}}}
            assert "2000" in said(await client.call_tool("call_tool", passed))

    async def both() -> None:
        async with served(lockgate.harden(library(kind), SETTINGS)) as serving:
            for era in ERAS:
                await test(era, serving)

    asyncio.run(both())
