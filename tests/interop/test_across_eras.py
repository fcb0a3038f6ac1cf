"""Real clients of one era with real servers of the other: what was asked is answered."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from mcp import Client
from pydantic import FileUrl

from tests.interop.test_clients import TIME, inspect, output
from tests.support import node, running, venvs
from tests.support.caching import REPOSITORY

pytestmark = pytest.mark.interop

SCRIPT = REPOSITORY / "tests" / "interop" / "clients" / "eliciting.mjs"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Old: the npm everything server. New: FastMCP 4 and the time server, held to the new era."""
    old, new = running.free_port(), running.free_port()
    npm = node.program("@modelcontextprotocol/server-everything", "dist/index.js")
    asker = [sys.executable, "-m", "tests.interop.servers.fastmcp4", str(new)]
    time = {"command": str(venvs.python("server-time")), "args": ["-m", "mcp_server_time"]}
    url = f"http://127.0.0.1:{new}/mcp"
    servers = {
        "npm": {"url": f"http://127.0.0.1:{old}/mcp"},
        "new": {"url": url, "era": "modern"},
        "dual": {"url": url},
        "time": {**time, "era": "modern"},
    }
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        running.process([*npm, "streamableHttp"], env={**os.environ, "PORT": str(old)}, **quiet),
        running.process(asker, **quiet),
    ):
        running.await_listening(old)
        running.await_listening(new)
        config: Path = running.config_of(servers, tmp_path_factory.mktemp("across"))
        with running.gateway(config) as endpoint:
            yield endpoint


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("new__ask_name", "Good morning, Ada! (returned)"),
        ("dual__ask_name", "Good morning, Ada! (asked)"),
    ],
)
def test_an_old_client_is_asked_by_a_new_server(gateway: str, tool: str, said: str) -> None:
    command = [str(node.NODE), str(SCRIPT), gateway, tool]
    seen = json.loads(output(command, LOCKGATE_NODE_MODULES=str(node.packages())))

    assert seen == {"asked": ["What is your name?"], "said": said}


def test_a_new_client_is_asked_everything_an_old_server_asks(gateway: str) -> None:
    asked: list[str] = []

    async def elicit(context: Any, params: Any) -> mcp_types.ElicitResult:
        asked.append("elicitation")
        return mcp_types.ElicitResult(action="accept", content={"name": "Ada"})

    async def sample(context: Any, params: Any) -> mcp_types.CreateMessageResult:
        asked.append(f"sampling of {params.max_tokens}")
        words = mcp_types.TextContent(type="text", text="words of a model")
        return mcp_types.CreateMessageResult(role="assistant", content=words, model="m")

    async def roots(context: Any) -> mcp_types.ListRootsResult:
        asked.append("roots")
        return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri=FileUrl("file:///srv/site"))])

    async def play() -> dict[str, str]:
        said: dict[str, str] = {}
        async with Client(
            gateway,
            mode="auto",
            read_timeout_seconds=20,
            elicitation_callback=elicit,
            sampling_callback=sample,
            list_roots_callback=roots,
        ) as client:
            assert client.protocol_version == "2026-07-28"
            for tool, arguments in (
                ("echo", {"message": "over the bridge"}),
                ("trigger-elicitation-request", {}),
                ("trigger-sampling-request", {"prompt": "say", "maxTokens": 50}),
                ("get-roots-list", {}),
            ):
                result = await client.call_tool(f"npm__{tool}", arguments)
                said[tool] = "".join(getattr(one, "text", "") for one in result.content)
            structured = await client.call_tool(
                "npm__get-structured-content", {"location": "New York"}
            )
            assert structured.structured_content is not None
            assert "temperature" in structured.structured_content
        return said

    said = asyncio.run(play())
    assert said["echo"] == "Echo: over the bridge"
    assert "Name: Ada" in said["trigger-elicitation-request"]
    assert "words of a model" in said["trigger-sampling-request"]
    assert "file:///srv/site" in said["get-roots-list"]
    assert [one for one in asked if one != "roots"] == ["elicitation", "sampling of 50"]
    # Once for the tool; and that server asks by itself, a moment after it was introduced.
    assert "roots" in asked


def test_the_inspector_crosses_in_both_directions(gateway: str) -> None:
    zone = ["--method", "tools/call", "--tool-name", TIME["name"], "--tool-arg", "timezone=UTC"]
    echo = ["--method", "tools/call", "--tool-name", "npm__echo", "--tool-arg", "message=hi"]

    assert '"timezone": "UTC"' in inspect(gateway, "handshake", *zone)["content"][0]["text"]
    assert inspect(gateway, "modern", *echo)["content"][0]["text"] == "Echo: hi"
