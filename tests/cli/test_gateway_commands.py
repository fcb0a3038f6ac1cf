"""`up`, `tools` and `call` with real servers, as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.program import COMMAND, PATIENCE, Terminal, config_file, environment, run, tiny

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")


def test_tools(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    done = run("tools", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:3] == ["add a*:integer b:integer", "    Adds. …", "fail"]
    machine = run("tools", path, "--json")
    assert [one["name"] for one in json.loads(machine.stdout)][:2] == ["add", "fail"]


def test_tools_of_many_servers_of_which_one_is_down(tmp_path: Path) -> None:
    servers = {"one": tiny(), "down": {"command": "false"}, "off": {"disabled": True}}
    done = run("tools", config_file(tmp_path, servers))
    assert done.returncode == 3
    assert done.stdout.startswith("one__add ")
    assert "down is not ready" in done.stderr


def test_no_server_at_all(tmp_path: Path) -> None:
    done = run("tools", config_file(tmp_path, {"down": {"command": "false"}}))
    assert done.returncode == 3
    assert "No server is ready" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (["add", "a=1", "b=2"], 0, "3\n", ""),
        (["add", "--args", '{"a": 4}'], 0, "4\n", ""),
        (["fail"], 4, "it did not work\n", "error: fail reported an error.\n"),
        (["add", "a=x"], 2, "", "a: 'x' is no integer."),
        (["add"], 2, "", "Required and not given: a."),
        (["ad"], 2, "", "Did you mean 'add'?"),
        (["add", "--args", "["], 2, "", "--args is no JSON"),
        (["colour"], 0, "\\x1b[31mred\\x1b[0m [bold]not markup[/bold]\n", ""),
    ],
)
def test_call(words: list[str], code: int, out: str, err: str, tmp_path: Path) -> None:
    # What hidden characters would do to a terminal is seen where the gateway lets them pass.
    guard = {"results": {"characters": "off"}}
    done = run("call", config_file(tmp_path, {"tiny": tiny()}, guard=guard), *words)
    assert (done.returncode, done.stdout) == (code, out)
    assert err in done.stderr
    assert bool(err) == bool(done.stderr)


def test_call_shows_structured_results_as_tables_and_json_as_given(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    table = run("call", path, "rows").stdout
    assert [line.split() for line in table.splitlines() if line.strip()][0::2] == [
        ["name", "size"], ["x", "1"],
    ]  # fmt: skip
    assert "{" not in table
    machine = json.loads(run("call", path, "rows", "--json").stdout)
    assert machine["structuredContent"]["rows"][1] == {"name": "y", "size": 2}


def test_call_starts_only_the_server_it_needs(tmp_path: Path) -> None:
    note = tmp_path / "started"
    script = f"touch {note}; exec sleep 60"
    servers = {"one": tiny(), "two": {"command": "sh", "args": ["-c", script]}}
    done = run("call", config_file(tmp_path, servers), "one__add", "a=1")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert not note.exists()


@pytest.mark.parametrize("words", [("tools",), ("call", "away__x")])
def test_why_a_server_that_starts_when_needed_did_not_is_said(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    away = {"url": "http://127.0.0.1:1/mcp", "start": "lazy"}
    command, *rest = words
    done = run(command, config_file(tmp_path, {"away": away}), *rest)
    assert done.returncode == 3
    assert "away is not ready: http://127.0.0.1:1 refuses connections" in done.stderr
    assert "Start the server" in done.stderr


@POSIX
def test_progress_is_shown_in_a_terminal_and_not_in_a_pipe(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    terminal = Terminal("call", path, "slow")
    assert "step 2" in terminal.read_until("step 2")
    assert "done" in terminal.read_all()
    assert terminal.end() == 0
    done = run("call", path, "slow")
    assert (done.stdout, done.stderr) == ("done\n", "")


@POSIX
def test_an_interrupted_call_leaves_nothing_behind(tmp_path: Path) -> None:
    terminal = Terminal("call", config_file(tmp_path, {"tiny": tiny()}), "slow")
    terminal.read_until("step 0")
    os.kill(terminal.child.pid, signal.SIGINT)
    assert "Interrupted." in terminal.read_all()
    assert terminal.end() == 130


@contextmanager
def up(*args: object, **environ: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [*COMMAND, "up", *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**environ),
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=PATIENCE)


def read_until(child: subprocess.Popen[str], text: str) -> list[str]:
    assert child.stderr is not None
    lines: list[str] = []
    for line in child.stderr:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was not said: {lines}")


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_serves_until_it_is_told_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny(), "down": {"command": "false"}})
    with up(path, "--port", 0, "--log-level", "error") as child:
        lines = read_until(child, "servers ready")
        url = lines[0].removeprefix("Lockgate listens at ")
        assert lines[1].startswith("server tiny: ready transport=stdio era=handshake tools=5 time=")
        assert lines[2].split()[2] in ("failed", "retrying", "starting")
        assert lines[-1] == "1 of 2 servers ready, 5 tools"
        with urllib.request.urlopen(  # noqa: S310 - our own http URL
            url.removesuffix("mcp") + "ready", timeout=10
        ) as ready:
            assert json.load(ready)["status"] == "serving"
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    assert out == ""
    assert err.splitlines()[-1] == "Stopped."


@POSIX
def test_with_json_logs_every_line_is_json(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()}, host="0.0.0.0")
    with up(path, "--port", 0, "--log-format", "json", "--insecure-bind") as child:
        lines = read_until(child, "1 of 1 server ready")
        child.send_signal(signal.SIGTERM)
        lines += child.communicate(timeout=PATIENCE)[1].splitlines()
    records = [json.loads(line) for line in lines]
    messages = [record["message"] for record in records]
    assert messages[0].startswith("listening on 0.0.0.0 without authentication")
    assert {"listening", "server", "stopping", "stopped"} <= set(messages)
    (server,) = [record for record in records if record["message"] == "server"]
    assert (server["server"], server["state"], server["tools"]) == ("tiny", "ready", 5)


@POSIX
def test_up_in_a_terminal_shows_a_table(tmp_path: Path) -> None:
    terminal = Terminal("up", config_file(tmp_path, {"tiny": tiny()}), "--port", 0, NO_COLOR="1")
    shown = terminal.read_until("1 of 1 server ready")
    rows = [line.split() for line in shown.splitlines()]
    assert ["server", "transport", "era", "state", "tools", "time"] in rows
    assert ["tiny", "stdio", "handshake", "ready", "5"] in [row[:5] for row in rows]
    os.kill(terminal.child.pid, signal.SIGTERM)
    assert "Stopped." in terminal.read_all()
    assert terminal.end() == 0


@POSIX
def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()}, shutdown_grace=60)
    with up(path, "--port", 0) as child:
        url = read_until(child, "listens")[0].removeprefix("Lockgate listens at ")
        host, port = url.removeprefix("http://").removesuffix("/mcp").split(":")
        read_until(child, "server ready")
        with socket.create_connection((host, int(port))) as waiting:
            # half a request keeps the drain waiting
            waiting.sendall(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n{")
            child.send_signal(signal.SIGTERM)
            read_until(child, "Stopping")
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=60)
    assert child.returncode in (0, 130)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_listening_beyond_this_machine_is_refused(host: str, tmp_path: Path) -> None:
    done = run("up", config_file(tmp_path, {"tiny": tiny()}), "--host", host, "--port", 0)
    assert done.returncode == 2
    assert "no authentication" in done.stderr
    assert "--insecure-bind" in done.stderr


@pytest.mark.parametrize("host", ["no.such.invalid", "a" * 64, "a..b"])
def test_a_name_that_does_not_resolve_is_said_not_to(host: str, tmp_path: Path) -> None:
    done = run("up", config_file(tmp_path, {"tiny": tiny()}), "--host", host, "--port", 0)
    assert done.returncode == 1
    assert f"Cannot listen on {host}: the name does not resolve." in done.stderr
    assert "--insecure-bind" not in done.stderr


def test_a_host_in_the_file_is_refused_too(tmp_path: Path) -> None:
    done = run("up", config_file(tmp_path, {"tiny": tiny()}, host="0.0.0.0", port=0))
    assert done.returncode == 2


@POSIX
def test_insecure_bind_is_loud(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    with up(path, "--host", "0.0.0.0", "--port", 0, "--insecure-bind") as child:
        lines = read_until(child, "listens")
        assert lines[0].startswith("WARNING: listening on 0.0.0.0 without authentication")
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=PATIENCE)
    assert child.returncode == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("up", config_file(tmp_path, {"tiny": tiny()}), "--port", port)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "--port" in done.stderr


CONVERSATION = "".join(
    json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    for message in (
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1}}},
    )
)


def test_stdio_has_nothing_but_protocol_on_stdout(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    done = run("up", path, "--stdio", "--log-level", "debug", stdin=CONVERSATION)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in answers] == [1, 2]
    assert answers[1]["result"]["content"] == [{"type": "text", "text": "1"}]


def test_stdio_takes_files_as_well_as_pipes(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    (tmp_path / "in").write_text(CONVERSATION)
    with (tmp_path / "in").open() as stdin, (tmp_path / "out").open("w") as stdout:
        done = subprocess.run(
            [*COMMAND, "up", str(path), "--stdio"],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
            env=environment(),
        )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out").read_text().splitlines()) == 2


def test_secrets_are_in_no_log(tmp_path: Path) -> None:
    server = tiny(env={"API_KEY": "planted-secret-value"})
    path = config_file(tmp_path, {"tiny": server})
    for form in ("text", "json"):
        done = run(
            "up", path, "--stdio", "--log-level", "debug", "--log-format", form, stdin=CONVERSATION
        )
        assert "planted" not in done.stderr + done.stdout
    for line in done.stderr.splitlines():
        json.loads(line)
