"""Time limits of the native server, on a clock that the tests turn."""

import asyncio

import pytest

from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from tests.fronts.served import GET, Recorder, run, serving

LIMITS = HttpLimits(
    headers_seconds=10, body_seconds=30, idle_seconds=75, write_seconds=60, sweep_seconds=1
)


async def arrived(served: object) -> None:
    """What a client on loopback has sent is read within a few turns of the event loop."""
    for _ in range(20):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("start", "seconds"),
    [
        (b"GET /", 10),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX", 10),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 30),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 30),
    ],
)
def test_a_slow_request_gets_408(start: bytes, seconds: float) -> None:
    async def test() -> None:
        async with serving(Recorder(), LIMITS) as served:
            client = await served.client()
            client.send(start)
            await arrived(served)
            served.turn(seconds)
            assert served.server.stats.connections == 1
            # More bytes do not buy more time.
            client.send(b"a")
            await arrived(served)
            served.turn(2)
            assert (await client.reply()).status == 408
            assert await client.rest() == b""

    run(test())


def test_idle_connections_are_closed_without_a_word() -> None:
    async def test() -> None:
        async with serving(Recorder(), LIMITS) as served:
            fresh = await served.client()
            used = await served.client()
            used.send(GET)
            assert (await used.reply()).status == 200
            await served.until(connections=2)
            fresh.send(b"\r\n")
            await arrived(served)
            served.turn(75)
            assert served.server.stats.connections == 2
            served.turn(2)
            assert await fresh.rest() == b""
            assert await used.rest() == b""

    run(test())


def test_a_handler_may_take_its_time() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, (), b"late")

        async with serving(handler, LIMITS) as served:
            client = await served.client()
            client.send(GET + b"GET / HT")
            await served.until(handlers=1)
            served.turn(10_000)
            go.set()
            assert (await client.reply()).body == b"late"
            # The clock of the request behind it starts now.
            served.turn(10)
            client.send(b"TP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.reply()).status == 200

    run(test())


def test_a_reader_that_stalls_is_dropped_and_one_that_is_slow_is_not() -> None:
    async def test() -> None:
        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.send(200, (), b"x" * 20_000_000)

        async with serving(handler, LIMITS) as served:
            client = await served.client()
            client.send(GET)
            await client.reader.read(1000)
            await served.until(handlers=0)
            served.turn(1)
            for _ in range(5):
                await client.reader.readexactly(1_000_000)
                await arrived(served)
                served.turn(50)
            assert served.server.stats.connections == 1
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a ReadTransport
            await arrived(served)
            served.turn(1)
            served.turn(62)
            await served.until(connections=0)

    run(test())


def test_a_refused_client_that_stays_is_reset() -> None:
    async def test() -> None:
        async with serving(Recorder(), LIMITS) as served:
            client = await served.client()
            client.send(b"nonsense\r\n")
            assert (await client.reply()).status == 400
            client.send(b"more nonsense")
            await arrived(served)
            assert served.server.stats.connections == 1
            served.turn(4)
            await served.until(connections=0)

    run(test())


def test_limits_are_enforced_without_anybody_calling() -> None:
    async def test() -> None:
        async with serving(Recorder(), HttpLimits(idle_seconds=1, sweep_seconds=0.01)) as served:
            client = await served.client()
            await served.until(connections=1)
            served.clock.advance(2)
            assert await client.rest() == b""

    run(test())
