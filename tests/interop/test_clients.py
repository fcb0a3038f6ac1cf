"""Every official client, in every era it speaks, through the gateway in front of real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import node, running, venvs
from tests.support.caching import REPOSITORY
from tests.support.forks import forked
from tests.support.speaking import HANDSHAKE, MODERN

pytestmark = pytest.mark.interop

SCRIPTS = REPOSITORY / "tests" / "interop" / "clients"
REVISION = {"handshake": HANDSHAKE, "modern": MODERN}
CLIENTS = {
    "python1": ["handshake"],
    "python2": ["handshake", "modern"],
    "typescript1": ["handshake"],
    "typescript2": ["handshake", "modern"],
    "fastmcp4": ["handshake", "modern"],
}
TIME = {"name": "time__get_current_time", "arguments": {"timezone": "UTC"}}
# What each era's clients do: the npm server knows the handshake era only.
PLANS: dict[str, dict[str, Any]] = {
    "handshake": {
        "call": TIME,
        "read": "demo://resource/static/document/features.md",
        "progress": {
            "name": "npm__trigger-long-running-operation",
            "arguments": {"duration": 0.4, "steps": 4},
        },
    },
    "modern": {
        "call": TIME,
        "read": "test://static-text",
        "progress": {"name": "ours__slow", "arguments": {"steps": 4, "interval": 0.05}},
    },
}


@pytest.fixture(scope="module")
def npm_server() -> Iterator[str]:
    """The URL of the npm everything server."""
    port = running.free_port()
    command = node.program("@modelcontextprotocol/server-everything", "dist/index.js")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running.process(
        [*command, "streamableHttp"], env={**os.environ, "PORT": str(port)}, **quiet
    ):
        running.await_listening(port)
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="module")
def config(npm_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three servers: a real one over stdio, a real one over HTTP, and our own."""
    # One for each session: importing is most of what they would do.
    plain = running.fixture_command("everything", "--stdio")
    command, *arguments = forked(plain, "tests.fixtures.everything")
    ours = {"command": command, "args": arguments, "cwd": str(REPOSITORY)}
    time = {"command": str(venvs.python("server-time")), "args": ["-m", "mcp_server_time"]}
    servers = {"time": time, "npm": {"type": "http", "url": npm_server}, "ours": ours}
    return running.config_of(servers, tmp_path_factory.mktemp("interop"))


@pytest.fixture(scope="module")
def gateway(config: Path) -> Iterator[str]:
    """The URL of the gateway in front of the three."""
    with running.gateway(config) as url:
        yield url


@pytest.mark.parametrize(
    ("client", "era"), [(name, era) for name, eras in CLIENTS.items() for era in eras]
)
def test_client_does_everything(gateway: str, client: str, era: str) -> None:
    plan = whole_plan(era, f"{client}-{era}")

    judge(run(client, gateway, era, plan), era, plan)


@pytest.mark.parametrize("way", ["sse", "websocket"])
def test_client_does_everything_over_older_transports(gateway: str, way: str) -> None:
    plan = whole_plan("handshake", way)
    endpoint = gateway.removesuffix("/mcp")
    url = f"{endpoint}/sse" if way == "sse" else f"ws{endpoint.removeprefix('http')}/mcp"

    judge(run("typescript1", url, "handshake", plan, LOCKGATE_WAY=way), "handshake", plan)


@pytest.mark.parametrize("era", PLANS)
def test_client_does_everything_over_stdio(config: Path, era: str) -> None:
    plan = whole_plan(era, f"stdio-{era}")
    command = json.dumps([*running.LOCKGATE, "up", str(config), "--stdio"])

    judge(run("python2", command, era, plan), era, plan)


def whole_plan(era: str, name: str) -> dict[str, Any]:
    """The plan of an era, with a call to give up that is known by this name."""
    slow = {"steps": 300, "interval": 0.05, "name": name}
    return {
        **PLANS[era],
        "cancel": {"name": "ours__slow", "arguments": slow},
        "check": {"name": "ours__cancelled", "arguments": {"name": name}},
    }


def judge(seen: dict[str, Any], era: str, plan: dict[str, Any]) -> None:
    """Whether a client saw what it should have."""
    assert seen["version"] == REVISION[era]
    assert {"time__get_current_time", "ours__slow"} <= set(seen["tools"])
    assert any("test_simple_prompt" in prompt for prompt in seen["prompts"])
    assert "test://static-text" in seen["resources"]
    assert '"timezone": "UTC"' in seen["call"]
    assert seen["read"]
    assert seen["progress"] == [1, 2, 3, 4]
    assert seen["cancelled"] is True
    assert plan["cancel"]["arguments"]["name"] in seen["check"]
    if era == "handshake":
        assert "npm__echo" in seen["tools"]


@pytest.mark.parametrize("era", PLANS)
def test_inspector_cli(gateway: str, era: str) -> None:
    tools = inspect(gateway, era, "--method", "tools/list")["tools"]
    call = ["--method", "tools/call", "--tool-name", TIME["name"], "--tool-arg", "timezone=UTC"]
    called = inspect(gateway, era, *call)
    read = inspect(gateway, era, "--method", "resources/read", "--uri", PLANS[era]["read"])
    prompts = inspect(gateway, era, "--method", "prompts/list")["prompts"]

    assert {"time__get_current_time", "ours__slow"} <= {tool["name"] for tool in tools}
    assert '"timezone": "UTC"' in called["content"][0]["text"]
    assert read["contents"][0]["text"]
    assert any("test_simple_prompt" in prompt["name"] for prompt in prompts)


def inspect(url: str, era: str, *arguments: str) -> Any:
    """Run the Inspector's command line and return the result it prints."""
    program = node.program("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    chosen = "legacy" if era == "handshake" else "modern"
    options = ["--transport", "http", "--protocol-era", chosen, "--format", "json", "--quiet"]
    printed = json.loads(output([*program, "--cli", url, *options, *arguments]))
    return printed.get("result", printed)


def run(
    client: str, url: str, era: str, plan: dict[str, Any], **environment: str
) -> dict[str, Any]:
    """Run a client's script and return its verdict."""
    if client.startswith("typescript"):
        command = [str(node.NODE), str(SCRIPTS / "typescript.mjs")]
        environment["LOCKGATE_NODE_MODULES"] = str(node.packages())
        environment["LOCKGATE_TS"] = client[-1]
    else:
        python = venvs.python("mcp1") if client == "python1" else sys.executable
        command = [str(python), str(SCRIPTS / f"{client}.py")]
    return json.loads(output([*command, url, era, json.dumps(plan)], **environment))


def output(command: Sequence[str], **environment: str) -> str:
    """What a program prints; fails with what it complained of when it fails."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-4000:]}"
    return done.stdout
