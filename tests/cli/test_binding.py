"""Who may call is said at the start and after each reload, and never becomes everybody by one."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from lockgate.cli.callers import asked_of_callers
from lockgate.config.model import Config
from tests.cli.program import config_file, tiny
from tests.cli.test_gateway_commands import POSIX, read_until, up
from tests.cli.test_reload import ready, started, stop

ISSUER = {"issuer": "https://idp.example.com"}
KEYS = {"keys_env": "KEYS"}
RULES: dict[str, Any] = {"rules": [{"allow": "one"}, {"deny": "one/x"}]}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, []),
        ({"auth": KEYS}, ["Callers show an API key."]),
        (
            {"auth": {**KEYS, "issuers": [ISSUER]}, "access": RULES},
            [
                "Callers show an API key or a token of https://idp.example.com.",
                "2 rules of access say who may use what.",
            ],
        ),
        (
            {"auth": KEYS, "endpoints": {"/open": {"auth": {}}, "/own": {}}},
            ["At /mcp, /own callers show an API key.", "At /open anybody may call."],
        ),
        (
            {"access": {"rules": RULES["rules"][:1]}},
            ["1 rule of access says who may use what."],
        ),
    ],
)
def test_what_is_asked_of_callers_is_said(settings: dict[str, Any], said: list[str]) -> None:
    assert asked_of_callers(Config.model_validate({"lockgate": settings})) == said


@POSIX
def test_a_gateway_for_the_network_is_not_opened_to_everybody_by_a_reload(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    wide: dict[str, Any] = {"host": "0.0.0.0", "auth": {"keys_file": "keys.json"}}
    path = config_file(tmp_path, {"one": tiny()}, reload="signal", **wide)
    with up(path, "--port", 0) as child:
        url = started(child).replace("0.0.0.0", "127.0.0.1")

        def reload(**settings: Any) -> None:
            config_file(tmp_path, {"one": tiny()}, reload="signal", **settings)
            child.send_signal(signal.SIGHUP)

        reload(host="0.0.0.0")
        read_until(child, "refused")
        assert ready(url)["status"] == "serving"
        # The address stays until the next start, so what the file says of it opens nothing.
        reload(host="127.0.0.1")
        read_until(child, "refused")
        reload(**wide, access=RULES)
        lines = read_until(child, "2 rules of access say")
        assert any("reloaded: other access; every server stays as it is." in one for one in lines)
        stop(child)


@POSIX
def test_a_gateway_that_was_started_open_may_stay_so(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": []}')
    settings: dict[str, Any] = {"host": "0.0.0.0", "reload": "signal"}
    path = config_file(tmp_path, {"one": tiny()}, **settings, auth={"keys_file": "keys.json"})
    with up(path, "--port", 0, "--insecure-bind") as child:
        read_until(child, "Callers show an API key.")
        read_until(child, "1 of 1 server ready")
        keys.write_text(json.dumps({"keys": []}, indent=1))
        child.send_signal(signal.SIGHUP)
        read_until(child, "the files it names were read again; every server stays as it is")
        config_file(tmp_path, {"one": tiny()}, **settings)
        child.send_signal(signal.SIGHUP)
        read_until(child, "reloaded: other auth; every server stays as it is")
        stop(child)
