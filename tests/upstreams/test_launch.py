"""Finding the command of a server, and what is worth knowing about it before it runs."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from lockgate.upstreams.launch import SpawnFailed, launch_findings, refused, resolve
from lockgate.upstreams.spec import StdioSpec

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "text").write_text("x")
    return tmp_path


def test_the_command_is_looked_up_on_the_childs_own_path(folder: Path) -> None:
    spec = StdioSpec(command="program")
    assert resolve(spec, {"PATH": f"/nowhere:{folder}"}) == str(folder / "program")
    with pytest.raises(SpawnFailed):
        resolve(spec, {"PATH": "/nowhere"})
    with pytest.raises(SpawnFailed):
        resolve(spec, {})


def test_a_relative_command_is_relative_to_its_directory(folder: Path) -> None:
    spec = StdioSpec(command="./program", cwd=str(folder))
    assert Path(resolve(spec, {})).samefile(folder / "program")


def test_a_relative_entry_of_path_means_the_same_wherever_the_child_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "elsewhere").mkdir()
    spec = StdioSpec(command="program", cwd="elsewhere")
    assert resolve(spec, {"PATH": "."}) == str(folder / "program")


@pytest.mark.parametrize(
    ("command", "says", "remedy"),
    [
        ("npx", "not found on PATH", "Install Node.js (https://nodejs.org), which"),
        ("uvx", "not found on PATH", "Install uv (https://docs.astral.sh/uv), which"),
        ("no-such-thing", "not found on PATH", "Install it"),
        ("./missing", "was not found", "Correct command."),
        ("./text", "may not be run", "Make it executable"),
        (".//", "is a directory", "Correct command."),
        ("a\0b", "no argument can hold", "Correct command"),
        ("", "not found", "Install it"),
    ],
)
def test_what_cannot_be_found_says_why(folder: Path, command: str, says: str, remedy: str) -> None:
    with pytest.raises(SpawnFailed, match=says) as caught:
        resolve(StdioSpec(command=command, cwd=str(folder)), {"PATH": "/nowhere"})
    assert caught.value.remedy.startswith(remedy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cwd", ["missing", "text", "nul\0"])
def test_a_directory_that_is_none(folder: Path, cwd: str) -> None:
    with pytest.raises(SpawnFailed, match="Correct cwd"):
        resolve(StdioSpec(command="program", cwd=f"{folder}/{cwd}"), {"PATH": str(folder)})


@pytest.mark.parametrize("name", ["LD_PRELOAD", "ld_preload", "npm_config_shell"])
def test_an_environment_that_changes_code_is_refused_unless_it_is_meant(
    folder: Path, name: str
) -> None:
    where = {"PATH": str(folder)}
    env = {name: "secret-value"}
    with pytest.raises(SpawnFailed, match="allow_unsafe_env") as caught:
        resolve(StdioSpec(command="program", env=env), where)
    assert name in str(caught.value)
    assert "secret-value" not in str(caught.value)
    assert resolve(StdioSpec(command="program", env=env, allow_unsafe_env=True), where)


@pytest.mark.parametrize(
    "spec",
    [
        StdioSpec(command="program", env={"A": "secret\0value"}),
        StdioSpec(command="program", env={"A=B": "secret"}),
        StdioSpec(command="program", args=("secret\0",)),
        StdioSpec(command="program", args=("secret\ud800",)),
    ],
)
def test_what_the_system_would_cut_or_read_otherwise_is_refused(
    folder: Path, spec: StdioSpec
) -> None:
    with pytest.raises(SpawnFailed, match="can hold") as caught:
        resolve(spec, {"PATH": str(folder)})
    assert "secret" not in str(caught.value)


def test_the_systems_refusals_have_a_remedy() -> None:
    error = OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
    assert "interpreter" in refused("x", error).remedy
    assert refused("x", ValueError("secret")).remedy
    assert "secret" not in str(refused("x", ValueError("secret")))


def ids(command: str, *args: str) -> list[str]:
    return [finding.id for finding in launch_findings(StdioSpec(command=command, args=args))]


@pytest.mark.parametrize(
    "line",
    [
        "python -c print(1)",
        "/usr/bin/python3.12 -Sc print(1)",
        "python3 -cprint(1)",
        "python.exe -I -c print(1)",
        "node -e x",
        "node --eval=x",
        "node -pe x",
        "deno eval x",
        "perl -E x",
        "ruby -e x",
        "php -r x",
    ],
)
def test_code_as_text_is_found(line: str) -> None:
    assert ids(*line.split()) == ["inline-code"]


@pytest.mark.parametrize("line", ["sh -c x", "/bin/bash run.sh", "cmd.exe /c x", "pwsh x.ps1"])
def test_shells_are_found(line: str) -> None:
    assert ids(*line.split()) == ["shell"]


@pytest.mark.parametrize(
    "line",
    [
        "npx -y @modelcontextprotocol/server-memory",
        "npx -y server@latest",
        "npx -y server@^1.2.3",
        "npx -p server command",
        "npx.cmd --yes server",
        "uvx mcp-server-time",
        "uvx --python 3.12 mcp-server-time --local-timezone=UTC",
        "uvx --from mcp-server-time mcp-server-time",
        "uv tool run mcp-server-git",
        "uvx mcp-server-time@latest",
        "pipx run server",
        "pnpm dlx server",
        "bunx server",
    ],
)
def test_packages_without_a_version_are_found(line: str) -> None:
    assert ids(*line.split()) == ["unpinned-package"]


@pytest.mark.parametrize(
    "line",
    [
        "python server.py -c x",
        "python -m server -c x",
        "node server.js -e x",
        "node --enable-source-maps server.js",
        "npx -y @modelcontextprotocol/server-memory@2026.1.14",
        "npx --package=server@1.2.3 command",
        "uvx mcp-server-time@2026.1.26",
        "uvx --from mcp-server-time==2026.1.26 mcp-server-time",
        "uvx -p 3.12 mcp-server-time@2026.1.26",
        "uvx --from ./here server",
        "uvx --from git+https://host/repo server",
        "npx ./server",
        "npx",
        "uv run server.py",
        "uv --directory /x run server",
        "docker run --rm -i -e TOKEN image",
        "my-server -c config.json",
    ],
)
def test_ordinary_servers_are_left_alone(line: str) -> None:
    assert ids(*line.split()) == []
