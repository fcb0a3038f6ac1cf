"""How connections of the native server end, and how it starts and stops."""

import asyncio
import socket
import ssl

import pytest

from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from lockgate.fronts.server import HttpServer
from tests.fronts.served import GET, Client, Recorder, run, serving


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_on_close_is_called_once_and_the_handler_goes_on(started: bool, way: str) -> None:
    async def test() -> None:
        gone = asyncio.Event()
        calls: list[str] = []

        def left() -> None:
            calls.append("left")
            gone.set()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(left)
            if started:
                responder.start(200, ())
            await gone.wait()
            await served.until(connections=0) if way == "reset" else None
            if not started:
                responder.send(200, (), b"into the void")
            else:
                responder.write(b"into the void")
                responder.end()
            responder.on_close(lambda: calls.append("too late"))
            calls.append("finished")

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET)
            await served.until(handlers=1)
            if started:
                await client.head()
            getattr(client, way)()
            await served.until(connections=0, handlers=0)
            assert calls[:2] == ["left", "finished"]
            assert calls.count("left") == 1

    run(test())


def test_on_close_is_not_called_after_a_finished_answer() -> None:
    async def test() -> None:
        calls: list[str] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(lambda: calls.append("left"))
            responder.send(200, ())

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET)
            await client.reply()
            client.close()
            await served.until(connections=0)
            assert calls == []

    run(test())


def test_a_half_closed_client_gets_its_answers() -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            client = await served.client()
            client.send(GET * 3)
            client.writer.write_eof()
            assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 3
            client = await served.client()
            client.send(b"GET / HT")
            client.writer.write_eof()
            assert await client.rest() == b""

    run(test())


def test_a_half_closed_client_is_doubted_after_a_while_and_still_served() -> None:
    async def test() -> None:
        gone = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(gone.set)
            await gone.wait()
            responder.send(200, (), b"for whom it may concern")

        async with serving(handler, HttpLimits(half_close_seconds=0.01)) as served:
            client = await served.client()
            client.send(GET + GET)
            client.writer.write_eof()
            assert (await client.reply()).body == b"for whom it may concern"
            assert (await client.reply()).status == 200
            assert await client.rest() == b""

    run(test())


def test_drain_lets_running_requests_finish() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, (), b"done")

        async with serving(handler) as served:
            idle = await served.client()
            busy = await served.client()
            busy.send(GET)
            await served.until(connections=2, handlers=1)
            draining = asyncio.create_task(served.server.drain(10))
            assert await idle.rest() == b""
            with pytest.raises(OSError, match=r".*"):
                await served.client()
            assert not draining.done()
            go.set()
            reply = await busy.reply()
            assert reply.body == b"done"
            assert reply.headers[b"connection"] == b"close"
            assert await busy.rest() == b""
            await draining

    run(test())


def test_settling_answers_on_until_all_is_quiet() -> None:
    async def test() -> None:
        go, back = asyncio.Event(), [True]

        async def handler(request: HttpRequest, responder: Responder) -> None:
            if request.path == "/":
                await go.wait()
            responder.send(200, (), b"done")

        async with serving(handler) as served:
            idle, busy, arriving = [await served.client() for _ in range(3)]
            busy.send(GET)
            arriving.send(b"GET /late HTTP/1.1\r\n")
            await served.until(connections=3, handlers=1)
            settling = asyncio.create_task(served.server.settle(1000, lambda: back[0]))
            await asyncio.sleep(0)
            idle.send(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await idle.reply()).headers[b"connection"] == b"close"
            go.set()
            assert (await busy.reply()).body == b"done"
            arriving.send(b"Host: a\r\n\r\n")
            assert (await arriving.reply()).body == b"done"
            other = await served.client()
            other.send(b"GET /new HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await other.reply()).body == b"done"
            assert not settling.done()
            back[0] = False
            assert await settling
            assert not await served.server.settle(0, lambda: True)

    run(test())


def test_drain_is_over_when_the_last_stream_has_ended() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.start(200, ())
            await go.wait()
            responder.end()

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET)
            await client.head()
            draining = asyncio.create_task(served.server.drain(1000))
            await asyncio.sleep(0)
            go.set()
            assert await client.chunks() == b""
            assert await client.rest() == b""
            await draining

    run(test())


def test_drain_ends_what_does_not_end_by_itself() -> None:
    async def test() -> None:
        cancelled: list[str] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            if request.path == "/stream":
                responder.start(200, ())
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(request.path)
                raise

        async with serving(handler) as served:
            plain, stream = await served.client(), await served.client()
            plain.send(GET)
            stream.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            await stream.head()
            await served.until(handlers=2)
            await served.server.drain(0)
            assert (await plain.reply()).status == 503
            assert await stream.rest() == b""
            assert sorted(cancelled) == ["/", "/stream"]
            assert served.server.stats.connections == served.server.stats.handlers == 0

    run(test())


def test_a_taken_port_is_an_error() -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            with pytest.raises(OSError, match=r".*"):
                await HttpServer(Recorder()).start("127.0.0.1", served.port)

    run(test())


def test_localhost_is_every_family_on_one_port() -> None:
    async def test() -> None:
        server = HttpServer(Recorder())
        bound = await server.start(["localhost", "127.0.0.1"], 0)
        families = {info[4][0] for info in socket.getaddrinfo("localhost", 0)}
        assert len({port for _, port in bound}) == 1
        assert {host for host, _ in bound} <= families | {"127.0.0.1"}
        for host, port in bound:
            reader, writer = await asyncio.open_connection(host, port)
            client = Client(reader, writer)
            client.send(GET)
            assert (await client.reply()).status == 200
            client.close()
        await server.drain(1)

    run(test())


def test_tls(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def test() -> None:
        handler = Recorder()
        async with serving(handler, certificate=certificate) as served:
            client = await served.client()
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            client.send(b"b" * 100_000 + GET)
            assert (await client.reply()).body == b"/|" + b"b" * 100_000
            assert (await client.reply()).status == 200
            assert handler.seen[0].scheme == "https"
            client.send(b"nonsense\r\n\r\n")
            assert (await client.reply()).status == 400
            served.turn(4)
            await served.until(connections=0)
            # Somebody who speaks no TLS is no matter.
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(GET)
            await reader.read()
            writer.close()

    run(test())


def test_tls_end_of_file_is_the_end(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def test() -> None:
        gone = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(gone.set)
            await gone.wait()

        async with serving(handler, certificate=certificate) as served:
            client = await served.client()
            client.send(GET)
            await served.until(handlers=1)
            client.close()
            await gone.wait()
            await served.until(connections=0, handlers=0)

    run(test())
