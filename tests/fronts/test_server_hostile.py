"""What the native server does to peers that mean harm, or are broken."""

import asyncio
import gc
import json
import resource
import ssl

import pytest

from lockgate.fronts.answer import Answer
from lockgate.fronts.connection import Connection
from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from lockgate.fronts.reading import Reader
from tests.fronts.served import GET, Recorder, run, serving

H = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n"
AFTER = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

REFUSED = {
    "both lengths": (400, H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "other order": (400, H + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, H + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    "one length twice": (400, H + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "list of lengths": (400, H + b"Content-Length: 3, 3\r\n\r\nabc"),
    "plus length": (400, H + b"Content-Length: +3\r\n\r\nabc"),
    "negative length": (400, H + b"Content-Length: -3\r\n\r\nabc"),
    "hex length": (400, H + b"Content-Length: 0x3\r\n\r\nabc"),
    "empty length": (400, H + b"Content-Length:\r\n\r\nabc"),
    "split length": (400, H + b"Content-Length: 1 2\r\n\r\nabc"),
    "overflowing length": (400, H + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "length with 5000 zeros": (400, H + b"Content-Length: " + b"0" * 5000 + b"3\r\n\r\nabc"),
    "large length": (413, H + b"Content-Length: 4194305\r\n\r\n"),
    "identity coding": (501, H + b"Transfer-Encoding: identity\r\n\r\nabc"),
    "two codings": (501, H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "coding after chunked": (400, H + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, H + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n"),
    "almost chunked": (501, H + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked with parameter": (501, H + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
    "chunked after tab": (400, H + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "chunked in 1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk size word": (400, CHUNKED + b"zz\r\n\r\n"),
    "chunk size 0x": (400, CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "chunk size space": (400, CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "chunk size minus": (400, CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    "chunk size overflow": (400, CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    "chunk line feed": (400, CHUNKED + b"3\nabc\n0\n\n"),
    "chunk extension line feed": (400, CHUNKED + b"3;a\nabc\r\n0\r\n\r\n"),
    "chunk too long": (400, CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    "trailer with length": (400, CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n"),
    "trailer malformed": (400, CHUNKED + b"0\r\nX T: 1\r\n\r\n"),
    "folded line": (400, H + b"X: a\r\n b\r\n\r\n"),
    "fold before headers": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "space before colon": (400, H + b"X : a\r\n\r\n"),
    "bare line feed": (400, H + b"X: a\nY: b\r\n\r\n"),
    "bare line feeds only": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "bare carriage return": (400, H + b"X: a\rb\r\n\r\n"),
    "NUL in value": (400, H + b"X: a\0b\r\n\r\n"),
    "NUL in name": (400, H + b"X\0: ab\r\n\r\n"),
    "DEL in value": (400, H + b"X: a\x7fb\r\n\r\n"),
    "empty name": (400, H + b": ab\r\n\r\n"),
    "no colon": (400, H + b"abc\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\nX: a\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "host list": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "host with path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "host with user": (400, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "absolute target": (400, b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "asterisk for GET": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "relative target": (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "fragment": (400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space in target": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tab in target": (400, b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"),
    "control in target": (400, b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "high byte in target": (400, b"GET /a\xffb HTTP/1.1\r\nHost: a\r\n\r\n"),
    "quote in target": (400, b'GET /a"b HTTP/1.1\r\nHost: a\r\n\r\n'),
    "backslash in target": (400, b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "CONNECT": (501, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "TRACE": (501, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "RTSP": (501, b"DESCRIBE / RTSP/1.0\r\n\r\n"),
    "unknown method": (501, b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "lower-case method": (501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 GET / "),
    "expectation": (417, H + b"Expect: cake\r\nContent-Length: 1\r\n\r\na"),
    "101 headers": (431, H + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n"),
    "large header": (431, H + b"X: " + b"a" * 40_000 + b"\r\n\r\n"),
    "endless header": (431, H + b"X: " + b"a" * 200_000),
    "endless header name": (431, H + b"X" * 200_000),
    "many large headers": (431, H + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 999) for n in range(40))),
    "long target": (414, b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "endless target": (414, b"GET /" + b"a" * 200_000),
    "endless blank lines": (431, b"\r\n" * 100_000),
    "endless trailer": (431, CHUNKED + b"0\r\nX: " + b"a" * 200_000),
    "endless chunk extension": (431, CHUNKED + b"3;" + b"a" * 200_000),
    "many trailers": (431, CHUNKED + b"0\r\n" + b"a: b\r\n" * 120 + b"\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("cut", [False, True])
def test_refused_with_a_reason_and_nothing_smuggled(name: str, cut: bool) -> None:
    status, data = REFUSED[name]

    async def test() -> None:
        handler = Recorder()
        async with serving(handler) as served:
            client = await served.client()
            if cut and len(data) < 1000:
                for index in range(len(data)):
                    client.send(data[index : index + 1])
                    await asyncio.sleep(0)
                client.send(AFTER)
            else:
                client.send(data + AFTER)
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
            if not (cut and status == 501):  # a method seen by its first letter only is no method
                assert head.startswith(b"HTTP/1.1 %d " % status), head
            assert b"connection: close" in head
            assert list(json.loads(body)) == ["error"]
            assert handler.seen == []

    run(test())


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "like", [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", GET]
)
def test_refused_also_behind_requests_whose_heads_are_remembered(name: str, like: bytes) -> None:
    """A head that repeats is not parsed again; one that only looks alike must be."""
    status, data = REFUSED[name]

    async def test() -> None:
        handler = Recorder()
        async with serving(handler) as served:
            client = await served.client()
            for _ in range(3):
                client.send(like)
                assert (await client.reply()).status == 200
            client.send(data + AFTER)
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d " % status), head
            assert list(json.loads(body)) == ["error"]
            assert len(handler.seen) == 3

    run(test())


@pytest.mark.parametrize(
    "length",
    [b"+3", b"-3", b"3, 3", b" 3", b"3 ", b"0x3", b"\xb3", b"3\n", b"", b"00000003", b"03"],
)
def test_a_length_behind_a_remembered_head_is_judged_as_any_other(length: bytes) -> None:
    """The answers are those of a connection that remembers nothing."""

    async def test() -> None:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:%b\r\n\r\nabc"
        said: list[bytes] = []
        bodies: list[list[bytes]] = []
        for before in ([], [request % b"3"] * 3):
            handler = Recorder()
            async with serving(handler) as served:
                client = await served.client()
                for one in before:
                    client.send(one)
                    assert (await client.reply()).status == 200
                client.send(
                    request % length + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                )
                said.append((await client.rest()).split(b" ")[1])
                bodies.append([one.body for one in handler.seen[len(before) :]])
        assert said[0] == said[1]
        assert bodies[0] == bodies[1]

    run(test())


def test_chunked_body_over_the_limit() -> None:
    async def test() -> None:
        async with serving(Recorder(), HttpLimits(body_bytes=100)) as served:
            answer = await served.exchange(CHUNKED + b"10\r\n0123456789abcdef\r\n" * 10)
            assert answer.startswith(b"HTTP/1.1 413 ")

    run(test())


def test_many_connections_and_one_too_many() -> None:
    async def test() -> None:
        async with serving(Recorder(), HttpLimits(connections=200)) as served:
            clients = [await served.client() for _ in range(200)]
            await served.until(connections=200)
            assert (await served.exchange(b"")).startswith(b"HTTP/1.1 503 ")
            for client in clients:
                client.send(GET)
            assert {(await client.reply()).status for client in clients} == {200}
            clients[0].close()
            await served.until(connections=199)
            last = await served.client()
            last.send(GET)
            assert (await last.reply()).status == 200
            assert served.server.stats.refused_connections == 1

    run(test())


def test_a_thousand_broken_connections_leave_nothing_behind() -> None:
    async def test() -> None:
        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.start(200, ())
            gone = asyncio.Event()
            responder.on_close(gone.set)
            await gone.wait()

        starts = (b"", b"GET /", H + b"Content-Length: 9\r\n\r\nabc", GET, GET + GET)
        async with serving(handler) as served:
            gc.collect()
            parts = (Connection, Reader, Answer)
            # Other tests of this process may have left some that still live.
            before = {id(thing) for thing in gc.get_objects() if isinstance(thing, parts)}
            gc.disable()
            try:
                for number in range(1000):
                    client = await served.client()
                    client.send(starts[number % len(starts)])
                    if b"Host: a\r\n\r\n" in starts[number % len(starts)]:
                        await client.head()
                    client.reset()
                    served.clients.clear()
                await served.until(connections=0, handlers=0)
                await asyncio.sleep(0)
                left = [thing for thing in gc.get_objects() if isinstance(thing, parts)]
                assert not [thing for thing in left if id(thing) not in before]
            finally:
                gc.enable()

    run(test())


def test_pipelining_without_reading_stays_within_bounds() -> None:
    """A client that sends and sends while its first request is answered is no longer read."""

    async def test() -> None:
        go = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, (), b"x")

        async with serving(handler) as served:
            client = await served.client()
            client.send(GET)
            await served.until(handlers=1)
            total = 200_000
            client.send(GET * total)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            [connection] = served.server._state.connections
            assert isinstance(connection, Connection)
            while not connection._paused:  # noqa: ASYNC110 -- nothing tells
                await asyncio.sleep(0.001)
            assert connection._unread_size < 64 * 1024 + 512 * 1024
            assert len(connection._queue) < 200
            go.set()
            for _ in range(1000):
                assert (await client.reply()).status == 200
                assert len(connection._queue) < 200
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000

    run(test())


@pytest.mark.parametrize("tls", [False, True])
def test_a_stalled_reader_of_a_stream_is_dropped_at_the_bound(
    tls: bool, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def test() -> None:
        gone = asyncio.Event()
        written = 0

        async def handler(request: HttpRequest, responder: Responder) -> None:
            nonlocal written
            responder.on_close(gone.set)
            responder.start(200, ())
            while not gone.is_set():
                responder.write(b"x" * 65536)
                written += 65536
                await asyncio.sleep(0)

        limits = HttpLimits(unsent_bytes=1_000_000)
        async with serving(handler, limits, certificate if tls else None) as served:
            client = await served.client()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a ReadTransport
            client.send(GET)
            await gone.wait()
            # What the two kernels buffer comes on top of our own bound.
            assert written < 20_000_000
            await served.until(connections=0, handlers=0)

    run(test())


def test_one_whole_answer_larger_than_the_bound_is_delivered() -> None:
    body = b"y" * 20_000_000

    async def test() -> None:
        async def handler(request: HttpRequest, responder: Responder) -> None:
            if request.path == "/stream":
                responder.start(200, ())
                responder.write(body)
                responder.end()
            else:
                responder.send(200, (), body)

        async with serving(handler, HttpLimits(unsent_bytes=1000)) as served:
            client = await served.client()
            client.send(GET + b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
            for _ in range(3):
                assert len((await client.reply()).body) == len(body)

    run(test())


def test_requests_behind_an_answer_nobody_reads_are_not_served() -> None:
    async def test() -> None:
        count = 0

        async def handler(request: HttpRequest, responder: Responder) -> None:
            nonlocal count
            count += 1
            responder.send(200, (), b"z" * 10_000_000)

        async with serving(handler) as served:
            client = await served.client()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a ReadTransport
            client.send(GET * 50)
            await served.until(requests=1, handlers=0)
            for _ in range(20):
                await asyncio.sleep(0)
            assert count == 1
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
            for _ in range(50):
                assert (await client.reply()).status == 200

    run(test())
