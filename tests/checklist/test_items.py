"""Every item of the checklist: a configuration in which it lacks, and one in which it holds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from lockgate.checklist import page
from lockgate.checklist.item import Verdict
from lockgate.checklist.run import ITEMS, judged
from lockgate.cli.main import COMMANDS, program
from lockgate.config.load import examine
from lockgate.gateway.launches import review_launches

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [one.id for one in ITEMS if one.lacking is not None]
APART = {"locked", "readable"}
"""Those that are about files: see below."""
ALONE: dict[str, Any] = {"mcpServers": {"far": {"url": "https://far.example.com/mcp"}}}


def verdicts(folder: Path, config: Mapping[str, Any]) -> dict[str, Verdict]:
    (folder / "CERTIFICATE").write_text("")
    (folder / "KEYS").write_text("A" * 43 + "=\n")
    path = folder / "mcp.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    environ = {"HOME": str(folder), "LOCKGATE_KEYS": "{}", "PATH": ""}
    loaded = examine(path, environ)
    assert loaded.config is not None, [one.summary for one in loaded.findings.ordered()]
    review_launches(loaded)
    return {one.item.id: one.verdict for one in judged(loaded, loaded.config)}


@pytest.mark.parametrize("name", SHOWN)
def test_an_item_tells_the_two_apart(name: str, tmp_path: Path) -> None:
    (item,) = [one for one in ITEMS if one.id == name]
    assert item.lacking is not None
    assert item.having is not None
    lacking = verdicts(tmp_path, item.lacking)[name]
    assert lacking.state == "lacks"
    assert lacking.said
    assert verdicts(tmp_path, item.having)[name].state == "holds"


def test_every_item_is_shown_or_asked_elsewhere() -> None:
    assert len({one.id for one in ITEMS}) == len(ITEMS)
    for one in ITEMS:
        judges = one.judge is not None
        assert judges == (one.id in SHOWN or one.id in APART), one.id
        assert one.setting if judges else one.ask, one.id


def test_what_is_about_strangers_is_moot_without_them(tmp_path: Path) -> None:
    states = {name: one.state for name, one in verdicts(tmp_path, ALONE).items()}
    for name in ("callers", "tls", "rules", "told", "recorded", "rated", "named", "sandboxed"):
        assert states[name] == "moot", name


def test_a_proxy_may_have_the_certificate(tmp_path: Path) -> None:
    settings = {"public_url": "https://mcp.example.com", "auth": {"keys_env": "LOCKGATE_KEYS"}}
    found = verdicts(tmp_path, {**ALONE, "lockgate": settings})
    assert found["tls"].state == "unknown"
    assert found["rules"].state == "lacks"


def test_a_lock_file_and_a_file_for_its_owner(tmp_path: Path) -> None:
    assert verdicts(tmp_path, ALONE)["locked"].state == "lacks"
    (tmp_path / "lockgate.lock").write_text("")
    assert verdicts(tmp_path, ALONE)["locked"].state == "holds"
    secret = {"far": {"url": "https://far.example.com/mcp", "headers": {"X-Key": "abcdefgh1234"}}}
    path = tmp_path / "open.json"
    path.write_text(json.dumps({"mcpServers": secret}))
    path.chmod(0o644)
    loaded = examine(path, {"HOME": "", "PATH": ""})
    assert loaded.config is not None
    found = {one.item.id: one.verdict for one in judged(loaded, loaded.config)}
    assert found["readable"].state == "lacks"
    assert found["secrets"].said == "Secrets stand in the file itself: headers.X-Key of far."


def test_a_server_decides_for_itself(tmp_path: Path) -> None:
    two = {
        "near": {"url": "https://near.example.com/mcp"},
        "far": {"url": "https://far.example.com/mcp", "guard": {"results": {"secrets": "off"}}},
    }
    said = verdicts(tmp_path, {"mcpServers": two})["results"].said
    assert said.endswith(": far.")


def checklist(*args: object) -> Result:
    return CliRunner().invoke(program, ["checklist", *map(str, args)], standalone_mode=False)


def test_for_people_and_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(ALONE))
    path.chmod(0o600)
    told = checklist(path)
    assert told.return_value == 1
    assert "NO Calls are counted" in told.stdout
    assert "→ `lockgate.admin: {}`" in told.stdout
    assert f"→ lockgate scan {path}" in told.stdout
    short = checklist(path, "--lacking").stdout
    assert "NO Calls are counted" in short
    assert "yes" not in short
    plain = json.loads(checklist(path, "--json").stdout)
    assert sum(plain["counts"].values()) == len(plain["items"]) == len(ITEMS)
    assert {one["id"] for one in plain["items"] if one["state"] == "lacks"} >= {"measured"}


def test_nothing_lacking_is_success(tmp_path: Path) -> None:
    rules = [{"allow": "*"}, {"approve": "*", "annotations": {"destructiveHint": True}}]
    settings = {"admin": {}, "access": {"rules": rules}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({**ALONE, "lockgate": settings}))
    path.chmod(0o600)
    (tmp_path / "lockgate.lock").write_text("")
    told = checklist(path)
    assert told.return_value == 0, told.stdout


def test_the_commands_it_names_are_there() -> None:
    for one in ITEMS:
        words = shlex.split(one.ask)
        if words[:1] != ["lockgate"]:
            continue
        group: click.Command = program
        for word in words[1:]:
            if isinstance(group, click.Group):
                found = group.get_command(click.Context(group), word)
                assert found is not None, one.ask
                group = found
        assert words[1] in COMMANDS


def test_the_page_is_that_of_the_items() -> None:
    written = (ROOT / page.PAGE).read_text("utf-8")
    assert written == page.written(), "run: python -m lockgate.checklist.page"
