"""What handlers may do with a Responder of the native server, and what clients see of it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import pytest

from lockgate.fronts.http import HttpRequest, Responder
from tests.fronts.served import GET, Recorder, run, serving

Handler = Callable[[HttpRequest, Responder], Awaitable[None]]
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


async def streaming(request: HttpRequest, responder: Responder) -> None:
    responder.start(200, ((b"content-type", b"text/plain"),))
    responder.write(b"one ")
    responder.write(b"")
    await asyncio.sleep(0)
    responder.write(b"two" * 30_000)
    responder.end()


def test_a_stream_is_chunked_and_the_connection_goes_on() -> None:
    async def test() -> None:
        async with serving(streaming) as served:
            client = await served.client()
            for _ in range(2):
                client.send(GET)
                reply = await client.reply()
                assert reply.body == b"one " + b"two" * 30_000
                assert reply.headers[b"content-type"] == b"text/plain"

    run(test())


def test_the_head_of_a_stream_does_not_wait_for_its_body() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.start(200, ())
            await go.wait()
            responder.end()

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET)
            assert (await client.head())[0] == 200
            go.set()
            assert await client.chunks() == b""

    run(test())


def test_http_1_0_streams_end_with_the_connection() -> None:
    async def test() -> None:
        async with serving(streaming) as served:
            client = await served.client()
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            _, headers = await client.head()
            assert headers[b"connection"] == b"close"
            assert b"transfer-encoding" not in headers
            assert await client.rest() == b"one " + b"two" * 30_000

    run(test())


def test_a_stream_of_known_length() -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        responder.start(200, ((b"content-length", b"4"),))
        responder.write(b"ab")
        if request.path == "/short":
            responder.end()
        responder.write(b"cdefg" if request.path == "/long" else b"cd")
        responder.end()

    async def test() -> None:
        async with serving(handler) as served:
            client = await served.client()
            for _ in range(2):
                client.send(GET)
                assert (await client.reply()).body == b"abcd"
            for path in (b"/short", b"/long"):
                answer = await served.exchange(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                assert not answer.endswith((b"abcd", b"efg"))

    run(test())


@pytest.mark.parametrize("handler", [Recorder(), streaming])
def test_head_has_the_headers_and_no_body(handler: Handler) -> None:
    async def test() -> None:
        async with serving(handler) as served:
            client = await served.client()
            client.send(HEAD + HEAD)
            for _ in range(2):
                reply = await client.reply(to_head=True)
                assert reply.status == 200
                assert (b"content-length" in reply.headers) != (
                    b"transfer-encoding" in reply.headers
                )

    run(test())


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("stream", [False, True])
def test_statuses_without_a_body(status: int, stream: bool) -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        if stream:
            responder.start(status, ())
            responder.write(b"ignored")
            responder.end()
        else:
            responder.send(status, (), b"ignored")

    async def test() -> None:
        async with serving(handler) as served:
            client = await served.client()
            client.send(GET + GET)
            for _ in range(2):
                reply = await client.reply()
                assert reply.status == status
                assert not {b"content-length", b"transfer-encoding"} & set(reply.headers)

    run(test())


def test_framing_headers_are_the_shells() -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        wrong = [
            (b"content-length", b"99"),
            (b"transfer-encoding", b"chunked"),
            (b"connection", b"upgrade"),
        ]
        responder.send(299, wrong, b"ok")

    async def test() -> None:
        async with serving(handler) as served:
            client = await served.client()
            client.send(GET + GET)
            for _ in range(2):
                reply = await client.reply()
                assert (reply.status, reply.body) == (299, b"ok")
                assert b"connection" not in reply.headers

    run(test())


async def raises(request: HttpRequest, responder: Responder) -> None:
    raise ValueError("a secret")


async def injects(request: HttpRequest, responder: Responder) -> None:
    responder.send(200, ((b"x", b"a\r\nset-cookie: b"),))


async def says_nothing(request: HttpRequest, responder: Responder) -> None:
    assert not responder.started


@pytest.mark.parametrize("handler", [raises, injects, says_nothing])
def test_a_broken_handler_gives_500_and_a_log_line(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with serving(handler) as served:
            head, _, body = (await served.exchange(GET)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 500 ")
            assert json.loads(body) == {"error": "Internal server error."}

    with caplog.at_level(logging.ERROR, "lockgate.fronts"):
        run(test())
    assert len(caplog.records) == 1


def test_a_handler_that_breaks_midway_breaks_the_connection() -> None:
    async def handler(request: HttpRequest, responder: Responder) -> None:
        responder.start(200, ())
        responder.write(b"half")
        if request.path == "/abort":
            responder.abort()
            return
        raise ValueError

    async def test() -> None:
        async with serving(handler) as served:
            for path in (b"/", b"/abort"):
                answer = await served.exchange(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                assert not answer.endswith(b"0\r\n\r\n")

    run(test())


def test_misuse_is_named() -> None:
    mistakes: list[str] = []

    async def handler(request: HttpRequest, responder: Responder) -> None:
        for mistake in (lambda: responder.write(b"x"), responder.end):
            with pytest.raises(RuntimeError) as caught:
                mistake()
            mistakes.append(str(caught.value))
        with pytest.raises(ValueError, match="final"):
            responder.send(100, ())
        responder.send(200, (), b"ok")
        assert responder.started
        for again in (responder.send, responder.start):
            with pytest.raises(RuntimeError):
                again(200, ())
        responder.write(b"late")
        responder.end()
        responder.abort()

    async def test() -> None:
        async with serving(handler) as served:
            client = await served.client()
            client.send(GET + GET)
            assert (await client.reply()).body == b"ok"
            assert (await client.reply()).body == b"ok"

    run(test())
    assert len(mistakes) == 4


def test_an_answer_may_be_finished_after_its_handler() -> None:
    async def test() -> None:
        kept: list[Responder] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.start(200, ())
            kept.append(responder)

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET + GET)
            await client.head()
            await served.until(handlers=0, requests=1)
            kept[0].write(b"event")
            assert await client.chunk() == b"event"
            kept[0].end()
            kept[0].write(b"late")
            assert await client.chunk() == b""
            assert (await client.head())[0] == 200
            kept[0].end()
            kept[1].end()
            assert await client.chunk() == b""

    run(test())
