"""What the native server makes of well-formed requests, however they are cut."""

import asyncio
import contextlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from lockgate.fronts.reading import Reader
from lockgate.fronts.screen import Refused
from tests.fronts.served import GET, Recorder, run, serving

PIPELINE = (
    b"\r\nPOST /one?a=b&c HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nx-two:  2\t \r\nEmpty:\r\n"
    b"Content-Length: 5\r\n\r\nhello"
    b"POST /two HTTP/1.1\r\nhost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: x\r\n\r\n"
    b"POST /three HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AA\r\nContent-Length: 3\r\n\r\nxyz"
    b"POST /four HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Content-Length: 0\r\n\r\n"
    b"POST /five HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n\r\n"
    b"DELETE /six HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n"
)


def read(*pieces: bytes, limits: HttpLimits | None = None) -> list[HttpRequest]:
    seen: list[HttpRequest] = []

    def deliver(request: HttpRequest, /, *, keep_alive: bool, http10: bool) -> None:
        seen.append(request)

    reader = Reader(limits or HttpLimits(), deliver, "127.0.0.1", "http")
    for piece in pieces:
        reader.feed(piece)
    return seen


WHOLE = read(PIPELINE)


def test_reader_understands_every_framing() -> None:
    assert [(r.method, r.path, r.query, r.body) for r in WHOLE] == [
        ("POST", "/one", "a=b&c", b"hello"),
        ("POST", "/two", "", b"abcd"),
        ("POST", "/three", "", b"xyz"),
        ("POST", "/four", "", b""),
        ("POST", "/five", "", b"hi"),
        ("DELETE", "/six", "", b""),
    ]
    first = WHOLE[0]
    assert first.headers == {
        b"host": b"a",
        b"x-two": b"1, 2",
        b"empty": b"",
        b"content-length": b"5",
    }
    assert first.repeated == {b"x-two"}
    assert b"trailer" not in WHOLE[1].headers
    assert WHOLE[1].headers[b"host"] == b"[::1]:80"


@given(st.lists(st.integers(0, len(PIPELINE)), max_size=12).map(sorted))
def test_where_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    edges = [0, *cuts, len(PIPELINE)]
    assert read(*(PIPELINE[a:b] for a, b in pairwise(edges))) == WHOLE


def test_byte_by_byte() -> None:
    assert read(*(PIPELINE[i : i + 1] for i in range(len(PIPELINE)))) == WHOLE


TOKENS = st.sampled_from(
    [
        b"GET ", b"POST ", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"Host: a", b": ", b"\0",
        b"Content-Length: 1", b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"Upgrade: x",
        b"Connection: upgrade", b"5\r\nhello\r\n", b"\xff", b" ", b"1" * 25,
        b"Expect: 100-continue",
    ]
)  # fmt: skip


@given(st.lists(st.lists(TOKENS | st.binary(max_size=8), max_size=12).map(b"".join), max_size=6))
@settings(max_examples=400)
def test_garbage_is_refused_and_nothing_else(pieces: list[bytes]) -> None:
    with contextlib.suppress(Refused):
        read(*pieces)


def test_keep_alive_and_one_answer_per_request() -> None:
    async def test() -> None:
        handler = Recorder()
        async with serving(handler) as served:
            client = await served.client()
            for number in (b"1", b"2", b"3"):
                client.send(b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
                reply = await client.reply()
                assert (reply.status, reply.body) == (200, b"/p|hi")
                assert reply.headers[b"x-number"] == number
                assert b"server" not in reply.headers
            assert handler.seen[0].peer == "127.0.0.1"
            assert handler.seen[0].scheme == "http"

    run(test())


def test_byte_by_byte_over_a_socket() -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            client = await served.client()
            for byte in b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
                client.send(bytes([byte]))
                await client.writer.drain()
                await asyncio.sleep(0)
            assert (await client.reply()).body == b"/b|abc"

    run(test())


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    async def test() -> None:
        at_work = 0

        async def handler(request: HttpRequest, responder: Responder) -> None:
            nonlocal at_work
            at_work += 1
            assert at_work == 1
            await asyncio.sleep(0)
            at_work -= 1
            responder.send(200, (), request.path.encode())

        async with serving(handler) as served:
            client = await served.client()
            paths = [b"/%d" % number for number in range(600)]
            client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths))
            assert [(await client.reply()).body for _ in paths] == paths

    run(test())


def test_a_bad_request_behind_a_good_one_waits_for_its_turn() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, (), b"good")

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET + b"nonsense\r\n\r\n" + GET)
            await served.until(handlers=1)
            go.set()
            assert (await client.reply()).body == b"good"
            assert (await client.reply()).status == 400
            assert await client.rest() == b""

    run(test())


def test_expect_100_continue() -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            client = await served.client()
            head = (
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            )
            client.send(head)
            assert await client.head() == (100, {})
            client.send(b"hi")
            assert (await client.reply()).body == b"/|hi"
            # A body that is already here needs no invitation.
            client.send(head + b"yo")
            assert (await client.reply()).body == b"/|yo"

    run(test())


def test_expect_100_continue_waits_behind_an_answer() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, (), request.body)

        async with serving(handler) as served:
            client = await served.client()
            client.send(
                GET + b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                b"Content-Length: 2\r\n\r\n"
            )
            await served.until(handlers=1)
            go.set()
            assert (await client.reply()).status == 200
            assert await client.head() == (100, {})
            client.send(b"hi")
            assert (await client.reply()).body == b"hi"

    run(test())


def test_a_refused_body_is_refused_before_it_is_sent() -> None:
    async def test() -> None:
        async with serving(Recorder(), HttpLimits(body_bytes=10)) as served:
            answer = await served.exchange(
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n"
            )
            assert answer.startswith(b"HTTP/1.1 413 ")

    run(test())


@pytest.mark.parametrize(
    ("request_bytes", "keeps"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (GET, True),
    ],
)
def test_connection_persistence(request_bytes: bytes, keeps: bool) -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            client = await served.client()
            client.send(request_bytes)
            reply = await client.reply()
            assert reply.body == b"/|"
            said = reply.headers.get(b"connection")
            if keeps:
                assert said == (b"keep-alive" if b"1.0" in request_bytes else None)
                client.send(request_bytes)
                assert (await client.reply()).status == 200
            else:
                assert said == b"close"
                assert await client.rest() == b""

    run(test())


def test_what_follows_the_last_request_is_ignored() -> None:
    async def test() -> None:
        handler = Recorder()
        async with serving(handler) as served:
            close = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            answer = await served.exchange(close + GET + GET)
            assert answer.count(b"HTTP/1.1") == 1
            assert len(handler.seen) == 1

    run(test())


def test_a_body_of_the_largest_size_arrives_whole() -> None:
    async def test() -> None:
        async with serving(Recorder()) as served:
            body = bytes(range(256)) * (4 * 1024 * 4)
            client = await served.client()
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
            client.send(body + GET)
            assert (await client.reply()).body == b"/|" + body
            assert (await client.reply()).body == b"/|"

    run(test())
