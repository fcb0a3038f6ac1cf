"""`config check` finds what `up` would end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lockgate.cli.main import program
from tests.cli.program import config_file, tiny


def check(path: Path) -> tuple[int, list[dict[str, Any]]]:
    words = ["config", "check", str(path), "--json"]
    done = CliRunner().invoke(program, words, standalone_mode=False)
    return done.return_value, json.loads(done.stdout)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"keys": []}', None),
        ('{"keys": [{"name": 3}]}', "it holds no list of keys"),
        ("lockgate_0", "it holds no list of keys"),
    ],
)
@pytest.mark.parametrize("endpoint", [False, True])
def test_a_file_of_keys_that_cannot_be_used(
    endpoint: bool, text: str, says: str | None, tmp_path: Path
) -> None:
    (tmp_path / "keys.json").write_text(text)
    auth = {"auth": {"keys_file": "keys.json", "keys_env": "NOT_SET_HERE"}}
    settings: dict[str, Any] = {"endpoints": {"/own": auth}} if endpoint else auth
    code, found = check(config_file(tmp_path, {"one": tiny()}, **settings))
    if says is None:
        assert (code, found) == (0, [])
        return
    assert code == 2
    assert says in found[0]["summary"]
    assert found[0]["line"] is not None


@pytest.mark.parametrize(("name", "says"), [("away.json", "is not there"), (".", "is no file")])
def test_a_file_of_keys_that_is_none(name: str, says: str, tmp_path: Path) -> None:
    auth = {"auth": {"keys_file": name}}
    for settings in (auth, {"endpoints": {"/own": auth}}):
        code, [one] = check(config_file(tmp_path, {"one": tiny()}, **settings))
        assert (code, one["id"]) == (2, "path-missing")
        assert one["summary"].endswith(f"{says}.")


@pytest.mark.parametrize(
    ("host", "admin", "bad"),
    [
        ("127.0.0.1", {"port": 4040}, True),
        ("0.0.0.0", {"port": 4040}, True),
        ("127.0.0.1", {"port": 4041}, False),
        ("127.0.0.2", {"port": 4040}, False),
    ],
)
def test_two_listeners_on_one_port(
    host: str, admin: dict[str, Any], bad: bool, tmp_path: Path
) -> None:
    code, found = check(config_file(tmp_path, {"one": tiny()}, host=host, admin=admin))
    assert [one["id"] for one in found if one["severity"] == "error"] == ["admin-port"] * bad
    assert code == (2 if bad else 0)
