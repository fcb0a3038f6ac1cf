"""What the model promises to those who code against it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from lockgate.config.limits import GatewayLimits
from lockgate.config.load import load
from lockgate.config.model import Config, GatewaySettings, ServerConfig
from lockgate.config.reference import page
from lockgate.config.schema import schema

ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(32)).decode()


def write(folder: Path, value: object, name: str = "mcp.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    path.chmod(0o600)
    return path


def test_every_field_says_what_it_decides() -> None:
    models: list[type[BaseModel]] = [Config, ServerConfig, GatewaySettings, GatewayLimits]
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name
            assert not field.is_required(), name


def test_the_reference_page_is_current() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert written == page(), "run: python -m lockgate.config.reference"


def test_names_are_bare_for_one_server_and_prefixed_for_more() -> None:
    one = {"a": {"command": "x"}}
    assert Config.model_validate({"servers": one}).naming == "bare"
    both = {**one, "b": {"command": "x"}}
    assert Config.model_validate({"servers": both}).naming == "prefix"
    off = {**one, "b": {"command": "x", "disabled": True}}
    assert Config.model_validate({"servers": off}).naming == "bare"
    said = {"servers": both, "lockgate": {"naming": "bare"}}
    assert Config.model_validate(said).naming == "bare"


def test_quantities_have_units() -> None:
    settings = GatewaySettings.model_validate(
        {"keepalive": "1.5m", "limits": {"body_bytes": "2MiB", "idle_timeout": "500s"}}
    )
    assert settings.keepalive == 90
    assert settings.limits.body_bytes == 2 * 1024 * 1024
    for bad in ("5 years", "-1s", "1e3s", "", "1MB", True, [], "999999h"):
        with pytest.raises(ValidationError):
            GatewaySettings.model_validate({"keepalive": bad})


def test_settings_from_options_are_checked() -> None:
    config = Config().with_settings(port=0)
    assert config.lockgate.port == 0
    with pytest.raises(ValidationError):
        config.with_settings(port=70000)


def test_session_keys_come_from_the_file_and_from_another_file(tmp_path: Path) -> None:
    other = base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("=")
    write(tmp_path, f"# keys\n{other}\n\n", "keys")
    path = write(
        tmp_path,
        {
            "servers": {"a": {"command": "sh"}},
            "lockgate": {"session": {"keys": ["${SEAL}"], "keys_file": "keys"}},
        },
    )
    config = load(path, {"SEAL": KEY})
    assert config.lockgate.session.key_bytes() == [bytes(32), b"\xff" * 32]
    assert KEY not in repr(config)


def test_nothing_secret_is_in_a_repr(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "mcpServers": {
                "a": {"command": "sh", "args": ["--token", "s3cret-1"], "env": {"K": "s3cret-2"}},
                "b": {
                    "url": "https://x.example/?key=s3cret-3",
                    "headers": {"Authorization": "Bearer s3cret-4"},
                },
            }
        },
    )
    config = load(path, {})
    assert "s3cret" not in repr(config)
    assert config.servers["a"].plain_env() == {"K": "s3cret-2"}
    assert config.servers["b"].plain_headers() == {"Authorization": "Bearer s3cret-4"}
    assert {"Bearer s3cret-4", "s3cret-4"} <= config.secrets


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, "# x\nexport A=1\nB = 'two' \nC=3 # three\nA_B=\n", "more.env")
    server = {"command": "sh", "cwd": "sub", "envFile": "more.env", "env": {"A": "mine"}}
    config = load(write(tmp_path, {"servers": {"a": server}}), {})
    loaded = config.servers["a"]
    assert loaded.cwd == tmp_path / "sub"
    assert loaded.plain_env() == {"A": "mine", "B": "two", "C": "3", "A_B": ""}


def test_a_disabled_server_is_not_looked_at(tmp_path: Path) -> None:
    off = {"disabled": True, "command": "${NONE}", "type": "sse", "env": {"LD_PRELOAD": "x"}}
    config = load(write(tmp_path, {"servers": {"a": {"command": "sh"}, "b": off}}), {})
    assert list(config.enabled) == ["a"]
    assert config.servers["b"].disabled


def test_workspace_folder_is_the_project(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    server = {"command": "sh", "args": ["${workspaceFolder}"]}
    inside = load(write(tmp_path / ".vscode", {"servers": {"a": server}}), {})
    outside = load(write(tmp_path, {"servers": {"a": server}}), {})
    assert inside.servers["a"].args == outside.servers["a"].args == [str(tmp_path)]


def test_the_schema_accepts_what_loads_and_refuses_what_does_not(tmp_path: Path) -> None:
    written = schema()
    jsonschema.Draft202012Validator.check_schema(written)
    validator = jsonschema.Draft202012Validator(written)
    good = {
        "$schema": "x",
        "mcpServers": {
            "a": {"command": "sh", "env": {"PORT": 1}, "timeout": "5m", "autoApprove": []},
            "b": {"type": "streamable-http", "serverUrl": "https://x.example", "idle_stop": 5},
        },
        "lockgate": {"limits": {"body_bytes": "1MiB"}},
    }
    validator.validate(good)
    load(write(tmp_path, {**good, "mcpServers": {"a": good["mcpServers"]["a"]}}), {})
    for bad in (
        {"mcpServers": {"a": {"comand": "sh"}}},
        {"servers": {}, "mcpServers": {}},
        {"servers": {}, "lockgate": {"port": 70000}},
        {"servers": {"a": {"command": "sh", "timeout": "soon"}}},
    ):
        assert not validator.is_valid(bad)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.*")), ids=lambda p: p.name)
def test_examples_load(path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "SEARCH_TOKEN": "t",
        "GITHUB_TOKEN": "t",
        "HOME": "/home/me",
        "LOCKGATE_SESSION_KEY": KEY,
    }
    assert load(path, environ).enabled
