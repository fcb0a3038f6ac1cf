"""What may be said of sandboxes, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.config.load import examine, load
from lockgate.config.model import Config, ServerConfig
from lockgate.config.sandbox import destination
from lockgate.gateway.launches import review_launches
from lockgate.gateway.sandboxes import home_of, sandbox_spec, specs_of
from lockgate.upstreams.sandbox.spec import Destination


def loaded(folder: Path, entry: Any, general: Any = None, **more: Any) -> Config:
    path = folder / "mcp.json"
    settings = {} if general is None else {"sandbox": general}
    server = {"command": "/bin/cat", **({} if entry is None else {"sandbox": entry}), **more}
    path.write_text(json.dumps({"mcpServers": {"s": server}, "lockgate": settings}))
    path.chmod(0o600)
    return load(path, {})


@pytest.mark.parametrize(
    ("entry", "general", "level"),
    [
        (None, None, None),
        ("off", None, None),
        (False, "strict", None),
        ("standard", None, "standard"),
        ("strict", None, "strict"),
        ({"level": "strict"}, "standard", "strict"),
        (None, "standard", "standard"),
        ({"read": ["x"]}, "standard", "standard"),
        ({"memory": "64MiB"}, None, None),
        ({"level": "off"}, {"level": "strict"}, None),
    ],
)
def test_a_servers_own_word_counts_first(
    entry: Any, general: Any, level: str | None, tmp_path: Path
) -> None:
    spec = specs_of(loaded(tmp_path, entry, general))["s"]
    assert (spec and spec.level) == level


def test_settings_are_merged_key_by_key_and_paths_are_beside_the_file(tmp_path: Path) -> None:
    general = {"level": "strict", "memory": "1GiB", "read": ["shared"], "network": ["a.example:1"]}
    entry = {"memory": "64MiB", "write": ["data", "~/notes"], "processes": 9}
    spec = specs_of(loaded(tmp_path, entry, general))["s"]
    assert spec is not None
    assert spec.memory == 64 << 20
    assert spec.processes == 9
    assert spec.read == (str(tmp_path / "shared"),)
    assert spec.write == (str(tmp_path / "data"), str(Path.home() / "notes"))
    assert spec.network == (Destination("a.example", 1),)
    assert spec.pinned
    assert spec.unenforced == "refuse"


@pytest.mark.parametrize(
    ("entry", "network", "pinned"),
    [
        ("standard", "any", False),
        ("strict", "none", True),
        ({"level": "strict", "network": "any", "packages": "any"}, "any", False),
        ({"level": "standard", "network": [], "packages": "pinned"}, "none", True),
        ({"level": "strict", "network": "loopback"}, "loopback", True),
    ],
)
def test_levels_have_their_defaults(entry: Any, network: str, pinned: bool, tmp_path: Path) -> None:
    spec = specs_of(loaded(tmp_path, entry))["s"]
    assert spec is not None
    assert (spec.network, spec.pinned) == (network, pinned)


@pytest.mark.parametrize(
    "entry",
    [
        "tight",
        {"level": "loose"},
        {"network": "some"},
        {"network": ["*.example.com:443"]},
        {"network": ["example.com"]},
        {"network": ["example.com:0"]},
        {"network": ["example.com:65536"]},
        {"network": ["http://example.com:80"]},
        {"network": ["::1:80"]},
        {"network": ["[::g]:80"]},
        {"network": ["a b:80"]},
        {"network": ["a\nb:80"]},
        {"network": [":80"]},
        {"memory": "1MiB"},
        {"processes": 0},
        {"unenforced": "maybe"},
        {"deny": []},
    ],
)
def test_what_cannot_be_meant_is_refused(entry: Any) -> None:
    with pytest.raises(ValidationError):
        ServerConfig.model_validate({"command": "x", "sandbox": entry})


@given(st.text(max_size=300))
def test_a_place_is_one_or_is_refused(text: str) -> None:
    try:
        host, port = destination(text)
    except ValueError:
        return
    assert 0 < port < 65536
    assert host
    assert not set(host) & set(" \t\n/*@#?%\0")


@pytest.mark.parametrize(
    "entry",
    [
        {"filesystem": {"allowWrite": ["/x"]}},
        {"network": {"allowedDomains": ["example.com"]}},
    ],
)
def test_sandboxes_of_vs_code_are_left_to_it_and_said_to_be(entry: Any, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    server = {"command": "/bin/cat", "sandbox": entry, "sandboxEnabled": True}
    path.write_text(json.dumps({"servers": {"s": server}}))
    path.chmod(0o600)
    found = examine(path, {})
    assert found.config is not None
    assert specs_of(found.config)["s"] is None
    [told] = [one for one in found.findings if one.id == "client-key"]
    assert "sandbox" in told.summary


def test_a_sandbox_means_nothing_for_a_server_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    servers = {"s": {"url": "http://127.0.0.1:1/mcp", "sandbox": "strict"}}
    path.write_text(json.dumps({"mcpServers": servers}))
    path.chmod(0o600)
    assert [one.id for one in examine(path, {}).findings] == ["server-shape"]


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"level": "standard", "write": ["~"]}, "sandbox-wide"),
        ({"level": "standard", "read": ["/"]}, "sandbox-wide"),
        ({"level": "standard", "unix_sockets": True}, "sandbox-wide"),
        ({"level": "off", "read": ["/"]}, None),
    ],
)
def test_what_leads_out_of_a_sandbox_is_told(entry: Any, found: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"s": {"command": "/bin/cat", "sandbox": entry}}}))
    path.chmod(0o600)
    said = examine(path, {})
    review_launches(said)
    told = {one.id for one in said.findings} - {"sandbox-unenforced"}
    assert told == ({found} if found else set())


def test_no_two_servers_share_a_home() -> None:
    names = ["a", "A", "a b", "a-b", "a/b", "ä", "..", ".", "x" * 60, "x" * 61, "x" * 62, ""]
    homes = [home_of(name) for name in names]
    assert len(set(homes)) == len(names)
    assert {home.parent for home in homes} == {home_of("a").parent}
    assert not {".", "..", ""} & {home.name for home in homes}


def test_a_config_that_was_not_read_from_a_file_has_the_general_word_too() -> None:
    config = Config.model_validate(
        {"servers": {"s": {"command": "x"}}, "lockgate": {"sandbox": "strict"}}
    )
    spec = sandbox_spec("s", config.servers["s"].sandbox)
    assert spec is not None
    assert spec.level == "strict"


DOCS = Path(__file__).parents[2] / "docs/security/sandbox.md"


def test_the_example_of_the_page_means_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(DOCS.read_text().partition("```json\n")[2].partition("```")[0])
    path.chmod(0o600)
    notes, time = specs_of(load(path, {})).values()
    assert notes is not None
    assert time is not None
    assert notes.level == "strict"
    assert notes.network == (
        Destination("registry.npmjs.org", 443),
        Destination("api.example.com", 443),
    )
    assert (notes.memory, time.memory) == (1 << 30, 2 << 30)
    assert time.level == "standard"
