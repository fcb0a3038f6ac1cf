"""A server of both eras on the official SDK: `sdk_server.py stdio`, or `sdk_server.py http`, which
prints its port."""

import asyncio
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

server = MCPServer("sdk", version="9")
notes: dict[str, int] = {"n": 0}


class Name(BaseModel):
    name: str


@server.tool()
def echo(text: str) -> str:
    """Give back what was sent."""
    return text


@server.tool()
async def steps(ctx: Context) -> str:
    """Report progress and log."""
    await ctx.report_progress(1, 2, "half")
    await ctx.info("working")
    return "done"


@server.tool()
async def greet(ctx: Context) -> str:
    """Ask for a name."""
    answer = await ctx.elicit("Who are you?", Name)
    return f"hello {answer.data.name}" if answer.action == "accept" else answer.action


@server.tool()
async def slow(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "late"


@server.tool()
async def touch(ctx: Context) -> str:
    """Change the note, and the list of tools."""
    notes["n"] += 1
    await ctx.notify_resource_updated("note://n")
    await ctx.notify_tools_changed()
    return str(notes["n"])


@server.resource("note://n")
def note() -> str:
    """The note."""
    return str(notes["n"])


async def http(json_response: bool) -> None:
    app = server.streamable_http_app(json_response=json_response)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error")
    serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listening]))
    print(listening.getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        asyncio.run(http(sys.argv[1] == "json"))
