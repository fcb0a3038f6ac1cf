"""Eight real servers, the official client in each era: find, describe, call, read on, pass on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from lockgate.context.tokens import counter
from tests.support import node, running, venvs
from tests.support.caching import REPOSITORY

pytestmark = pytest.mark.interop

ERAS = {"handshake": "legacy", "modern": "auto"}
LINES = 4000
NOTE = "io.github.lockgate/result"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one commit, which is long."""
    folder = tmp_path_factory.mktemp("repository")
    lines = "\n".join(f"line {number}: what is written there" for number in range(LINES))
    (folder / "long.txt").write_text(lines + "\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "long"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


@pytest.fixture(scope="module")
def gateway(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway in front of eight servers, where tools are found and results kept."""
    folder = tmp_path_factory.mktemp("context")
    port = running.free_port()
    npm = node.program("@modelcontextprotocol/server-everything", "dist/index.js")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def python(module: str, *arguments: str, venv: str = "servers") -> dict[str, Any]:
        return {"command": str(venvs.python(venv)), "args": ["-m", module, *arguments]}

    def fixture(name: str) -> dict[str, Any]:
        command, *arguments = running.fixture_command(name, "--stdio")
        return {"command": command, "args": arguments, "cwd": str(REPOSITORY)}

    long = REPOSITORY / "tests" / "interop" / "servers" / "long.py"
    servers = {
        "time": python("mcp_server_time", venv="server-time"),
        "git": python("mcp_server_git", "--repository", str(repository)),
        "fetch": python("mcp_server_fetch"),
        "older": fixture("old_second"),
        "npm": {"type": "http", "url": f"http://127.0.0.1:{port}/mcp"},
        "everything": fixture("everything"),
        "second": fixture("second"),
        "sales": {"command": sys.executable, "args": [str(long), "sales"]},
    }
    with running.process([*npm, "streamableHttp"], env={**os.environ, "PORT": str(port)}, **quiet):
        running.await_listening(port)
        config = running.config_of(
            servers,
            folder,
            results={"enabled": True},
            endpoints={
                "/mcp": {"expose": "search"},
                "/one": {"servers": ["sales"], "naming": "bare"},
            },
        )
        with running.gateway(config, patience=100) as url:
            yield url


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("era", ERAS)
def test_find_describe_call_read_on_and_pass_on(gateway: str, repository: Path, era: str) -> None:
    spent = 0

    async def play() -> None:
        nonlocal spent
        async with Client(gateway, mode=ERAS[era], read_timeout_seconds=60) as client:
            menu = (await client.list_tools()).tools
            assert {tool.name for tool in menu} == {
                "find_tools",
                "describe_tools",
                "call_tool",
                "read_result",
            }
            spent += counter()(json.dumps([tool.model_dump(exclude_none=True) for tool in menu]))

            found = await client.call_tool("find_tools", {"query": "show what a commit changed"})
            assert "git__git_show" in text(found)
            described = await client.call_tool("describe_tools", {"names": ["git__git_show"]})
            assert "repo_path" in text(described)

            asked = {"repo_path": str(repository), "revision": "HEAD"}
            shown = await client.call_tool(
                "call_tool", {"name": "git__git_show", "arguments": asked}
            )
            assert not shown.is_error, text(shown)
            which = (shown.meta or {})[NOTE]["id"]
            spent += sum(map(counter(), map(text, (found, described, shown))))

            whole, offset = "", 0
            while offset is not None:
                page = text(
                    await client.call_tool(
                        "read_result", {"id": which, "offset": offset, "limit": 50_000}
                    )
                )
                head, _, rest = page.partition("\n")
                whole += rest
                following = head.rpartition("next: offset=")
                offset = int(following[2].rstrip("]")) if following[1] else None
            assert f"line {LINES - 1}: what is written there" in whole
            read: Any = (await client.read_resource(f"gw-result://{which}")).contents[0]
            assert read.text == whole
            hit = await client.call_tool("read_result", {"id": which, "grep": "line 3999"})
            assert "line 3999: what is written there" in text(hit)

            counted = await client.call_tool("sales__lines", {"text": f"$result:{which}"})
            assert counted.structured_content == {"result": whole.count("\n") + 1}
            refused = await client.call_tool("sales__summed", {"numbers": {"$result": which}})
            assert refused.is_error
            echoed = await client.call_tool(
                "call_tool",
                {"name": "npm__echo", "arguments": {"message": f"$result:{which}"}},
            )
            # What comes back of it is as long, and is kept in turn.
            assert (echoed.meta or {})[NOTE]["bytes"] > len(whole)

    asyncio.run(play())
    # The menu, one search, one definition and the preview of 60,000 tokens of text.
    assert spent < 2500


@pytest.mark.parametrize("era", ERAS)
def test_before_one_server_what_its_tools_promise_is_kept(gateway: str, era: str) -> None:
    async def play() -> None:
        url = f"{gateway.removesuffix('/mcp')}/one"
        async with Client(url, mode=ERAS[era], read_timeout_seconds=60) as client:
            assert {"read_result", "summed"} <= {
                tool.name for tool in (await client.list_tools()).tools
            }
            templates = (await client.list_resource_templates()).resource_templates
            assert any(one.uri_template.startswith("gw-result://") for one in templates)
            # The client holds structured content against the schema that the tool lists.
            numbers = await client.call_tool("typed", {"count": 5000})
            assert numbers.structured_content == {"result": list(range(5000))}
            assert text(numbers).startswith("[Too long to show whole")
            which = (numbers.meta or {})[NOTE]["id"]
            asked = {"numbers": {"$result": which, "path": "/structuredContent/result"}}
            total = await client.call_tool("summed", asked)
            assert total.structured_content == {"result": sum(range(5000))}

    asyncio.run(play())
