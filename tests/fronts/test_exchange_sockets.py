"""The exchange behind the native server, over real connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.http import HttpRequest
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from tests.fronts.play import FakeEngine, modern, playing, result


def as_sent(request: HttpRequest) -> bytes:
    headers = {b"host": b"localhost", **request.headers}
    headers[b"content-length"] = b"%d" % len(request.body)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers.items())
    return request.method.encode() + b" /mcp HTTP/1.1\r\n" + lines + b"\r\n" + request.body


@asynccontextmanager
async def serving(engine: FakeEngine):
    async with playing(engine) as play:
        server = HttpServer(Routes({"/mcp": play.exchange}))
        [(host, port), *_] = await server.start("127.0.0.1", 0)
        try:
            yield play, (host, port)
        finally:
            await play.exchange.drain()
            await server.drain(0.5)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_closed_connection_cancels_a_stateless_call(streaming: bool) -> None:
    async def run() -> None:
        cancelled = asyncio.Event()

        async def act(call: Call) -> Reply:
            if streaming:
                call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError

        engine = FakeEngine().on("tools/call", act)
        async with serving(engine) as (_, where):
            reader, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(modern("tools/call", {"name": "x"}, meta={"progressToken": 1})))
            await engine.called()
            if streaming:
                assert b"event-stream" in await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await cancelled.wait()

    asyncio.run(run())


def test_a_closed_connection_leaves_a_handshake_call_running() -> None:
    async def run() -> None:
        go = asyncio.Event()
        finished = asyncio.Event()

        async def act(_: Call) -> Reply:
            await go.wait()
            finished.set()
            return result({})

        engine = FakeEngine().on("tools/call", act)
        async with serving(engine) as (play, where):
            await play.open()
            _, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(play.post("tools/call", {"name": "x"})))
            await engine.called(2)
            writer.transport.abort()
            reader, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(play.post("ping", number=2)))
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert not engine.cancelled
            go.set()
            await finished.wait()
            writer.close()

    asyncio.run(run())


def test_a_get_stream_carries_events_and_its_end_is_noticed() -> None:
    async def run() -> None:
        calls: list[Call] = []
        opened = asyncio.Event()

        async def listen(call: Call) -> Reply:
            call.emit(Notification("notifications/subscriptions/acknowledged"))
            calls.append(call)
            opened.set()
            await asyncio.Event().wait()
            raise AssertionError

        engine = FakeEngine().on("subscriptions/listen", listen)
        async with serving(engine) as (play, where):
            await play.open()
            reader, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(play.get()))
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await opened.wait()
            calls[0].emit(Notification("notifications/tools/list_changed"))
            assert b"list_changed" in await reader.readuntil(b"list_changed")
            await play.exchange.drain()
            await reader.readuntil(b"\r\n0\r\n\r\n")
            writer.close()

    asyncio.run(run())


def test_a_handshake_client_takes_a_broken_stream_up_again() -> None:
    async def run() -> None:
        finish = asyncio.Event()

        async def act(call: Call) -> Reply:
            call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
            await finish.wait()
            call.emit(Notification("notifications/progress", Raw.of({"progress": 2})))
            return result({"done": True})

        async with serving(FakeEngine().on("tools/call", act)) as (play, where):
            await play.open()
            asked = play.post("tools/call", {"name": "x", "_meta": {"progressToken": 1}}, 7)
            reader, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(asked))
            last = b""
            while b'"progress":1' not in (line := await reader.readline()):
                last = line.removeprefix(b"id: ").strip() if line.startswith(b"id: ") else last
            writer.transport.abort()
            again, writer = await asyncio.open_connection(*where)
            writer.write(as_sent(play.get(last)))
            assert b" 200 " in await again.readline()
            finish.set()
            rest = (await again.readuntil(b"\r\n0\r\n\r\n")).decode()
            assert '"progress":1' not in rest
            assert rest.index('"progress":2') < rest.index('"id":7,"result":{"done":true}')
            assert not play.engine.cancelled
            writer.close()

    asyncio.run(asyncio.wait_for(run(), 60))
