"""Signals at bad moments, streams that are closed or full, servers that are late."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.cli import running, session, up
from lockgate.cli.early import EARLY
from lockgate.cli.running import StopSignals
from lockgate.gateway.status import ServerStatus
from tests.cli.program import COMMAND, PATIENCE, config_file, environment, run, tiny

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and descriptors")


@pytest.fixture
def interrupted() -> Any:
    EARLY.came = True
    yield
    EARLY.came = False


@pytest.mark.usefixtures("interrupted")
def test_an_interrupt_that_was_swallowed_still_counts() -> None:
    began: list[str] = []

    async def work() -> None:
        began.append("work")

    with pytest.raises(KeyboardInterrupt):
        running.run(work())
    assert began == []


def test_an_interrupt_before_the_loop_listens_asks_for_an_end() -> None:
    async def work() -> bool:
        EARLY.came = True
        stopping = StopSignals(lambda: None)
        stopping.listen()
        return stopping.asked.is_set()

    assert running.run(work())
    assert not EARLY.came


@POSIX
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["tools {}", "call {} add a=1", "up {} --stdio"])
def test_closed_streams_harm_nothing(words: str, closed: str, tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *words.format(path).split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "tools", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=environment(),
        )
    assert done.returncode == 1
    assert done.stderr == "error: The output cannot be written: No space left on device.\n"


@POSIX
def test_stdio_ends_when_its_client_no_longer_reads(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [*COMMAND, "up", str(config_file(tmp_path, {"tiny": tiny()})), "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert child.stdin is not None
    assert child.stdout is not None
    ask = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    child.stdin.write(ask)
    child.stdin.flush()
    assert child.stdout.readline()
    child.stdout.close()
    child.stdin.write(ask)
    child.stdin.flush()
    assert child.wait(PATIENCE) == 0
    child.stdin.close()


class Slow:
    """A gateway of two servers, of which one is late."""

    def __init__(self) -> None:
        self.late = ["slow"]

    async def settled(self, seconds: float) -> bool:
        await asyncio.sleep(0)
        return not self.late

    def starting(self) -> list[str]:
        return list(self.late)

    def servers(self) -> list[ServerStatus]:
        slow = "connecting" if self.late else "ready"
        return [
            ServerStatus(name="quick", transport="stdio", phase="ready", tools=1, seconds=0.1),
            ServerStatus(name="slow", transport="http", phase=slow, tools=2, seconds=12.0),
        ]


def test_the_table_does_not_wait_for_the_slowest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TICK", 0.001)
    gateway: Any = Slow()

    async def work() -> None:
        stopping = StopSignals(lambda: None)
        late = await up._introduce(gateway, stopping, up.Spoken())
        assert late == ["slow"]
        gateway.late = []
        await up._follow(gateway, late, up.Spoken())

    asyncio.run(asyncio.wait_for(work(), 60))
    assert capsys.readouterr().err.splitlines() == [
        "server quick: ready transport=stdio era=- tools=1 time=0.10 s",
        "server slow: starting transport=http era=- tools=2 time=12.00 s",
        "1 of 2 servers ready, 3 tools",
        "Still starting: slow. The others serve meanwhile.",
        "server slow: ready transport=http era=- tools=2 time=12.00 s",
    ]


def test_every_server_that_failed_is_named(tmp_path: Path) -> None:
    servers = {"one": {"command": "false"}, "two": {"url": "http://127.0.0.1:9/mcp"}}
    done = run("tools", config_file(tmp_path, servers))
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "error: one is not ready: it ended with code 1  [LG-712]",
        "  → It said nothing on its standard error; run it by hand and look.",
        "error: two is not ready: http://127.0.0.1:9 refuses connections  [LG-702]",
        "  → Start the server, or correct the port in `url`.",
        "error: No server is ready.  [LG-925]",
    ]


def test_what_to_do_about_a_command_that_is_missing_is_said(tmp_path: Path) -> None:
    servers = {"gone": {"command": "uvx", "args": ["x"]}}
    done = run("tools", config_file(tmp_path, servers), PATH="/nowhere")
    why = "it could not be started: the command 'uvx' was not found on PATH"
    assert done.stderr.splitlines()[:2] == [
        f"error: gone is not ready: {why}  [LG-710]",
        "  → Install uv (https://docs.astral.sh/uv), which brings uvx.",
    ]


def test_a_port_that_is_refused_is_explained(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    arguments = ("up", path, "--insecure-bind", "--port", 0, "--host")
    for host, why in (
        ("no.such.invalid", "the name does not resolve"),
        ("192.0.2.1", "no such address"),
    ):
        done = run(*arguments, host)
        assert done.returncode == 1
        assert why in done.stderr
        assert "  → Correct the host." in done.stderr
