"""A server on the official SDK whose tools answer at length, and one that takes long arguments."""

from __future__ import annotations

import sys
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, TextContent

server = MCPServer(sys.argv[1])


@server.tool(structured_output=False)
def orders(count: int) -> list[dict[str, Any]]:
    """Orders, as many as asked for."""
    return [
        {"id": number, "customer": f"c{number % 7}", "total": number * 3} for number in range(count)
    ]


@server.tool()
def typed(count: int) -> list[int]:
    """Numbers, which this tool promises."""
    return list(range(count))


@server.tool(structured_output=False)
def story(words: int) -> CallToolResult:
    """Text, a line for each word."""
    text = "\n".join(f"word {number}" for number in range(words))
    return CallToolResult(content=[TextContent(text=text)])


@server.tool()
def summed(numbers: list[int]) -> int:
    """The sum of numbers."""
    return sum(numbers)


@server.tool()
def lines(text: str) -> int:
    """How many lines a text has."""
    return text.count("\n") + 1


if __name__ == "__main__":
    server.run()
