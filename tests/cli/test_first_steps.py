"""What people are told who do the next best thing: each error has a step that follows.

Must not know: how commands find out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lockgate.cli.tools import signature
from tests.cli.program import config_file, run
from tests.cli.test_gateway_commands import POSIX
from tests.cli.test_pins import configured, tool

pytestmark = POSIX
GONE = {"type": "http", "url": "http://127.0.0.1:9/mcp"}


@pytest.mark.parametrize("command", ["up", "tools"])
def test_a_url_in_place_of_a_configuration(command: str) -> None:
    done = run(command, "http://127.0.0.1:8000/mcp")
    assert done.returncode == 2
    assert '{"mcpServers": {"NAME": {"type": "http", "url": "URL"}}}' in done.stderr
    assert "`lockgate check URL` needs none" in done.stderr


def test_a_call_of_a_tool_that_nobody_has_approved(tmp_path: Path) -> None:
    path = configured(tmp_path, tool("add"))
    assert run("lock", path).returncode == 0
    configured(tmp_path, tool("add"), tool("turn"))
    done = run("call", path, "turn")
    assert done.returncode == 1
    assert "was not approved by anybody" in done.stderr
    assert "lockgate approve s/turn" in done.stderr


def test_lock_says_why_a_server_could_not_be_asked_and_what_to_do(tmp_path: Path) -> None:
    server = Path(__file__).with_name("turning_server.py")
    (tmp_path / "lists.json").write_text(json.dumps({"tools": [tool("add")]}))
    args = ["-I", "-S", str(server), str(tmp_path / "lists.json")]
    well = {"command": sys.executable, "args": args}
    path = config_file(tmp_path, {"well": well, "gone": GONE})
    for said in ("well: 1 tool recorded", "lockgate.lock says what the other servers define."):
        done = run("lock", path)
        assert said in done.stderr
        assert done.returncode == 3
        assert "gone could not be asked: http://127.0.0.1:9 refuses connections" in done.stderr
        assert "Start the server, or correct the port in `url`." in done.stderr


def test_a_tool_without_its_server_is_shown_where_to_put_it(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": GONE, "two": GONE})
    done = run("why", path, "search")
    assert done.returncode == 2
    assert "Write SERVER/NAME, as one/search." in done.stderr


def test_an_object_among_the_arguments_is_shown_by_its_members() -> None:
    note = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "tags": {"type": "array"}},
        "required": ["title"],
    }
    properties = {"note": {"$ref": "#/$defs/Note"}, "any": {"type": "object"}}
    schema = {"properties": properties, "required": ["note"], "$defs": {"Note": note}}
    assert signature({"inputSchema": schema}) == ["note*:{title*,tags}", "any:object"]
    many = {"type": "object", "properties": {f"m{number}": {} for number in range(20)}}
    assert signature({"inputSchema": {"properties": {"a": many}}}) == ["a:object"]
    away = {"properties": {"a": {"$ref": "#/$defs/Gone"}, "b": {"$ref": "http://x/"}}}
    assert signature({"inputSchema": away}) == ["a:any", "b:any"]


@pytest.mark.parametrize("command", ["up", "lint", "scan"])
def test_the_exit_codes_fit_a_terminal_of_80_columns(command: str) -> None:
    assert max(map(len, run(command, "--help").stdout.splitlines())) <= 80
