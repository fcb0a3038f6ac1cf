"""`up` with a configuration that changes, as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.cli.program import COMMAND, PATIENCE, Terminal, config_file, environment, tiny
from tests.cli.test_gateway_commands import POSIX, read_until, up
from tests.fronts.served import run as run_async
from tests.gateway.reloading import alive, who
from tests.gateway.reloading import child as labelled

pytestmark = POSIX


def children(of: int) -> set[int]:
    """The servers a gateway has started, without the one that watches over them."""
    found = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return {
        int(one) for one in found if b"tiny_server" in Path(f"/proc/{one}/cmdline").read_bytes()
    }


def ready(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("mcp") + "ready", timeout=10) as answer:  # noqa: S310 - our own http URL
        return json.load(answer)


def started(child: subprocess.Popen[str]) -> str:
    lines = read_until(child, "ready")
    while "server" not in lines[-1]:
        lines += read_until(child, "ready")
    return next(line for line in lines if "listens" in line).removeprefix("Lockgate listens at ")


def eventually(what: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.02)


def stop(child: subprocess.Popen[str]) -> str:
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    return said


def test_a_changed_file_is_taken_over(tmp_path: Path) -> None:
    # On first use servers are asked as other clients would, for which they get more processes.
    path = config_file(tmp_path, {"one": tiny(), "two": tiny()}, pins="off")
    with up(path, "--port", 0) as child:
        url = started(child)
        before = children(child.pid)
        assert len(before) == 2
        servers = {"one": tiny(), "two": tiny(env={"API_KEY": "x"}), "three": tiny()}
        config_file(tmp_path, servers, pins="off")
        said = read_until(child, "reloaded")
        assert said[-1].endswith("added three; changed two; 1 unchanged.")
        eventually(lambda: len(children(child.pid)) == 3)
        assert len(children(child.pid) & before) == 1
        now = ready(url)
        assert set(now["servers"]) == {"one", "two", "three"}
        assert now["reload"]["status"] == "applied"
        config_file(tmp_path, {"one": tiny()})
        read_until(child, "removed two, three")
        eventually(lambda: len(children(child.pid)) == 1)
        assert children(child.pid) < before
        stop(child)
    assert not any(alive(one) for one in before)


def test_an_invalid_file_is_refused_and_the_next_valid_one_taken(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": tiny()})
    with up(path, "--port", 0) as child:
        url = started(child)
        before = children(child.pid)
        path.write_text('{"mcpServers": {"one": {"command": 5}, "two"')
        lines = read_until(child, "refused")
        assert any(line.startswith("error: ") for line in lines)
        assert any(f"at {path}:1:" in line for line in lines)
        now = ready(url)
        assert (now["status"], now["reload"]["status"]) == ("serving", "refused")
        assert now["reload"]["errors"] >= 1
        config_file(tmp_path, {"one": tiny(), "two": tiny()}, page_size=5)
        lines = read_until(child, "lockgate.page_size")
        assert any("added two" in line for line in lines)
        assert "next start" in lines[-1]
        assert before < children(child.pid)
        assert ready(url)["reload"]["status"] == "applied"
        stop(child)


def test_an_env_file_counts_as_part_of_the_configuration(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("API_KEY=planted-one")
    path = config_file(tmp_path, {"one": tiny(envFile=".env")})
    with up(path, "--port", 0, "--log-level", "debug") as child:
        started(child)
        env.write_text("API_KEY=planted-two")
        said = read_until(child, "changed one")
        said += stop(child).splitlines()
    assert "tiny server runs" in "\n".join(said)
    assert "planted" not in "\n".join(said)


@pytest.mark.parametrize("mode", ["watch", "signal"])
def test_sighup_has_the_file_read_at_once(mode: str, tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": tiny()}, reload=mode)
    with up(path, "--port", 0, "--log-format", "json") as child:
        read_until(child, "1 of 1 server ready")
        config_file(tmp_path, {"one": tiny(), "two": tiny()}, reload=mode)
        child.send_signal(signal.SIGHUP)
        told = json.loads(read_until(child, '"reloaded"')[-1])
        assert (told["kept"], told["added"]) == (["one"], ["two"])
        child.send_signal(signal.SIGHUP)
        assert json.loads(read_until(child, '"reloaded"')[-1])["kept"] == ["one", "two"]
        for line in stop(child).splitlines():
            json.loads(line)


def test_new_servers_are_shown_as_they_stand(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": tiny()})
    with up(path, "--port", 0, "--log-level", "error") as child:
        started(child)
        config_file(tmp_path, {"one": tiny(), "two": {"command": "no-such-program"}})
        assert any("added two" in line for line in read_until(child, "server two: "))
        stop(child)


def test_over_stdio_the_file_is_watched_and_sighup_ends_it(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": tiny()})
    command = [*COMMAND, "up", str(path), "--stdio"]
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, env=environment(), **pipes) as child:
        read_until(child, "1 of 1 server ready")
        config_file(tmp_path, {"one": tiny(), "two": tiny()})
        assert "two" in read_until(child, "reloaded")[-1]
        child.send_signal(signal.SIGHUP)
        child.communicate(timeout=PATIENCE)
    assert child.returncode == 0


def test_no_call_fails_under_load(tmp_path: Path) -> None:
    async def play(port: int, gateway: subprocess.Popen[str]) -> None:
        stopping = asyncio.Event()
        clients = [Client(port, "LM"[number % 2]) for number in range(64)]
        pids: set[int] = set()
        labels: set[str] = set()

        async def at_work(client: Client) -> None:
            await client.open()
            while not stopping.is_set():
                pids.add((await who(client, "kept"))["pid"])
                labels.add((await who(client, "changing"))["label"])
                client.streams.clear()

        workers = [asyncio.create_task(at_work(client)) for client in clients]
        for number in range(6):
            servers = {"kept": labelled("kept"), "changing": labelled(f"label {number}")}
            config_file(tmp_path, servers, naming="prefix", pins="off")
            gateway.send_signal(signal.SIGHUP)
            label = f"label {number}"
            # What is waited for has no event of its own.
            while label not in labels and not any(one.done() for one in workers):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.01)
        stopping.set()
        await asyncio.gather(*workers)
        assert len(pids) == 1
        for client in clients:
            client.close()

    servers = {"kept": labelled("kept"), "changing": labelled("first")}
    path = config_file(tmp_path, servers, naming="prefix", reload="signal")
    with up(path, "--port", 0, "--log-level", "error") as gateway:
        url = started(gateway)
        run_async(play(int(url.split(":")[2].removesuffix("/mcp")), gateway), 60)
        stop(gateway)


def test_what_is_switched_off_ends_as_it_did(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"one": tiny()}, reload="off")
    with up(path, "--port", 0) as child:
        started(child)
        child.send_signal(signal.SIGHUP)
        child.communicate(timeout=PATIENCE)
    assert child.returncode == 0


def test_a_terminal_that_hangs_up_ends_it(tmp_path: Path) -> None:
    terminal = Terminal("up", config_file(tmp_path, {"one": tiny()}), "--port", 0)
    terminal.read_until("1 of 1 server ready")
    os.kill(terminal.child.pid, signal.SIGHUP)
    assert "Stopped." in terminal.read_all()
    assert terminal.end() == 0
