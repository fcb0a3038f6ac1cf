"""Replicas that are processes of the official SDK: killed while they are read from, and started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess

import pytest

from lockgate.cli.table import show_servers
from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.upstreams.supervisor import Backoff
from tests.bridge.clients import Client
from tests.bridge.world import until
from tests.fronts.served import run
from tests.support.running import await_listening, fixture_command, free_port, process

URI = "test://static-text"


async def started(stack: contextlib.ExitStack, port: int, era: str) -> subprocess.Popen[bytes]:
    """A server of one era, or both, on this port."""
    command = fixture_command("everything", "--http", "--port", str(port), "--era", era)
    child = stack.enter_context(process(command, stdout=subprocess.DEVNULL))
    await asyncio.to_thread(await_listening, port)
    return child


@pytest.mark.parametrize(("client", "era"), [("M", "modern"), ("L", "handshake"), ("M", "both")])
def test_no_read_fails_while_processes_are_killed_and_started(
    client: str,
    era: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A process is tried in vain while it starts, and each wait would be longer than the last.
    wait = Backoff.wait
    monkeypatch.setattr(Backoff, "wait", lambda *asked: min(wait(*asked), 0.5))

    async def play(stack: contextlib.ExitStack) -> None:
        ports = [free_port(), free_port()]
        children = await asyncio.gather(*(started(stack, port, era) for port in ports))
        urls = [f"http://127.0.0.1:{port}/mcp" for port in ports]
        entry = {"urls": urls, "cache": {"enabled": False}}
        gateway = Gateway(Config.model_validate({"servers": {"s": entry}}))
        stopping, done = asyncio.Event(), 0

        async def reads(one: Client) -> None:
            nonlocal done
            while not stopping.is_set():
                begun = await one.begin("resources/read", {"uri": URI})
                assert begun.result["contents"]
                one.close()
                one.streams.clear()
                done += 1

        def phases() -> list[str]:
            return [one.phase for one in gateway.servers()[0].replicas]

        async def more() -> None:
            wanted = done + 30
            await until(lambda: done >= wanted or any(one.done() for one in work))

        work: list[asyncio.Task[None]] = []
        try:
            await gateway.start()
            await until(lambda: phases() == ["ready", "ready"])
            [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
            clients = [await Client(port, client).open() for _ in range(4)]
            work += [asyncio.create_task(reads(one)) for one in clients]
            for number in (0, 1):
                await more()
                os.kill(children[number].pid, signal.SIGKILL)
                await more()
                await until(lambda: phases() != ["ready", "ready"])
                show_servers(gateway.servers())
                children[number] = await started(stack, ports[number], era)
                await until(lambda: phases() == ["ready", "ready"], 30)
            await more()
            stopping.set()
            await asyncio.gather(*work)
        finally:
            stopping.set()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await gateway.stop(0.2)

    with contextlib.ExitStack() as stack:
        run(play(stack), 60)
    assert "(1 of 2)" in capsys.readouterr().err
