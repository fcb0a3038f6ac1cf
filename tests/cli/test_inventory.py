"""`lockgate inventory`: what goes past the gateway, found in files and on ports."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.cli.listeners import listening, speaking
from lockgate.config.clients import Source
from lockgate.config.inventory import inventory
from lockgate.config.model import Config
from tests.bridge.modern_server import NewServer
from tests.cli.program import COMMAND, environment
from tests.fronts.served import run
from tests.security.controls import holds

CONFIG: dict[str, Any] = {
    "servers": {
        "docs": {"url": "https://docs.example.com/mcp/"},
        "files": {"command": "npx", "args": ["-y", "files@1.2.3"]},
    },
    "lockgate": {"port": 4040, "endpoints": {"/team/mcp": {}}},
}
CLIENTS: dict[str, dict[str, Any]] = {
    "ours by address": {"url": "http://localhost:4040/mcp"},
    "ours at an endpoint": {"url": "http://127.0.0.1:4040/team/mcp/"},
    "ours by command": {"command": "/usr/bin/lockgate", "args": ["up", "mcp.json"]},
    "past, and known": {"url": "https://DOCS.example.com:443/mcp?key=s3cret"},
    "past, and known too": {"command": "npx", "args": ["-y", "files@1.2.3"]},
    "past": {"command": "npx", "args": ["-y", "files", "--token", "s3cret"]},
    "another port": {"url": "http://localhost:4041/mcp"},
    "another path": {"url": "http://localhost:4040/other"},
}
WAYS = {
    "ours by address": ("gateway", None),
    "ours at an endpoint": ("gateway", None),
    "ours by command": ("gateway", None),
    "past, and known": ("past", "docs"),
    "past, and known too": ("past", "files"),
    "past": ("past", None),
    "another port": ("past", None),
    "another path": ("past", None),
}


def home(folder: Path, servers: dict[str, Any]) -> Path:
    (folder / ".cursor").mkdir(parents=True)
    (folder / ".cursor/mcp.json").write_text(json.dumps({"mcpServers": servers}))
    return folder


@holds(45)
def test_every_way_is_told(tmp_path: Path) -> None:
    file = home(tmp_path, CLIENTS) / ".cursor/mcp.json"
    found = inventory([Source("Cursor", file, "mcpServers")], Config.model_validate(CONFIG))
    assert {one.server: (one.way, one.known) for one in found} == WAYS
    assert "s3cret" not in repr(found)


def test_a_file_nobody_can_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text("{")
    [found] = inventory([Source("Cursor", file, "mcpServers")], None)
    assert (found.way, found.server) == ("unreadable", None)
    assert found.detail


def told(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`lockgate inventory` of somebody with this home, in an empty project."""
    (folder / "project").mkdir(exist_ok=True)
    return subprocess.run(
        [*COMMAND, "inventory", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder / "project",
        env={**environment(), "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")},
    )


@holds(45)
@pytest.mark.parametrize(
    ("servers", "code", "said"),
    [
        ({"past": CLIENTS["past"]}, 1, "past (npx): past the gateway"),
        ({"it": CLIENTS["past, and known"]}, 1, "the gateway has it as 'docs'"),
        ({"ours": CLIENTS["ours by address"]}, 0, "through the gateway"),
        ({}, 0, "No client known here"),
    ],
)
def test_the_command(tmp_path: Path, servers: dict[str, Any], code: int, said: str) -> None:
    config = tmp_path / "gateway.json"
    config.write_text(json.dumps(CONFIG))
    done = told(home(tmp_path, servers), str(config))
    assert (done.returncode, done.stderr) == (code, "")
    assert said in done.stdout
    plain = json.loads(told(tmp_path, str(config), "--json").stdout)
    assert [one["server"] for one in plain["clients"]] == list(servers)


@holds(45)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which ports there are")
def test_a_program_that_speaks_mcp_on_a_port_is_found() -> None:
    async def play() -> None:
        async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            writer.close()

        server = NewServer("new")
        other = await asyncio.start_server(hello, "127.0.0.1", 0)
        async with server.serving(), other:
            port = int(server.url.split(":")[2].partition("/")[0])
            web: int = other.sockets[0].getsockname()[1]
            assert {port, web} <= set(listening())
            # Only these two: whatever else listens here is none of a test's business.
            assert await speaking([port, web]) == [(port, "/mcp")]

    run(play())


def test_what_the_kernel_says_of_ports(tmp_path: Path) -> None:
    four, six = tmp_path / "tcp", tmp_path / "tcp6"
    rows = {
        "0100007F:1F90": "0A",  # 127.0.0.1:8080
        "00000000:1F91": "0A",
        "0100007F:1F92": "01",  # connected, not listening
        "0101A8C0:1F93": "0A",  # 192.168.1.1
    }
    four.write_text("head\n" + "".join(f" 0: {one} 0:0 {state}\n" for one, state in rows.items()))
    six.write_text(
        "head\n 0: 00000000000000000000000001000000:1F94 0:0 0A\n"
        " 1: B80D0120000000000000000001000000:1F95 0:0 0A\n"
    )
    if sys.byteorder == "little":
        assert listening([four, six]) == [8080, 8081, 8084]
