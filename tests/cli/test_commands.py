"""The commands that start no gateway, as processes: output, exit codes, manners."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate import __version__
from lockgate.build import kind
from lockgate.cli.exits import EXITS
from tests.cli.program import COMMAND, Terminal, config_file, environment, run, tiny

SLOW = {"pydantic", "rich", "asyncio", "msgspec", "cryptography", "uvloop", "lockgate.config.model"}
"""What takes longer to import than all that `--version` needs."""


def test_version_is_instant() -> None:
    # What takes time at the start is what is imported: that is counted, and no clock is looked at.
    told = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
    done = subprocess.run(
        [*COMMAND[:-1], told + COMMAND[-1], "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout == f"lockgate, version {__version__}, {kind()}\n"
    imported = set(done.stderr.split())
    assert "lockgate.cli.main" in imported
    assert not imported & SLOW
    assert len(imported) < 250


def test_the_package_runs_as_the_program() -> None:
    told = [
        subprocess.run(
            [*start, "--help"], capture_output=True, text=True, check=True, env=environment()
        ).stdout
        for start in (COMMAND, [sys.executable, "-m", "lockgate"])
    ]
    assert told[0] == told[1]
    assert told[0].startswith("Usage: lockgate")


def test_version_and_help_import_nothing_heavy() -> None:
    heavy = ("pydantic", "rich", "uvloop", "asyncio", "ruamel", "cryptography", "lockgate.gateway")
    code = (
        "import sys; from lockgate.cli.main import run; run(['--help']); run(['--version']); "
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stderr == "[]\n"
    for command in ("up", "tools", "call", "config", "completion"):
        assert f"  {command} " in done.stdout
    for code_, meaning in EXITS.items():
        assert f"{code_}  {meaning}" in " ".join(done.stdout.split()).replace(
            f"{code_} ", f"{code_}  "
        )


@pytest.mark.parametrize(
    "args", [["up"], ["tools"], ["call"], ["config", "import"], ["completion"]]
)
def test_every_command_has_help(args: list[str]) -> None:
    done = run(*args, "-h")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: lockgate ")


def test_a_misspelt_command_gets_a_suggestion() -> None:
    done = run("confg", "check")
    assert done.returncode == 2
    assert "Did you mean 'config'?" in done.stderr


def test_check_of_a_good_file(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"a": {"command": "env"}, "b": {"disabled": True}})
    done = run("config", "check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path} is usable: 1 server, 1 disabled.\n"


def test_check_of_a_bad_file(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"a": {"comand": "sh", "env": {"A": "${GONE}"}}}, prot=1)
    done = run("config", "check", path)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "error: The key 'comand' of server 'a' is not known.",
        f"  at {path}:1:23  [LG-806 unknown-key]",
        "  → Did you mean 'command'?",
        "error: The environment variable GONE is not set.",
        f"  at {path}:1:52  [LG-810 variable-missing]",
        "  → Set GONE before starting, or write a default: ${GONE:-…}.",
        "error: The key 'prot' of `lockgate` is not known.",
        f"  at {path}:1:79  [LG-806 unknown-key]",
        "  → Did you mean 'port'?",
        "3 errors",
    ]
    machine = run("config", "check", path, "--json")
    assert machine.returncode == 2
    first = json.loads(machine.stdout)[0]
    assert first["id"] == "unknown-key"
    assert (first["line"], first["column"]) == (1, 23)


def test_check_says_what_a_careful_reader_would_ask(tmp_path: Path) -> None:
    refused = tmp_path / "not-executable"
    refused.touch()
    servers = {
        "shell": {"command": "sh", "args": ["-c", "x"]},
        "text": {"command": sys.executable, "args": ["-c", "x"]},
        "newest": {"command": "npx", "args": ["-y", "@acme/server"]},
        "pinned": {"command": "npx", "args": ["-y", "@acme/server@1.2.3"]},
        "file": {"command": str(refused)},
        "folder": {"command": str(tmp_path)},
        "gone": {"command": "no-such-program"},
        "remote": {"url": "http://127.0.0.1:9/mcp"},
    }
    done = run("config", "check", config_file(tmp_path, servers), "--json", PATH="/nowhere")
    assert done.returncode == 0
    found = {(one["id"], one["summary"].split("'")[1]): one for one in json.loads(done.stdout)}
    assert set(found) == {
        ("command-missing", "shell"),
        ("shell", "shell"),
        ("inline-code", "text"),
        ("command-missing", "newest"),
        ("unpinned-package", "newest"),
        ("command-missing", "pinned"),
        ("command-missing", "file"),
        ("command-missing", "folder"),
        ("command-missing", "gone"),
    }
    assert all(one["line"] and one["remedy"] for one in found.values())
    assert "chmod +x" in found["command-missing", "file"]["remedy"]
    assert "is a directory" in found["command-missing", "folder"]["summary"]
    assert "is not on PATH" in found["command-missing", "gone"]["summary"]
    assert "nodejs.org" in found["command-missing", "newest"]["remedy"]


@pytest.mark.parametrize(
    "args",
    [
        ["up", "{bad}"],
        ["tools", "{bad}"],
        ["call", "{bad}", "x"],
        ["up", "no-such-file"],
        ["up", "{good}", "--host", "0.0.0.0"],
        ["up", "{good}", "--port", "x"],
        ["call", "{good}", "nothing"],
        ["call", "{good}", "add", "a=x"],
    ],
)
def test_with_json_logs_what_is_wrong_is_json(args: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    bad = config_file(tmp_path / "bad", {"a": {"comand": "sh"}})
    good = config_file(tmp_path, {"tiny": tiny()})
    words = [word.format(bad=bad, good=good) for word in args]
    done = run(*words, "--log-format", "json")
    assert done.returncode == 2
    assert done.stdout == ""
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert [record["level"] for record in records] == ["error"]
    assert records[0]["remedy"]
    if "{bad}" in args:
        assert records[0]["finding"] == "unknown-key"
        assert records[0]["place"].startswith(f"{bad}:1:")


@pytest.mark.parametrize("command", ["up", "tools", "call"])
def test_no_command_starts_with_a_bad_file(command: str, tmp_path: Path) -> None:
    path = config_file(tmp_path, {"a": {"comand": "sh"}})
    done = run(command, path, *(["x"] if command == "call" else []))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Did you mean 'command'?" in done.stderr


def test_show_masks(tmp_path: Path) -> None:
    server = tiny(env={"API_KEY": "planted", "OTHER": "${PLANTED}"})
    path = config_file(tmp_path, {"a": server})
    done = run("config", "show", path, "--json", PLANTED="planted-too")
    assert done.returncode == 0
    assert "planted" not in done.stdout + done.stderr
    shown = json.loads(done.stdout)
    assert shown["servers"]["a"]["env"] == {"API_KEY": "********", "OTHER": "${PLANTED}"}
    assert "port: 4040" in run("config", "show", path, PLANTED="x").stdout


def test_schema() -> None:
    done = run("config", "schema")
    assert json.loads(done.stdout)["title"] == "Lockgate configuration"


def test_import(tmp_path: Path) -> None:
    (tmp_path / ".cursor").mkdir()
    source = tmp_path / ".cursor" / "mcp.json"
    source.write_text('{"mcpServers": {"time": {"command": "sh", "env": {"KEY": "planted"}}}}')
    target = tmp_path / "all.json"
    arguments = ("config", "import", target, "--project", tmp_path)
    dry = run(*arguments, "--dry-run", HOME=str(tmp_path))
    assert dry.returncode == 0
    assert not target.exists()
    done = run(*arguments, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"Cursor  {source}\n  time: imported\n" in done.stderr
    assert "readable by you only" in done.stderr
    assert "planted" not in done.stderr + done.stdout
    assert json.loads(target.read_text())["mcpServers"]["time"]["env"] == {"KEY": "planted"}
    again = run(*arguments, HOME=str(tmp_path))
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert run(*arguments, "--force", HOME=str(tmp_path)).returncode == 0
    machine = run(*arguments, "--dry-run", "--json", HOME=str(tmp_path))
    assert json.loads(machine.stdout)["servers"] == ["time"]


def test_import_finds_nothing(tmp_path: Path) -> None:
    done = run("config", "import", tmp_path / "x.json", "--project", tmp_path, HOME=str(tmp_path))
    assert done.returncode == 1
    assert "No servers were found" in done.stderr
    assert "--project" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_LOCKGATE_COMPLETE" in run("completion", shell).stdout
    words = {"COMP_WORDS": "lockgate co", "COMP_CWORD": "co" if shell == "fish" else "1"}
    done = run(_LOCKGATE_COMPLETE=f"{shell}_complete", **words)
    assert "config" in done.stdout
    assert "completion" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_colours_are_for_terminals_that_want_them(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"a": {"comand": "sh"}})
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        terminal = Terminal("config", "check", path, **environ)
        shown = terminal.read_all()
        assert terminal.end() == 2
        assert "Did you mean 'command'?" in shown
        assert ("\x1b[" in shown) == coloured


def test_a_closed_pipe_ends_it_silently() -> None:
    child = subprocess.Popen(
        [*COMMAND, "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait(60) == 1
    child.stderr.close()
