"""`lockgate tokens`, with real servers and with files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.cli.tokens import _of_file
from tests.cli.program import config_file, run, tiny

TOOLS: list[dict[str, Any]] = [
    {"name": "a", "description": "x " * 100, "inputSchema": {"type": "object"}},
    {"name": "b", "inputSchema": {"type": "object", "title": "bArguments"}},
]


def test_of_a_configuration(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny(), "more": tiny(), "down": {"command": "false"}})
    done = run("tokens", path)
    assert done.returncode == 3
    assert "down is not ready, and not counted" in done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("Your 2 servers with 10 tools cost 1")
    assert "in every request (o200k_base, counted)." in first
    assert any(line.split()[:2] == ["more", "5"] for line in rest)
    assert any("compact.tools: lossless" in line and "now" in line.split() for line in rest)
    assert any("expose: search" in line for line in rest)


def test_for_machines(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()}, compact={"tools": "signature"})
    told = json.loads(run("tokens", path, "--json").stdout)
    assert (told["level"], told["exact"]) == ("signature", True)
    assert told["tokens"] == sum(one["tokens"] for one in told["tools"])
    assert {one["name"] for one in told["tools"]} == {"add", "fail", "rows", "slow", "colour"}
    saved = {one["setting"]: one["saved"] for one in told["settings"]}
    assert saved["compact.tools: signature"] == 0
    assert saved["compact.tools: off"] < 0


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TOOLS),
        json.dumps({"tools": TOOLS}),
        json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": TOOLS}}),
        "\n".join(map(json.dumps, TOOLS)),
        "\n".join(json.dumps({"server": "s", "tool": one}) for one in TOOLS),
    ],
)
def test_of_a_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    tools = _of_file(path)
    assert tools is not None
    assert [json.loads(data)["name"] for _, data in tools] == ["a", "b"]


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", "", '{"mcpServers": {}}'])
def test_of_what_holds_no_tools(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(text)
    assert _of_file(path) is None


def test_of_a_file_for_machines(tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    told = json.loads(run("tokens", path, "--json", "--encoding", "cl100k_base").stdout)
    assert [one["name"] for one in told["tools"]] == ["a", "b"]
    assert told["encoding"] == "cl100k_base"


def test_tools_are_shown_to_people_as_servers_define_them(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()}, compact={"tools": "signature"})
    tools = json.loads(run("tools", path, "--json").stdout)
    assert tools[0]["description"] == "Adds.\nTwo numbers."


def test_why_says_what_is_derived(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    said = json.loads(run("why", "tiny/add", path, "--json").stdout)
    (listing,) = [one for one in said["steps"] if one["policy"] == "listing"]
    assert "derived (lossless)" in listing["said"]
    assert "pins and calls are held against what the server wrote" in listing["said"]
