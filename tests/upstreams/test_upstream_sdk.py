"""Upstream toward a server of both eras on the official SDK, over HTTP and stdio."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.core.message import Call, Result
from lockgate.upstreams.spec import StdioSpec, UpstreamSpec
from lockgate.upstreams.upstream import Upstream
from tests.upstreams.calls import QUICK, Heard, bad, call, good, nothing_left, run, upstream

pytest.importorskip("mcp.server.mcpserver")

SCRIPT = str(Path(__file__).with_name("sdk_server.py"))
ERAS = ["modern", "handshake"]
DOORS = ["http", "json", "stdio"]


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    started: dict[str, subprocess.Popen[str]] = {}
    try:
        for kind in ("http", "json"):
            started[kind] = subprocess.Popen(
                [sys.executable, SCRIPT, kind], stdout=subprocess.PIPE, text=True
            )
        yield {kind: port_of(one) for kind, one in started.items()}
    finally:
        for one in started.values():
            one.kill()
            one.wait()


def port_of(child: subprocess.Popen[str]) -> int:
    assert child.stdout is not None
    return int(child.stdout.readline())


@asynccontextmanager
async def door(kind: str, ports: dict[str, int]) -> AsyncIterator[Upstream]:
    if kind != "stdio":
        async with upstream(f"http://127.0.0.1:{ports[kind]}/mcp", start_timeout=30.0) as one:
            yield one
        return
    transport = StdioSpec(command=sys.executable, args=(SCRIPT, "stdio"))
    one = Upstream(UpstreamSpec(name="it", transport=transport), backoff=QUICK)
    try:
        yield one
    finally:
        await one.stop(5.0)
        await nothing_left()


def use(era: str, name: str, **more: Any) -> Call:
    arguments = more.pop("arguments", {})
    extra = more.pop("params", {})
    caps = {"elicitation": {"form": {}}} if name == "greet" else {}
    return call(
        params={"name": name, "arguments": arguments, **extra},
        era=era,
        caps=caps,
        affinity="a" if era == "handshake" else None,
        **more,
    )


def text(reply: Any) -> str:
    return good(reply)["content"][0]["text"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", DOORS)
def test_calls_lists_and_errors(kind: str, era: str, ports: dict[str, int]) -> None:
    async def test() -> None:
        async with door(kind, ports) as one:
            assert text(await one.send(use(era, "echo", arguments={"text": "hi"}))) == "hi"
            tools = good(await one.send(call("tools/list", era=era)))["tools"]
            assert {"echo", "greet"} <= {tool["name"] for tool in tools}
            read = good(await one.send(call("resources/read", {"uri": "note://n"}, era=era)))
            assert read["contents"][0]["uri"] == "note://n"
            gone = bad(await one.send(call("resources/read", {"uri": "note://nope"}, era=era)))
            assert gone.code in {-32602, -32002}
            found = good(await one.send(call("server/discover", era=era)))
            assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "sdk"
            assert era in one.state.eras

    run(test(), 40.0)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", ["http", "stdio"])
def test_progress_and_logs(kind: str, era: str, ports: dict[str, int]) -> None:
    async def test() -> None:
        async with door(kind, ports) as one:
            heard = Heard()
            reply = await one.send(
                use(era, "steps", wants_progress=True, log_level="info", emit=heard)
            )
            assert text(reply) == "done"
            assert heard.methods() == ["notifications/progress", "notifications/message"]
            assert heard[0].params["message"] == "half"
            assert "progressToken" not in heard[0].params

    run(test(), 40.0)


@pytest.mark.parametrize("kind", ["http", "stdio"])
def test_a_question_in_the_handshake_era(kind: str, ports: dict[str, int]) -> None:
    async def test() -> None:
        async with door(kind, ports) as one:
            reply = await one.send(use("handshake", "greet"))
            assert isinstance(reply, Result), reply
            assert reply.kind == "input_required"
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request["method"] == "elicitation/create"
            assert request["params"]["message"] == "Who are you?"
            answers = {
                "requestState": reply.raw["requestState"],
                "inputResponses": {key: {"action": "accept", "content": {"name": "Ada"}}},
            }
            assert text(await one.send(use("handshake", "greet", params=answers))) == "hello Ada"

    run(test(), 40.0)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", ["http", "stdio"])
def test_cancelling_leaves_nothing(kind: str, era: str, ports: dict[str, int]) -> None:
    async def test() -> None:
        async with door(kind, ports) as one:
            await one.send(use(era, "echo", arguments={"text": "hi"}))
            task = asyncio.create_task(one.send(use(era, "slow", arguments={"seconds": 30})))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert text(await one.send(use(era, "echo", arguments={"text": "on"}))) == "on"

    run(test(), 40.0)


@pytest.mark.parametrize("kind", ["http", "stdio"])
def test_listening_in_the_stateless_era(kind: str, ports: dict[str, int]) -> None:
    async def test() -> None:
        async with door(kind, ports) as one:
            heard = Heard()
            wanted = {"toolsListChanged": True, "resourceSubscriptions": ["note://n"]}
            task = asyncio.create_task(
                one.send(call("subscriptions/listen", {"notifications": wanted}, emit=heard))
            )
            await heard.until(len)
            assert heard[0].params["notifications"] == wanted
            await one.send(use("modern", "touch"))
            await heard.until(lambda all_: len(all_) == 3)
            assert sorted(heard.methods()[1:]) == [
                "notifications/resources/updated",
                "notifications/tools/list_changed",
            ]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test(), 40.0)
