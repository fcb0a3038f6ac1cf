"""`up` in front of programs in trouble: what is said about them, what is left of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.cli.program import COMMAND, PATIENCE, config_file, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

Json = dict[str, Any]
FRAIL = Path(__file__).parents[1] / "gateway" / "frail_server.py"
TOKEN = "a-token-nobody-may-see"
PASSWORD = "a-password-nobody-may-see"
LOOP: Json = {"deaths": 3, "within": "1m", "pause": "1m"}

ORPHANS = """
import os, sys, time
# Started as a daemon: its parent ends at once, so that whoever adopts orphans has it.
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.1)
        os._exit(0)
    os.wait()
"""


def frail(folder: Path, **more: Any) -> Json:
    env = {"TOKEN": TOKEN, "DATABASE_URL": f"postgres://me:{PASSWORD}@db/notes"}
    args = ["-I", "-S", str(FRAIL), str(folder)]
    return {"command": sys.executable, "args": args, "env": env, **more}


class Program:
    """`lockgate up`, and all it has written to stderr so far."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.said = ""
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.said += line

    def until(self, ready: Callable[[], object]) -> None:
        ends = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < ends, self.said
            assert self.child.poll() is None, self.said
            time.sleep(0.02)

    def until_said(self, text: str) -> None:
        self.until(lambda: text in self.said)

    @property
    def base(self) -> str:
        self.until_said("listens at ")
        return self.said.split("listens at ")[1].split()[0].removesuffix("/mcp")

    def ready(self) -> Json:
        try:
            url = self.base + "/ready"
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def call(self, tool: str) -> str:
        """The whole answer to a call, as text."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": tool, "arguments": {}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        request = urllib.request.Request(  # noqa: S310 - our own
            self.base + "/mcp",
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "tools/call",
                "Mcp-Name": tool,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
                return answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.read().decode()

    def end(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(PATIENCE)
        self._reading.join(PATIENCE)
        return code


@contextmanager
def up(
    *args: object, before: Sequence[str] = (), command: Sequence[str] = COMMAND
) -> Iterator[Program]:
    child = subprocess.Popen(
        [*before, *command, "up", *map(str, args), "--port", "0"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    try:
        yield Program(child)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(PATIENCE)


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_owner_is_told_what_it_last_said_and_nobody_its_secrets(
    style: str, tmp_path: Path
) -> None:
    path = config_file(tmp_path, {"frail": frail(tmp_path, crash_loop=LOOP)})
    (tmp_path / "ill").touch()
    with up(path, "--log-level", "debug", "--log-format", style) as it:
        if style == "json":
            it.until_said('"url"')
        it.until_said("is crash-looping")
        told = [line for line in it.said.splitlines() if "is crash-looping" in line]
        assert len(told) == 1
        assert "no such table: users" in told[0]
        assert "LG-615" in told[0]
        if style == "text":
            shown = it.ready()
            assert shown["servers"]["frail"]["state"] == "crash-looping"
            assert shown["servers"]["frail"]["code"] == "LG-615"
            assert shown["status"] == "down"
            everything = json.dumps(shown) + (answer := it.call("who"))
            assert json.loads(answer)["error"]["data"]["reason"] == "crash-looping"
            assert "no such table" not in everything
            assert TOKEN not in everything
        assert it.end() == 0
        assert "no such table: users" in it.said
        assert TOKEN not in it.said
        assert PASSWORD not in it.said


def test_the_start_up_table_says_crash_looping(tmp_path: Path) -> None:
    """A server that is late has its line when it is there, or when it is given up."""
    rule = {**LOOP, "deaths": 1}
    path = config_file(tmp_path, {"frail": frail(tmp_path, crash_loop=rule)})
    (tmp_path / "ill").touch()
    with up(path) as it:
        it.until_said("0 of 1 server ready")
        assert "server frail: crash-looping transport=stdio" in it.said
        assert "frail: it ended by itself; the last time: it ended with code 7" in it.said
        assert "[LG-615]" in it.said
        assert "no such table: users" in it.said
        assert TOKEN not in it.said
        assert it.end() == 0


def children(pid: int) -> dict[int, str]:
    """The state of each child of a process."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found[int(entry.name)] = fields[0]
    return found


UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


def can_unshare() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_unshare(), reason="nothing here makes a first process")
def test_as_the_first_process_it_buries_whom_it_never_started(tmp_path: Path) -> None:
    """As in a container: what loses its parents becomes its child."""
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS + f"exec(open({str(FRAIL)!r}).read())\n")
    server = {"command": sys.executable, "args": ["-I", "-S", str(script), str(tmp_path)]}
    with up(config_file(tmp_path, {"frail": server}), before=UNSHARE) as it:
        it.until_said("1 of 1 server ready")
        [first] = children(it.child.pid)
        it.until(lambda: "Z" in children(first).values())
        it.until(lambda: "Z" not in children(first).values())
        # Its own children are not taken for others.
        assert '"pid"' in it.call("who")
        assert "upstream-lost" in it.call("die")
        it.until(lambda: '"pid"' in it.call("who"))
        assert "ended with code 7" in it.said
        os.kill(first, signal.SIGTERM)
        assert it.child.wait(PATIENCE) == 0


DEAF = """
import socket, time
from lockgate.cli.main import main
known = socket.getaddrinfo
def asked(host, *args, **more):
    return time.sleep(600) if host == "nowhere.example" else known(host, *args, **more)
socket.getaddrinfo = asked
main()
"""


@pytest.mark.parametrize("url", ["http://nowhere.example/mcp", "ws://nowhere.example/mcp"])
def test_a_name_server_that_does_not_answer_holds_up_nothing(url: str, tmp_path: Path) -> None:
    servers = {"nowhere": {"url": url, "connect_timeout": 0.5}, "frail": frail(tmp_path)}
    path = config_file(tmp_path, servers)
    with up(path, command=[sys.executable, "-c", DEAF]) as it:
        it.until_said("nowhere: connecting to")
        assert "LG-705" in it.said
        assert '"pid"' in it.call("frail__who")
        began = time.monotonic()
        assert it.end() == 0
        assert time.monotonic() - began < 60
