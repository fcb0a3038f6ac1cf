"""Clients that close their connection, or only their half of it, while an answer is due.

Seen from here both are the same: an end of file. What tells them apart is that the second kind
still reads.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.http import HttpLimits, HttpRequest
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from tests.fronts.play import FakeEngine, modern, playing, result
from tests.fronts.served import run
from tests.fronts.test_exchange_sockets import as_sent
from tests.support.waiting import until

PROGRESS = Notification("notifications/progress", Raw.of({"progress": 1}))


@asynccontextmanager
async def serving(engine: FakeEngine):
    async with playing(engine) as play:
        limits = HttpLimits(half_close_seconds=0.01)
        server = HttpServer(Routes({"/mcp": play.exchange}), limits)
        [(_, port)] = await server.start("127.0.0.1", 0)
        try:
            yield play, server, port
        finally:
            await play.exchange.drain()
            await server.drain(0.2)


async def ask(port: int, request: HttpRequest) -> tuple[asyncio.StreamReader, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(as_sent(request))
    return reader, writer


async def empty(server: HttpServer) -> None:
    await until(lambda: not server.stats.connections and not server.stats.handlers)


def test_a_get_stream_that_is_left_lets_its_connection_go() -> None:
    """The other end closes in an orderly way: an end of file, with no reset behind it."""

    async def test() -> None:
        async def listen(call: Call) -> Reply:
            call.emit(Notification("notifications/subscriptions/acknowledged"))
            await asyncio.Event().wait()
            raise AssertionError

        async with serving(FakeEngine().on("subscriptions/listen", listen)) as made:
            play, server, port = made
            await play.open()
            reader, writer = await ask(port, play.get())
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert server.stats.connections == 1
            writer.close()
            await empty(server)
            # The clock of `play` stands still: nothing here waited for a time to pass.
            async with asyncio.timeout(60):
                await server.drain(60)

    run(test())


@pytest.mark.parametrize("era", ["L", "M"])
def test_a_stream_that_is_left_in_the_middle_lets_its_connection_go(era: str) -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def act(call: Call) -> Reply:
            call.emit(PROGRESS)
            await go.wait()
            return result({})

        async with serving(FakeEngine().on("tools/call", act)) as (play, server, port):
            params = {"name": "x", "_meta": {"progressToken": 1}}
            if era == "L":
                await play.open()
                request = play.post("tools/call", params)
            else:
                request = modern("tools/call", {"name": "x"}, meta={"progressToken": 1})
            reader, writer = await ask(port, request)
            await reader.readuntil(b"notifications/progress")
            writer.close()
            await until(lambda: not server.stats.connections)
            go.set()
            await empty(server)

    run(test())


def test_half_a_client_of_the_handshake_era_gets_its_answer() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def act(_: Call) -> Reply:
            await go.wait()
            return result({"content": []})

        async with serving(FakeEngine().on("tools/call", act)) as (play, server, port):
            await play.open()
            reader, writer = await ask(port, play.post("tools/call", {"name": "x"}))
            await play.engine.called(2)
            writer.write_eof()
            await until(lambda: [one for one in play.exchange.pulse._open if one.gone])
            go.set()
            assert b'"content"' in await reader.read()
            writer.close()
            await empty(server)

    run(test())


def test_a_client_that_leaves_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "lockgate.fronts")

    async def test() -> None:
        async def act(_: Call) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        async with serving(FakeEngine().on("tools/call", act)) as (play, server, port):
            reader, writer = await ask(port, modern("tools/call", {"name": "x"}))
            await play.engine.called()
            writer.write_eof()
            assert await reader.read() == b"", "the call was called off, so there is no answer"
            writer.close()
            await empty(server)
            assert play.engine.cancelled == ["tools/call"]

    run(test())
    assert not caplog.records
