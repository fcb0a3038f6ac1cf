"""`config import`: a home with every client in it, read and left as it was."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config.clients import Places, Shape, sources
from lockgate.config.foreign import entries
from lockgate.config.gather import Gathered, gather, write, written
from lockgate.config.load import examine

TIME = {"command": "uvx", "args": ["mcp-server-time"]}

HOME: dict[str, str] = {
    ".config/Claude/claude_desktop_config.json": json.dumps(
        {"globalShortcut": "", "mcpServers": {"time": TIME, "db": {"command": "db", "env": {}}}}
    ),
    ".claude.json": json.dumps(
        {
            "numStartups": 7,
            "mcpServers": {"time": {"type": "stdio", **TIME, "env": {}}},
            "projects": {"/src/app": {"mcpServers": {"db": {"command": "db2"}}}},
        }
    ),
    ".cursor/mcp.json": json.dumps({"mcpServers": {"db": {"url": "https://db.example/mcp"}}}),
    ".codeium/windsurf/mcp_config.json": json.dumps(
        {"mcpServers": {"wind": {"serverUrl": "https://wind.example/mcp", "disabled": True}}}
    ),
    ".gemini/settings.json": json.dumps(
        {
            "theme": "x",
            "mcpServers": {
                "gem": {"httpUrl": "https://gem.example/mcp", "timeout": 5000, "trust": True},
                "gemsse": {"url": "https://gem.example/sse"},
            },
        }
    ),
    ".codex/config.toml": """
model = "x"
[mcp_servers.cod]
command = "cod"
args = ["-v"]
env_vars = ["COD_TOKEN"]
tool_timeout_sec = 20
[mcp_servers.codweb]
url = "https://cod.example/mcp"
bearer_token_env_var = "CODWEB_TOKEN"
enabled = false
""",
    ".lmstudio/mcp.json": json.dumps({"mcpServers": {"lm": {"command": "lm"}}}),
    ".continue/config.yaml": """
name: mine
mcpServers:
  - name: cont
    command: cont
  - name: contweb
    type: streamable-http
    url: https://cont.example/mcp
    requestOptions: {headers: {X-Key: k}}
""",
    ".config/Code/User/mcp.json": """{
  // mine
  "inputs": [{"type": "promptString", "id": "gh-token", "password": true}],
  "servers": {
    "gh": {"type": "http", "url": "https://gh.example/mcp",
           "headers": {"Authorization": "Bearer ${input:gh-token}"}},
  },
}""",
    ".config/Code/User/settings.json": '{"editor.x": 1, "mcp": {"servers": {"old": '
    '{"command": "old"}}},}',
    ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json": (
        json.dumps({"mcpServers": {"cli": {"type": "sse", "url": "https://cli.example/sse"}}})
    ),
    ".config/zed/settings.json": """{
  "theme": "x", // zed
  "context_servers": {
    "zed": {"command": {"path": "zed-server", "args": ["a"], "env": {"A": "b"}}, "settings": {}},
    "zednew": {"source": "custom", "command": "zed2", "args": [], "enabled": false}
  }
}""",
    ".config/goose/config.yaml": """
extensions:
  developer: {type: builtin, enabled: true, name: developer}
  goo: {type: stdio, cmd: goo, args: [x], envs: {A: b}, env_keys: [GOO_KEY], enabled: true}
  gooweb: {type: streamable_http, uri: "https://goo.example/mcp", enabled: true, timeout: 300}
""",
    ".config/opencode/opencode.json": json.dumps(
        {"mcp": {"open": {"type": "local", "command": ["open", "-x"], "environment": {"A": "b"}}}}
    ),
    ".kiro/settings/mcp.json": "{ broken",
    ".aws/amazonq/mcp.json": json.dumps({"mcpServers": {}}),
    ".copilot/mcp-config.json": json.dumps(
        {"mcpServers": {"me": {"command": "/bin/lockgate", "args": ["up", "x.json", "--stdio"]}}}
    ),
}  # fmt: skip

PROJECT = {
    ".mcp.json": json.dumps({"mcpServers": {"proj": {"command": "./run"}}}),
    ".vscode/mcp.json": json.dumps(
        {"servers": {"here": {"command": "x", "args": ["${workspaceFolder}/a"]}}}
    ),
}


def lay_out(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home, project = tmp_path / "home", tmp_path / "project"
    lay_out(home, HOME)
    lay_out(project, PROJECT)
    return Places.of({"HOME": str(home)}, "linux", project)


def gathered(places: Places) -> Gathered:
    return gather(sources(places))


def test_every_client_is_understood(places: Places) -> None:
    project = places.project
    assert gathered(places).servers == {
        "time": TIME,
        "db": {"command": "db"},
        "db-claude-code": {"command": "db2", "cwd": "/src/app"},
        "db-cursor": {"url": "https://db.example/mcp"},
        "wind": {"url": "https://wind.example/mcp", "disabled": True},
        "gem": {"url": "https://gem.example/mcp", "timeout": 5.0},
        "gemsse": {"url": "https://gem.example/sse", "type": "sse"},
        "cod": {
            "command": "cod",
            "args": ["-v"],
            "env": {"COD_TOKEN": "${COD_TOKEN}"},
            "timeout": 20,
        },
        "codweb": {
            "url": "https://cod.example/mcp",
            "headers": {"Authorization": "Bearer ${CODWEB_TOKEN}"},
            "disabled": True,
        },
        "lm": {"command": "lm"},
        "cont": {"command": "cont"},
        "contweb": {"url": "https://cont.example/mcp", "headers": {"X-Key": "k"}, "type": "http"},
        "gh": {
            "url": "https://gh.example/mcp",
            "headers": {"Authorization": "Bearer ${GH_TOKEN}"},
            "type": "http",
        },
        "old": {"command": "old"},
        "cli": {"url": "https://cli.example/sse", "type": "sse"},
        "zed": {"command": "zed-server", "args": ["a"], "env": {"A": "b"}},
        "zednew": {"command": "zed2", "disabled": True},
        "goo": {"command": "goo", "args": ["x"], "env": {"GOO_KEY": "${GOO_KEY}", "A": "b"}},
        "gooweb": {"url": "https://goo.example/mcp", "type": "http", "timeout": 300},
        "open": {"command": "open", "args": ["-x"], "env": {"A": "b"}},
        "proj": {"command": "./run", "cwd": str(project)},
        "here": {"command": "x", "args": [f"{project}/a"], "cwd": str(project)},
    }


def test_everything_found_is_accounted_for(places: Places) -> None:
    lines = gathered(places).lines
    said = {(one.client, one.server, one.outcome) for one in lines}
    assert ("Claude Code", "time", "same") in said
    assert ("Claude Code", "db", "renamed") in said
    assert ("Cursor", "db", "renamed") in said
    assert ("Cline", "cli", "taken") in said
    assert ("Copilot CLI", "me", "itself") in said
    assert ("Kiro", None, "unreadable") in said
    assert ("Amazon Q", None, "none") in said
    files = {str(one.path) for one in sources(places) if one.path.is_file()}
    assert {one.path for one in lines} == files
    assert [one.detail for one in lines if one.outcome == "unreadable"] == [
        "line 1: The key broken has no quotes."
    ]


def test_the_same_files_give_the_same_result_and_stay_as_they_were(places: Places) -> None:
    before = {path: path.read_bytes() for path in places.home.rglob("*") if path.is_file()}
    assert gathered(places) == gathered(places)
    after = {path: path.read_bytes() for path in places.home.rglob("*") if path.is_file()}
    assert before == after


@pytest.mark.parametrize("name", ["all.json", "all.yaml"])
def test_what_is_written_loads(places: Places, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    write(target, written(gathered(places).servers, target.suffix), force=False)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    environ = {"COD_TOKEN": "a", "CODWEB_TOKEN": "b", "GH_TOKEN": "c", "GOO_KEY": "d"}
    found = examine(target, {"PATH": os.environ["PATH"], **environ})
    assert {one.id for one in found.findings if one.severity == "error"} <= {"path-missing"}
    (here,) = [one for one in found.findings if one.severity == "error"]
    assert "/src/app" in here.summary


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        write(target, "theirs", force=False)
    assert target.read_text() == "mine"
    write(target, "theirs", force=True)
    assert target.read_text() == "theirs"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("platform", "environ", "path"),
    [
        ("darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
        ("darwin", {}, "Library/Application Support/Code/User/mcp.json"),
        ("darwin", {}, ".config/zed/settings.json"),
        ("linux", {}, ".config/Code - Insiders/User/mcp.json"),
        ("linux", {"XDG_CONFIG_HOME": "/home/me/xdg"}, "xdg/VSCodium/User/mcp.json"),
        ("win32", {}, "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("win32", {"APPDATA": "/home/me/App"}, "App/Block/goose/config/config.yaml"),
        ("win32", {}, ".claude.json"),
    ],
)
def test_places_by_platform(platform: str, environ: dict[str, str], path: str) -> None:
    places = Places.of({"HOME": "/home/me", **environ}, platform, Path("/work"))
    assert Path("/home/me") / path in [one.path for one in sources(places)]


def test_profiles_of_an_editor_are_found(tmp_path: Path) -> None:
    profile = ".config/Code/User/profiles/abc/mcp.json"
    lay_out(tmp_path, {profile: '{"servers": {"p": {"command": "p"}}}'})
    places = Places.of({"HOME": str(tmp_path)}, "linux", tmp_path)
    assert gathered(places).servers == {"p": {"command": "p"}}


shapes: list[Shape] = [
    "mcpServers", "servers", "claude-code", "vscode-settings", "zed", "gemini", "continue",
    "goose", "codex", "opencode",
]  # fmt: skip
keys = st.sampled_from(
    ["mcpServers", "servers", "projects", "mcp", "context_servers", "extensions", "mcp_servers",
     "command", "url", "args", "env", "name", "cmd", "envs", "env_keys", "timeout", "type"]
)  # fmt: skip
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


@given(st.sampled_from(shapes), st.dictionaries(keys, odd, max_size=4) | odd)
def test_odd_files_never_raise(shape: Shape, content: object) -> None:
    for name, entry in entries(shape, content):
        assert isinstance(name, str)
        assert ("command" in entry) != ("url" in entry)
