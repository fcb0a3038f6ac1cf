"""Streams that stay open, beside the connections of calls."""

from __future__ import annotations

import pytest

from lockgate.upstreams.pool import ConnectFailed, HttpPool, PoolLimits
from tests.upstreams.calls import run
from tests.upstreams.scripted_http import OK, Peer, serve, until_open

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def streams_on_get(peer: Peer) -> None:
    """GET opens a stream that ends when the test says so; everything else is answered."""
    while True:
        head, _ = await peer.request()
        if head.startswith(b"GET /refused"):
            peer.write(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n")
        elif head.startswith(b"GET"):
            peer.write(EVENTS)
        else:
            peer.write(OK)


def test_streams_take_no_connection_from_calls_and_have_a_bound_of_their_own() -> None:
    async def test() -> None:
        limits = PoolLimits(sweep_seconds=0.01, connections=1, streams=3, waiting=0)
        async with serve(streams_on_get) as server:
            pool = HttpPool(limits)
            streams = [await pool.request(server.url(), b"GET", [], stream=True) for _ in range(3)]
            with pytest.raises(ConnectFailed, match="too many streams") as caught:
                await pool.request(server.url(), b"GET", [], stream=True)
            assert caught.value.cause == "busy"
            for _ in range(5):
                reply = await pool.request(server.url(), b"POST", [], b"x")
                assert await reply.read(10) == b"ok"
            assert server.accepted == 4
            streams[0].close()
            await until_open(pool, 3)
            await pool.request(server.url(), b"GET", [], stream=True)
            await pool.close()

    run(test())


def test_a_refused_stream_leaves_its_connection_to_calls_if_they_have_room() -> None:
    async def test() -> None:
        limits = PoolLimits(sweep_seconds=0.01, connections=1, streams=2)
        async with serve(streams_on_get) as server:
            pool = HttpPool(limits)
            refused = await pool.request(server.url("/refused"), b"GET", [], stream=True)
            assert (refused.status, pool.open) == (405, 1)
            await pool.request(server.url(), b"POST", [], b"x")
            assert server.accepted == 1
            await pool.request(server.url("/refused"), b"GET", [], stream=True)
            await until_open(pool, 1)
            await pool.close()

    run(test())
