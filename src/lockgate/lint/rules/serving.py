"""Rules about how servers are served.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

SERVING: Final = (
    Rule(
        id="stdout-print",
        group="serving",
        severity="block",
        summary="This is written to standard output, where the protocol is spoken.",
        why=(
            "Over stdio every line there has to be a message. Clients drop the line, log an error "
            "or end the connection; which one is up to them."
        ),
        remedy="Write to standard error, or use `logging`, which does by default.",
        ruff=("T201", "T203"),
        fixable=True,
        bad='''\
@mcp.tool()
def double(number: int) -> int:
    """Twice a number."""
    print("doubling", number)
    return number * 2


if __name__ == "__main__":
    mcp.run()
''',
        good='''\
import sys


@mcp.tool()
def double(number: int) -> int:
    """Twice a number."""
    print("doubling", number, file=sys.stderr)
    return number * 2


if __name__ == "__main__":
    mcp.run()
''',
    ),
    Rule(
        id="open-to-all",
        group="serving",
        severity="review",
        summary="Every machine that reaches this one may call every tool.",
        why=(
            "The server listens on all addresses and asks nobody who they are; web pages reach it "
            "as well, by way of a browser, because its guard against other Host headers is off for "
            "such an address."
        ),
        remedy=(
            "Listen on 127.0.0.1 behind a gateway or proxy that authenticates, or give the server "
            "`auth`."
        ),
        bad="""\
if __name__ == "__main__":
    mcp.run(transport="streamable-http", host="0.0.0.0")
""",
        good="""\
if __name__ == "__main__":
    mcp.run(transport="streamable-http", host="127.0.0.1")
""",
    ),
    Rule(
        id="cors-credentials",
        group="serving",
        severity="block",
        summary="Any web page may call the server with its visitor's credentials.",
        why="The wildcard with credentials has every origin echoed back as allowed.",
        remedy="Name the origins, or leave credentials out.",
        bad="""\
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

cors = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_credentials=True,
    expose_headers=["Mcp-Session-Id"],
)
app = cors.cls(mcp.streamable_http_app(), *cors.args, **cors.kwargs)
""",
        good="""\
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

cors = Middleware(
    CORSMiddleware,
    allow_origins=["https://app.example.com"],
    allow_credentials=True,
    expose_headers=["Mcp-Session-Id"],
)
app = cors.cls(mcp.streamable_http_app(), *cors.args, **cors.kwargs)
""",
    ),
    Rule(
        id="cors-session",
        group="serving",
        severity="review",
        summary="Clients in browsers cannot read the id of their session.",
        why=(
            "Scripts see only the headers that CORS exposes. Without `Mcp-Session-Id` a client of "
            "a revision before 2026-07-28 cannot go on after `initialize`."
        ),
        remedy='Add `expose_headers=["Mcp-Session-Id"]`.',
        bad="""\
from starlette.middleware.cors import CORSMiddleware

app = CORSMiddleware(mcp.streamable_http_app(), allow_origins=["https://app.example.com"])
""",
        good="""\
from starlette.middleware.cors import CORSMiddleware

app = CORSMiddleware(
    mcp.streamable_http_app(),
    allow_origins=["https://app.example.com"],
    expose_headers=["Mcp-Session-Id"],
)
""",
    ),
    Rule(
        id="cache-of-effects",
        group="serving",
        severity="review",
        summary="Every tool is cached, those that do something among them.",
        why=(
            "By default this middleware answers a repeated call from its cache for an hour: the "
            "second payment is confirmed and never made."
        ),
        remedy="Name the tools that only read in `call_tool_settings`.",
        bad="""\
from fastmcp import FastMCP
from fastmcp.server.middleware.caching import ResponseCachingMiddleware

mcp = FastMCP("demo")
mcp.add_middleware(ResponseCachingMiddleware())
""",
        good="""\
from fastmcp import FastMCP
from fastmcp.server.middleware.caching import CallToolSettings, ResponseCachingMiddleware

mcp = FastMCP("demo")
mcp.add_middleware(
    ResponseCachingMiddleware(call_tool_settings=CallToolSettings(included_tools=["search"]))
)
""",
    ),
    Rule(
        id="retry-of-effects",
        group="serving",
        severity="review",
        summary="Whatever fails is done again, also what must not be done twice.",
        why=(
            "This middleware repeats every call that raised such an error, though the tool may "
            "have had its effect before it failed."
        ),
        remedy="Retry inside the tools, around what may be repeated.",
        bad="""\
from fastmcp import FastMCP
from fastmcp.server.middleware.error_handling import RetryMiddleware

mcp = FastMCP("demo")
mcp.add_middleware(RetryMiddleware())
""",
        good='''\
import asyncio

from fastmcp import FastMCP

mcp = FastMCP("demo")


async def read(attempts: int = 3) -> str:
    for attempt in range(attempts):
        try:
            return "42"
        except ConnectionError:
            if attempt == attempts - 1:
                raise
            await asyncio.sleep(2**attempt)
    raise ConnectionError("not reached")


@mcp.tool
async def temperature() -> str:
    """The temperature outside."""
    return await read()
''',
    ),
    Rule(
        id="credentials-forwarded",
        group="serving",
        severity="review",
        summary="The caller's credentials are sent on to another server.",
        why=(
            "A proxy made like this passes `Authorization` and cookies along. The other server can "
            "use the token wherever it is good, which is what the specification forbids."
        ),
        remedy="Give the proxy a client with credentials of its own.",
        bad="""\
from fastmcp import FastMCP
from fastmcp.server import create_proxy

mcp = FastMCP("demo")
mcp.mount(create_proxy("https://elsewhere.example/mcp"), namespace="elsewhere")
""",
        good="""\
from fastmcp import FastMCP
from fastmcp.server import create_proxy
from fastmcp.server.providers.proxy import ProxyClient

mcp = FastMCP("demo")
client = ProxyClient("https://elsewhere.example/mcp", forward_incoming_headers=False)
mcp.mount(create_proxy(client), namespace="elsewhere")
""",
    ),
    Rule(
        id="transport-old",
        group="serving",
        severity="note",
        summary="The HTTP with SSE of revision 2024-11-05 was replaced long ago.",
        why="Clients drop it, proxies cut its streams, and it has no session to go on with.",
        remedy='Use `transport="streamable-http"`.',
        bad="""\
if __name__ == "__main__":
    mcp.run(transport="sse")
""",
        good="""\
if __name__ == "__main__":
    mcp.run(transport="streamable-http")
""",
    ),
    Rule(
        id="import-old",
        group="serving",
        severity="note",
        summary="This import is gone in the second version of the SDK.",
        why="`mcp.server.fastmcp` raises there, and the first version does not speak 2026-07-28.",
        remedy="Use `from mcp.server import MCPServer`, or the package `fastmcp`.",
        bad="""\
from mcp.server.fastmcp import FastMCP

mcp = FastMCP("demo")
""",
        good="""\
from mcp.server import MCPServer

mcp = MCPServer("demo")
""",
    ),
)
