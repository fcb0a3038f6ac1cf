"""The standing stream of a session over HTTP, where servers may ask outside of calls."""

import asyncio
from typing import Any

import pytest

from lockgate.core.message import Call, Result
from tests.upstreams.calls import Heard, call, eventually, good, run, upstream
from tests.upstreams.old_server import OldServer
from tests.upstreams.scripted import Answer, Asked

DONE = {"content": [{"type": "text", "text": "ok"}]}


def old(**more: Any) -> Call:
    return call(more.pop("method", "tools/call"), era="handshake", **{"affinity": "a", **more})


async def done(asked: Asked, answer: Answer) -> None:
    answer.result(DONE)


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_a_client_that_can_be_asked_is_asked_on_the_standing_stream_too(era: str) -> None:
    server: OldServer

    async def script(asked: Asked, answer: Answer) -> None:
        await eventually(lambda: server.gets)
        [standing] = server.gets.values()
        answer.stream()
        standing.event({"jsonrpc": "2.0", "id": "q", "method": "roots/list"})
        await eventually(lambda: server.answers)
        answer.finish(DONE)

    async def test() -> None:
        nonlocal server
        server = OldServer(script)
        async with server, upstream(server.url) as one:
            mine: Any = {"caps": {"roots": {}}, "params": {"name": "x"}, "era": era}
            reply = await one.send(call(affinity="a", **mine))
            assert isinstance(reply, Result)
            assert reply.kind == "input_required"
            [key] = reply.raw["inputRequests"]
            mine["params"] = {
                "name": "x",
                "requestState": reply.raw["requestState"],
                "inputResponses": {key: {"roots": []}},
            }
            assert good(await one.send(call(affinity="a", **mine)))["content"] == DONE["content"]
            assert server.answers[0]["result"] == {"roots": []}

    run(test())


def test_a_client_that_cannot_be_asked_has_no_standing_stream_and_a_listener_leaves_one() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            asked: Any = {"affinity": "b", "caps": {"elicitation": {}}}
            good(await one.send(old()))
            assert "GET" not in server.methods()
            good(await one.send(old(**asked)))
            await eventually(lambda: "s2" in server.gets)
            heard = Heard()
            task = asyncio.create_task(
                one.send(old(method="subscriptions/listen", emit=heard, **asked))
            )
            await heard.until(len)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            good(await one.send(old(**asked)))
            assert server.methods().count("GET") == 1

    run(test())
