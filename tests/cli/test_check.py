"""`lockgate check` of this machine and of a configuration: what each server is held to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lockgate.cli.main import program
from lockgate.gateway import holding
from lockgate.upstreams.sandbox.host import Host, Way
from lockgate.upstreams.sandbox.numbers import MACHINES
from tests.cli.program import config_file, run, tiny


def host(landlock: int = 7, **more: Any) -> Host:
    fields: dict[str, Any] = {
        "system": "Linux 6.12",
        "machine": MACHINES["x86_64"],
        "seccomp": True,
        "known": Way("user"),
        "missing": "" if landlock else "it is switched off",
        **more,
    }
    return Host(landlock=landlock, **fields)


HOSTS = {
    "new": (host(), {"standard", "strict", "network: loopback or places", "processes"}),
    "older": (host(4), {"standard", "network: loopback or places", "processes"}),
    "container": (host(known=Way("", "Operation not permitted")), {"standard", "strict"}),
    "root": (
        host(root=True, known=Way("direct")),
        {"standard", "strict", "network: loopback or places"},
    ),
    "none": (host(0), set[str]()),
    "mac": (Host(system="Darwin 24.1"), set[str]()),
}


@pytest.mark.parametrize("name", HOSTS)
def test_the_host_report(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on, enforced = HOSTS[name]
    monkeypatch.setattr(holding, "this_host", lambda: on)
    done = CliRunner().invoke(program, ["check", "--json"], standalone_mode=False)
    found = json.loads(done.output)["host"]
    assert {one["asked"] for one in found["offers"] if one["enforced"]} == enforced
    assert done.return_value == (0 if {"standard", "strict"} <= enforced else 1)
    text = CliRunner().invoke(program, ["check"], standalone_mode=False).output
    assert on.system in text
    for one in found["offers"]:
        assert f"{one['asked']}: {'yes' if one['enforced'] else 'no'}" in text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    servers = {
        "free": tiny(),
        "held": tiny(sandbox="strict"),
        "some": tiny(sandbox={"level": "strict", "network": ["a.example:443"]}),
        "less": tiny(sandbox={"level": "strict", "unenforced": "allow"}),
        "loose": {"command": "npx", "args": ["-y", "x"], "sandbox": {"packages": "any"}},
        "far": {"url": "http://127.0.0.1:1/mcp"},
    }
    return config_file(tmp_path, servers)


def test_what_each_server_is_held_to(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "this_host", host)
    done = CliRunner().invoke(
        program, ["check", str(file), "--no-start", "--json"], standalone_mode=False
    )
    found = {one["name"]: one for one in json.loads(done.output)["servers"]}
    assert done.return_value == 0
    assert set(found) == {"free", "held", "some", "less", "loose"}
    assert found["free"]["level"] == "off"
    assert {"files", "signals", "calls", "network"} <= set(found["held"]["holds"])
    assert found["some"]["network"] == "a.example:443"
    assert "host" not in json.loads(done.output)


def test_what_cannot_be_enforced_is_said_with_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "this_host", lambda: host(5))
    done = CliRunner().invoke(program, ["check", str(file), "--no-start"], standalone_mode=False)
    assert done.return_value == 1
    assert "server free: off" in done.output
    assert "server held: strict network=none enforced=no: it will not be started" in done.output
    assert "server less: strict network=none enforced=in part" in done.output
    assert done.output.count("Run Linux 6.12 or newer") == 1


def test_without_stdio_servers_there_is_nothing_to_say(tmp_path: Path) -> None:
    file = config_file(tmp_path, {"far": {"url": "http://127.0.0.1:1/mcp"}})
    done = run("check", file, "--no-start")
    assert done.returncode == 0
    assert "No stdio server" in done.stdout


def test_an_unusable_file_is_a_mistake_in_usage(tmp_path: Path) -> None:
    assert run("check", tmp_path / "missing.json").returncode == 2


def test_a_package_that_has_to_be_pinned_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "this_host", host)
    server = {"command": "npx", "args": ["-y", "x"], "sandbox": "strict"}
    file = config_file(tmp_path, {"loose": server})
    done = CliRunner().invoke(program, ["check", str(file), "--no-start"], standalone_mode=False)
    assert done.return_value == 1
    assert "it will not be started: npx gets no exact version" in done.output
