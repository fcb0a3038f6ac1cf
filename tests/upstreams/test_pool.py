"""What the pool promises: reuse, limits, waiting, time limits, and honest failures."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import pytest
import uvloop

from lockgate.upstreams.connection import Connection
from lockgate.upstreams.pool import (
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    HttpFailure,
    HttpPool,
    PoolLimits,
    TimedOut,
    Url,
)
from tests.upstreams.scripted_http import (
    OK,
    Peer,
    always_ok,
    answer,
    answer_open,
    post,
    run,
    serve,
    until_open,
)


def test_request_as_written() -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            head, body = await peer.request()
            heads.append(head)
            assert body in (b"", b"{}")
            peer.write(OK)

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            reply = await post(pool, server.url("/a/b?c"))
            assert (reply.status, await reply.read(10)) == (200, b"ok")
            get = await pool.request(server.url(), b"GET", [(b"host", b"other.example")])
            assert await get.read(10) == b"ok"
            await (await pool.request(server.url(), b"POST", [])).read(10)
            host = f"host: 127.0.0.1:{server.port}\r\n".encode()
            await pool.close()
        assert heads[0] == (
            b"POST /a/b?c HTTP/1.1\r\nAccept: */*\r\ncontent-length: 2\r\n" + host + b"\r\n"
        )
        assert heads[1] == b"GET /mcp HTTP/1.1\r\nhost: other.example\r\n\r\n"
        assert b"content-length: 0\r\n" in heads[2]

    run(test())


@pytest.mark.parametrize(
    ("method", "header"),
    [
        (b"POST", (b"a", b"b\r\nc: d")),
        (b"POST", (b"a", b"b\nc: d")),
        (b"POST", (b"a", b"b\rc")),
        (b"POST", (b"a", b"b\0")),
        (b"POST", (b"a\r\nb", b"c")),
        (b"POST", (b"a b", b"c")),
        (b"POST", (b"a:", b"c")),
        (b"POST", (b"", b"c")),
        (b"POST", (b"\xc3\xa4", b"c")),
        (b"POST", (b"host", b"a\r\nb: c")),
        (b"POST", (b"Content-Length", b"3")),
        (b"POST", (b"transfer-encoding", b"chunked")),
        (b"POST", (b"Connection", b"close")),
        (b"POST", (b"Upgrade", b"websocket")),
        (b"PO ST", (b"a", b"b")),
        (b"POST / HTTP/1.1\r\nx: y", (b"a", b"b")),
        (b"", (b"a", b"b")),
    ],
)
def test_what_could_smuggle_is_never_sent(method: bytes, header: tuple[bytes, bytes]) -> None:
    async def test() -> None:
        pool = HttpPool()
        async with serve(always_ok) as server:
            with pytest.raises(BadRequest) as caught:
                await pool.request(server.url(), method, [header], b"{}")
            assert not caught.value.sent
            assert server.accepted == 0
            await pool.close()

    run(test())


def test_one_after_another_uses_one_connection() -> None:
    async def test() -> None:
        pool = HttpPool()
        async with serve(always_ok) as server:
            for _ in range(20):
                assert await (await post(pool, server.url())).read(10) == b"ok"
            assert server.accepted == 1
            assert pool.open == 1
            await pool.close()
            assert pool.open == 0

    run(test())


def test_connection_is_free_before_the_body_is_read() -> None:
    async def test() -> None:
        pool = HttpPool()
        async with serve(always_ok) as server:
            replies = [await post(pool, server.url()) for _ in range(5)]
            assert [await reply.read(10) for reply in replies] == [b"ok"] * 5
            assert server.accepted == 1
            await pool.close()

    run(test())


def test_never_more_than_the_limit_and_everyone_is_served() -> None:
    async def test() -> None:
        pool = HttpPool(PoolLimits(connections=3))
        now, most = 0, 0

        async def script(peer: Peer) -> None:
            nonlocal now, most
            while True:
                await peer.request()
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1
                peer.write(OK)

        async with serve(script) as server:

            async def one() -> bytes:
                return await (await post(pool, server.url())).read(10)

            assert await asyncio.gather(*[one() for _ in range(50)]) == [b"ok"] * 50
            assert server.accepted == 3
            assert most <= 3
            await pool.close()

    run(test())


def test_waiting_is_bounded_in_number_and_time() -> None:
    async def test() -> None:
        limits = PoolLimits(connections=1, waiting=1, wait_seconds=0.05, sweep_seconds=0.01)
        pool = HttpPool(limits)
        async with serve(answer_open()) as server:
            first = asyncio.create_task(post(pool, server.url()))
            second = asyncio.create_task(post(pool, server.url()))
            await asyncio.sleep(0)
            with pytest.raises(ConnectFailed) as full:
                await post(pool, server.url())
            assert full.value.cause == "busy"
            with pytest.raises(TimedOut) as late:
                await second
            assert late.value.phase == "wait"
            assert not late.value.sent
            first.cancel()
            await pool.close()

    run(test())


@pytest.mark.parametrize("how", ["withdrawn", "granted"])
def test_a_waiter_that_gives_up_wastes_nothing(how: str) -> None:
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await release.wait()
            peer.write(OK)

    async def test() -> None:
        pool = HttpPool(PoolLimits(connections=1))
        async with serve(script) as server:
            first = asyncio.create_task(post(pool, server.url()))
            await asyncio.sleep(0)
            second = asyncio.create_task(post(pool, server.url()))
            third = asyncio.create_task(post(pool, server.url()))
            await asyncio.sleep(0)
            if how == "withdrawn":
                second.cancel()
            else:
                # Cancelled in the very turn in which the connection is handed over.
                first.add_done_callback(lambda _: second.cancel())
            release.set()
            assert await (await first).read(10) == b"ok"
            assert await (await third).read(10) == b"ok"
            assert server.accepted <= 2
            await pool.close()

    run(test())


def test_cancelling_drops_the_connection_and_frees_its_place() -> None:
    asked = asyncio.Event()
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            asked.set()
            await peer.gone()
            closed.set()
        peer.write(OK)

    async def test() -> None:
        pool = HttpPool(PoolLimits(connections=1))
        async with serve(script) as server:
            task = asyncio.create_task(post(pool, server.url()))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await closed.wait()
            assert await (await post(pool, server.url())).read(10) == b"ok"
            assert server.accepted == 2
            await pool.close()

    run(test())


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_comes_too_late_is_not_counted(
    loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[asyncio.Task[object]] = []
    made = Connection.connection_made

    def gone_by_now(self: Connection, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        for task in tasks:
            task.cancel()

    monkeypatch.setattr(Connection, "connection_made", gone_by_now)

    async def test() -> None:
        pool = HttpPool(PoolLimits(connections=1))
        async with serve(always_ok) as server:
            tasks.append(asyncio.create_task(post(pool, server.url())))
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            tasks.clear()
            assert pool.open == 0
            assert await (await post(pool, server.url())).read(10) == b"ok"
            assert pool.open == 1
            await pool.close()
            assert pool.open == 0

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(test(), 60))


def test_no_one_listening() -> None:
    async def test() -> None:
        async with serve(always_ok) as server:
            url = server.url("/secret?key=secret")
        pool = HttpPool()
        with pytest.raises(ConnectFailed) as caught:
            await post(pool, url)
        assert caught.value.cause == "refused"
        assert not caught.value.sent
        assert "secret" not in str(caught.value)
        await pool.close()

    run(test())


def test_name_that_does_not_resolve() -> None:
    async def test() -> None:
        pool = HttpPool()
        with pytest.raises((ConnectFailed, TimedOut)) as caught:
            await post(pool, Url.parse("http://nothing.invalid/"))
        assert not caught.value.sent
        await pool.close()

    run(test())


def test_failed_opening_lets_the_next_one_try() -> None:
    async def test() -> None:
        async with serve(always_ok) as server:
            url = server.url()
        pool = HttpPool(PoolLimits(connections=1))
        tries = [post(pool, url) for _ in range(5)]
        failures = await asyncio.gather(*tries, return_exceptions=True)
        assert all(isinstance(failure, ConnectFailed) for failure in failures)
        await pool.close()

    run(test())


def test_idle_connection_closed_by_the_server_is_not_used() -> None:
    close = asyncio.Event()
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(OK)
        if peer.number == 1:
            await close.wait()
            peer.writer.close()
            closed.set()
        else:
            await peer.gone()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            await post(pool, server.url())
            close.set()
            await closed.wait()
            await until_open(pool, 0)
            assert await (await post(pool, server.url())).read(10) == b"ok"
            assert server.accepted == 2
            await pool.close()

    run(test())


def test_stale_connection_is_told_apart() -> None:
    """Closed as the request arrives: maybe seen, on a used connection, without an answer."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.write(OK)
        await peer.reader.readexactly(1)
        peer.reset()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            await post(pool, server.url())
            with pytest.raises(ConnectionLost) as caught:
                await post(pool, server.url())
            failure = caught.value
            assert (failure.sent, failure.reused, failure.answered) == (True, True, False)
            assert server.accepted == 1, "a request was repeated"
            await pool.close()

    run(test())


def test_fresh_connection_lost_without_an_answer() -> None:
    async def test() -> None:
        pool = HttpPool()
        async with serve(answer()) as server:
            with pytest.raises(ConnectionLost) as caught:
                await post(pool, server.url())
            assert (caught.value.sent, caught.value.reused) == (True, False)
            assert server.accepted == 1
            await pool.close()

    run(test())


@pytest.mark.parametrize(
    "extra", [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_bytes_nobody_asked_for_never_become_an_answer(extra: bytes, at_once: bool) -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1:
            peer.write(OK)
        elif at_once:
            peer.write(OK + extra)
        else:
            peer.write(OK)
            await more.wait()
            peer.write(extra)
        await peer.gone()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            assert await (await post(pool, server.url())).read(10) == b"ok"
            more.set()
            if extra == b"\r\n" and at_once:
                # An empty line before a message is no message (RFC 9112 section 2.2).
                assert pool.open == 1
            else:
                await until_open(pool, 0)
                assert await (await post(pool, server.url())).read(10) == b"ok"
                assert server.accepted == 2
            await pool.close()

    run(test())


@pytest.mark.parametrize(
    ("headers", "seconds"), [(b"", 0.05), (b"keep-alive: max=9, timeout=0\r\n", 60.0)]
)
def test_idle_connections_expire(headers: bytes, seconds: float) -> None:
    async def test() -> None:
        pool = HttpPool(PoolLimits(idle_seconds=seconds, sweep_seconds=0.01))
        script = answer_open(b"HTTP/1.1 200 OK\r\n" + headers + b"content-length: 0\r\n\r\n")
        async with serve(script) as server:
            await post(pool, server.url())
            assert pool.open == 1
            await until_open(pool, 0)
            await pool.close()

    run(test())


def test_server_closes_in_the_middle_of_a_body() -> None:
    async def test() -> None:
        pool = HttpPool()
        script = answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        async with serve(script) as server:
            reply = await post(pool, server.url())
            seen: list[bytes] = []

            async def whole() -> None:
                async for chunk in reply.chunks():
                    seen.append(chunk)  # noqa: PERF401 - what came before the failure counts

            with pytest.raises(ConnectionLost) as caught:
                await whole()
            assert seen == [b"half"]
            assert caught.value.answered
            await pool.close()

    run(test())


def test_early_answer_to_a_large_request_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await peer.writer.drain()
        await peer.gone()

    async def test() -> None:
        pool = HttpPool()
        async with serve(script) as server:
            reply = await post(pool, server.url(), body=b"x" * 30_000_000)
            assert reply.status == 413
            await until_open(pool, 0)
            await pool.close()

    run(test())


def test_closing_the_pool_ends_what_runs() -> None:
    async def test() -> None:
        pool = HttpPool(PoolLimits(connections=2))
        async with serve(answer_open()) as server:
            tasks = [asyncio.create_task(post(pool, server.url())) for _ in range(4)]
            await until_open(pool, 2)
            await asyncio.sleep(0)
            await pool.close()
            assert pool.open == 0
            for task in tasks:
                with pytest.raises(HttpFailure):
                    await task
            with pytest.raises(ConnectFailed):
                await post(pool, server.url())

    run(test())


def test_tls(tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, trusting = tls_pair

    async def test() -> None:
        async with serve(always_ok, tls=serving) as server:
            pool = HttpPool(tls=trusting)
            for _ in range(3):
                assert await (await post(pool, server.url())).read(10) == b"ok"
            assert server.accepted == 1
            await pool.close()
            distrusting = HttpPool()
            with pytest.raises(ConnectFailed) as caught:
                await post(distrusting, server.url())
            assert caught.value.cause == "tls"
            await distrusting.close()

    run(test())


def test_connecting_takes_too_long() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async def test() -> None:
        pool = HttpPool(PoolLimits(connect_seconds=0.1))
        async with serve(script) as server:
            # A TLS handshake with a server that never says anything.
            url = Url.parse(f"https://127.0.0.1:{server.port}/")
            with pytest.raises(TimedOut) as caught:
                await post(pool, url)
            assert caught.value.phase == "connect"
            assert not caught.value.sent
            await until_open(pool, 0)
            await pool.close()

    run(test())
