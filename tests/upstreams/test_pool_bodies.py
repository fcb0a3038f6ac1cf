"""What the pool promises of bodies: silence ends them, and nothing is kept without bound."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.upstreams.pool import (
    HttpFailure,
    HttpPool,
    PoolLimits,
    ResponseLimits,
    TimedOut,
    TooLarge,
    Url,
)
from tests.upstreams.scripted_http import (
    QUICK,
    Peer,
    answer_open,
    post,
    run,
    serve,
)


@pytest.mark.parametrize("phase", ["head", "body"])
def test_silence(phase: str) -> None:
    parts = [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] if phase == "body" else []

    async def test() -> None:
        pool = HttpPool(QUICK)
        async with serve(answer_open(*parts)) as server:

            async def whole() -> bytes:
                reply = await post(pool, server.url(), timeout=0.1, stall=0.1)
                return await reply.read(100)

            with pytest.raises(TimedOut) as caught:
                await whole()
            assert caught.value.phase == phase
            assert caught.value.sent
            await pool.close()

    run(test())


def test_a_slow_reader_is_no_silence_of_the_server() -> None:
    body = b"x" * 3_000_000

    async def test() -> None:
        pool = HttpPool(PoolLimits(sweep_seconds=0.01, response=ResponseLimits(unread_bytes=65536)))
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
        async with serve(answer_open(head, body)) as server:
            reply = await post(pool, server.url(), stall=0.7)
            await asyncio.sleep(1)
            assert await reply.read(len(body)) == body
            await pool.close()

    run(test())


def test_an_unread_body_is_not_buffered_without_limit() -> None:
    sent = 0
    reader_is_slow = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 64_000_000:
            peer.write(b"x" * 65536)
            sent += 65536
            try:
                await asyncio.wait_for(peer.writer.drain(), 0.3)
            except TimeoutError:
                reader_is_slow.set()
                await peer.writer.drain()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            reply = await post(pool, server.url())
            await reader_is_slow.wait()
            assert sent < 32_000_000
            received = 0
            async for chunk in reply.chunks():
                received += len(chunk)
            assert received >= 64_000_000
            await pool.close()

    run(test())


def test_chunks_arrive_as_they_are_sent() -> None:
    go = [asyncio.Event() for _ in range(3)]

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, event in enumerate(go):
            await event.wait()
            peer.write(b"5\r\npart%d\r\n" % number)
        peer.write(b"0\r\n\r\n")
        await peer.gone()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            reply = await post(pool, server.url())
            seen: list[bytes] = []
            go[0].set()
            async for chunk in reply.chunks():
                seen.append(chunk)
                if len(seen) < 3:
                    go[len(seen)].set()
            assert seen == [b"part0", b"part1", b"part2"]
            assert reply.complete
            await post_again(pool, server.url())
            await pool.close()

    async def post_again(pool: HttpPool, url: Url) -> None:
        task = asyncio.create_task(post(pool, url))
        await asyncio.sleep(0)
        assert pool.open == 1, "a finished stream gives its connection back"
        task.cancel()

    run(test())


def test_closing_an_unfinished_reply_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        await peer.gone()
        closed.set()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            async with await post(pool, server.url()) as reply:
                assert not reply.complete
            await closed.wait()
            with pytest.raises(HttpFailure):
                await reply.read(100)
            await pool.close()

    run(test())


@pytest.mark.parametrize(
    "head",
    [b"content-length: 200000\r\n\r\n", b"\r\n", b"transfer-encoding: chunked\r\n\r\n30d40\r\n"],
)
def test_read_stops_at_its_limit(head: bytes) -> None:
    async def test() -> None:
        pool = HttpPool()
        script = answer_open(b"HTTP/1.1 200 OK\r\n" + head, b"x" * 200_000)
        async with serve(script) as server:
            reply = await post(pool, server.url())
            with pytest.raises(TooLarge) as caught:
                await reply.read(199_999)
            assert caught.value.sent
            await pool.close()

    run(test())
