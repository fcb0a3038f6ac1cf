"""The same bounds for a client on stdio, through a whole gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fronts.served import run
from tests.security.world import META, Json, Peer, World, before
from tests.support.waiting import until


class Out:
    """What a client reads, or does not."""

    def __init__(self) -> None:
        self.said: list[Json] = []
        self.reads = asyncio.Event()
        self.reads.set()

    def write(self, data: bytes) -> None:
        self.said.append(json.loads(data))

    async def drain(self) -> None:
        await self.reads.wait()

    async def answer(self, number: int | None) -> Json:
        await until(lambda: [one for one in self.said if self._is(one, number)])
        return next(one for one in self.said if self._is(one, number))

    @staticmethod
    def _is(one: Json, number: int | None) -> bool:
        return "method" not in one and one["id"] == number


def call(number: int, **arguments: Any) -> bytes:
    params = {"_meta": META, "name": "echo", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return json.dumps(body).encode() + b"\n"


@asynccontextmanager
async def on_stdio(peer: Peer, **limits: Any) -> AsyncIterator[tuple[World, Any, Out]]:
    async with before(peer, limits=limits) as w:
        reader, out = asyncio.StreamReader(), Out()
        serving = asyncio.create_task(w.gateway.serve_stdio(reader, out))
        try:
            yield w, reader, out
        finally:
            out.reads.set()
            reader.feed_eof()
            await serving


def test_a_line_and_its_depth_are_bounded_as_a_body_is() -> None:
    async def play() -> None:
        peer = Peer()
        async with on_stdio(peer, body_bytes="64KiB", json_depth=16) as (_, reader, out):
            reader.feed_data(call(1, a="x" * 100_000) + call(2))
            assert (await out.answer(2))["result"]
            error = (await out.answer(None))["error"]
            assert error["code"] == -32600
            assert "body_bytes" in error["data"]["remedy"]
            reader.feed_data(call(3, a=[[[[[[[[[[[[[[1]]]]]]]]]]]]]]))
            error = (await out.answer(3))["error"]
            assert "json_depth" in error["data"]["remedy"]
            assert len(peer.calls) == 1

    run(play())


def test_a_client_that_reads_nothing_ends_its_own_service_and_no_other() -> None:
    go = asyncio.Event()

    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        token = message["params"]["_meta"].get("progressToken")
        result = {"resultType": "complete", "content": []}
        done = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        if token is None:
            kind = ((b"content-type", b"application/json"),)
            responder.send(200, kind, json.dumps(done).encode())
            return
        responder.start(200, ((b"content-type", b"text/event-stream"),))
        left = asyncio.Event()
        responder.on_close(left.set)
        params = {"progressToken": token, "progress": 1, "message": "x" * 10_000}
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        while not left.is_set():
            responder.write(b"data: %b\n\n" % json.dumps(note).encode())
            await asyncio.sleep(0)
        go.set()

    async def play() -> None:
        async with before(Peer(script=script), limits={"unsent_bytes": "64KiB"}) as w:
            reader, out = asyncio.StreamReader(), Out()
            serving = asyncio.create_task(w.gateway.serve_stdio(reader, out))
            body = json.loads(call(1))
            body["params"]["_meta"] = {**META, "progressToken": 1}
            reader.feed_data(json.dumps(body).encode() + b"\n")
            await until(lambda: out.said)
            out.reads.clear()
            assert (await w.call("echo")).result
            await serving
            size = sum(len(json.dumps(one)) for one in out.said)
            assert size < 64 * 1024 + 200_000
            await go.wait()
            assert (await w.call("echo")).result

    run(play())
