"""Servers that misbehave: each gives a typed failure or a response, and the pool works on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.upstreams.pool import BadResponse, ConnectionLost, HttpPool, PoolLimits
from tests.upstreams.scripted_http import OK, Peer, serve, until_open

FINE = [
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
    (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nt: x\r\n\r\n",
        b"ok",
    ),
    (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", b""),
    (b"HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\ncontent-length: 0\r\n\r\n", b""),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
    (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 9 + OK, b"ok"),
    (b"HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\nempty:\r\nx: a\r\nX: b\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokand more than that", b"ok"),
    (b"HTTP/1.1 599 Odd\r\ncontent-length: 2\r\n\r\nok", b"ok"),
]
REFUSED = [
    b"garbage\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 abc OK\r\n\r\n",
    b"HTTP/1.1 600 Odd\r\n\r\n",
    b"HTTP/1.1 99 Odd\r\n\r\n",
    b"HTTP/1.1 000 Odd\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nxx",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nxx",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nx: " + b"a" * 600_000,
    b"HTTP/1.1 200 OK\r\n" + b"x" * 600_000,
    b"HTTP/1.1 " + b"2" * 600_000,
    b"HTTP/1.1 200 " + b"O" * 600_000,
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: a\r\n" % n for n in range(300)) + b"\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"x: aaaaaaaaaaaaaaaa\r\n" * 9000 + b"\r\n",
    b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 30_000,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 900_000,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\ntrailer: " + b"x" * 900_000,
]
CUT = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
]


def exchange(response: bytes, method: bytes = b"POST", **limits: Any) -> tuple[bytes, int]:
    """The body for the first of two requests; the second must work whatever the first met."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(response if peer.number == 1 else OK)
        await peer.writer.drain()
        if peer.writer.can_write_eof():
            peer.writer.write_eof()
        await peer.gone()

    async def test() -> tuple[bytes, int]:
        pool = HttpPool(PoolLimits(**limits))
        async with serve(script) as server:
            try:
                reply = await pool.request(server.url(), method, [], b"{}")
                return await reply.read(1_000_000), reply.status
            finally:
                await until_open(pool, 0)
                reply = await pool.request(server.url(), b"POST", [], b"{}")
                assert await reply.read(10) == b"ok"
                await pool.close()
                assert pool.open == 0

    return asyncio.run(asyncio.wait_for(test(), 60))


@pytest.mark.parametrize(("response", "body"), FINE)
def test_unusual_and_right(response: bytes, body: bytes) -> None:
    assert exchange(response)[0] == body


@pytest.mark.parametrize("response", REFUSED, ids=lambda response: repr(response[:60]))
def test_wrong(response: bytes) -> None:
    with pytest.raises(BadResponse) as caught:
        exchange(response)
    assert caught.value.sent


@pytest.mark.parametrize("response", CUT)
def test_cut_off(response: bytes) -> None:
    with pytest.raises(ConnectionLost) as caught:
        exchange(response)
    assert caught.value.sent
    assert caught.value.answered == bool(response)


def test_no_body_behind_a_head_request() -> None:
    assert exchange(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", b"HEAD") == (b"", 200)
    assert exchange(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"HEAD") == (b"", 200)


def test_repeated_headers_are_joined() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(
            b"HTTP/1.1 200 OK\r\nX-A:  b \t\r\nx-a: c\r\nEmpty:\r\ncontent-length: 0\r\n\r\n"
        )
        await peer.gone()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            reply = await pool.request(server.url(), b"GET", [])
            assert reply.headers == {b"x-a": b"b, c", b"empty": b"", b"content-length": b"0"}
            await pool.close()

    asyncio.run(asyncio.wait_for(test(), 60))
