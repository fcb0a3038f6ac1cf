"""Programs whose server is hardened, or is not: `python -m tests.hosts.programs KIND WAY [PORT]`.

KIND: `sdk` or `fastmcp`. WAY: `own` (what the framework itself does), `run` (Lockgate listens),
`uvicorn`, or `stdio`.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context
from pydantic import BaseModel

import lockgate
from tests.support.waiting import until


def fastmcp() -> Any:
    """One tool that takes as long as a file is not there."""
    from fastmcp import FastMCP

    server = FastMCP("holder")
    server.tool(hold)
    return server


def sdk() -> Any:
    """The same, with one that prints, reports and asks."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("holder")
    server.tool()(hold)

    server.tool()(chat)
    return server


class Name(BaseModel):
    name: str


async def chat(ctx: Context) -> str:
    """Print, report progress, log, and ask."""
    print("this is not part of the protocol")
    await ctx.report_progress(1, 2, "half")
    await ctx.info("working")
    answer = await ctx.elicit("Who are you?", Name)
    return f"hello {answer.data.name}" if answer.action == "accept" else answer.action


async def hold(file: str) -> str:
    """Wait for a file."""
    print("nor is this")
    began, released = Path(f"{file}.began"), Path(file)
    await asyncio.to_thread(began.touch)
    await until(released.exists, within=60)
    return "released"


def main(kind: str, way: str, port: int = 0) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    server = {"sdk": sdk, "fastmcp": fastmcp}[kind]()
    if way == "own":
        server.run(transport="http", host="127.0.0.1", port=port, show_banner=False)
    elif way == "uvicorn":
        import uvicorn

        uvicorn.run(lockgate.harden(server), host="127.0.0.1", port=port, log_level="warning")
    elif way == "run":
        lockgate.harden(server).run("http", port=port)
    else:
        lockgate.harden(server).run("stdio")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
