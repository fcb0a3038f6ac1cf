"""Calls under way are answered when a server is told to stop; nothing new is begun."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lockgate.kit.errors import Unavailable
from lockgate.kit.health import Health
from lockgate.kit.shutdown import Shutdown
from tests.support.running import await_listening, free_port
from tests.support.waiting import settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def test_new_calls_are_refused_and_those_under_way_end() -> None:
    async def run() -> None:
        health = Health()
        shutdown = Shutdown(health=health)
        go = asyncio.Event()

        @shutdown.tracked
        async def work() -> str:
            await go.wait()
            return "done"

        under_way = asyncio.create_task(work())
        await settle()
        assert shutdown.calls == 1
        shutdown.stop()
        assert health.stopping
        with pytest.raises(Unavailable, match="stopping"):
            await work()
        waiting = asyncio.create_task(shutdown.drained())
        await settle()
        assert not waiting.done()
        go.set()
        assert await waiting
        assert await under_way == "done"

    asyncio.run(run())


def test_grace_is_an_end_and_asking_twice_is_one() -> None:
    async def run() -> None:
        shutdown = Shutdown(grace=0.02)

        @shutdown.tracked
        async def endless() -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(endless())
        await settle()
        assert not await shutdown.drained()
        patient = Shutdown(grace=60)
        patient.began()
        waiting = asyncio.create_task(patient.drained())
        await settle()
        patient.stop()
        patient.stop()
        assert not await waiting
        task.cancel()

    asyncio.run(run())


def test_a_server_that_ends_by_itself_or_fails_is_let_and_cleaned_up_after() -> None:
    async def run() -> None:
        seen: list[str] = []

        async def fails() -> None:
            raise KeyError("x")

        async def ends() -> None:
            seen.append("served")

        for serving in (ends, fails):
            shutdown = Shutdown()

            @shutdown.at_end
            async def first() -> None:
                seen.append("first")

            @shutdown.at_end
            async def broken() -> None:
                raise KeyError("y")

            if serving is fails:
                with pytest.raises(KeyError, match="x"):
                    await shutdown.run(serving())
            else:
                await shutdown.run(serving())
        assert seen == ["served", "first", "first"]

    asyncio.run(run())


def test_what_is_endless_is_not_waited_for_and_what_says_what_it_is_is_refused() -> None:
    async def run() -> None:
        shutdown = Shutdown()
        seen: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(shutdown.calls)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(message["status"])

        watched = shutdown.watching(app)

        async def ask(method: str, **headers: str) -> None:
            raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
            await watched({"type": "http", "method": method, "headers": raw}, None, send)

        await ask("POST", mcp_method="tools/call")
        await ask("GET")
        await ask("POST", mcp_method="subscriptions/listen")
        shutdown.stop()
        await ask("POST", mcp_method="tools/call")
        await ask("POST")  # may be an answer that a call waits for
        assert seen == [1, 0, 0, 503, 1]

    asyncio.run(run())


@contextmanager
def stopping(number: int, over: str, grace: float) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.kit.stopping", str(number), over, str(grace)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def until(child: subprocess.Popen[str], word: str) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        if line.strip() == word:
            return
    raise AssertionError(f"it never said {word!r}")


LISTEN = "subscriptions/listen"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def call(seconds: float) -> str:
    params = {"name": "slow", "arguments": {"seconds": seconds}, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def listen() -> str:
    params = {"_meta": META, "notifications": {"toolsListChanged": True}}
    return json.dumps({"jsonrpc": "2.0", "id": 2, "method": LISTEN, "params": params})


@pytest.mark.parametrize("number", [0, 1])
def test_a_call_over_http_is_answered_before_the_server_ends(number: int) -> None:
    port = free_port()
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "slow",
    }
    with stopping(number, str(port), 10) as child:
        await_listening(port)
        if number == 0:  # FastMCP serves none
            stream = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            stream.request("POST", "/mcp", listen(), {**headers, "mcp-method": LISTEN})
            assert stream.getresponse().status == 200
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request("POST", "/mcp", call(0.4), headers)
        until(child, "begun")
        child.send_signal(signal.SIGTERM)
        reply = client.getresponse()
        assert reply.status == 200
        assert "finished" in reply.read().decode()
        until(child, "cleaned up")
        until(child, "over")
        assert child.wait(60) == 0


def test_a_call_over_stdio_is_answered_before_the_server_ends() -> None:
    with stopping(0, "stdio", 10) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        until(child, "up")
        child.stdin.write(call(0.2) + "\n")
        child.stdin.flush()
        until(child, "begun")
        child.send_signal(signal.SIGTERM)
        assert "finished" in child.stdout.readline()
        until(child, "cleaned up")
        assert child.wait(60) == 0
