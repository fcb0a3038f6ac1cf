"""The ASGI shell, driven by hand and inside a real server."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn

from lockgate.fronts.asgi import AsgiApp, Handler, asgi_app
from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from tests.fronts.served import GET, Client, Recorder, run

Event = dict[str, Any]


class Driver:
    """The server's side of one ASGI request."""

    def __init__(self, *events: Event, **scope: Any) -> None:
        self.scope: Event = {
            "type": "http",
            "method": "POST",
            "http_version": "1.1",
            "scheme": "https",
            "path": "/a b",
            "raw_path": b"/a%20b",
            "query_string": b"x=1",
            "headers": [(b"host", b"a"), (b"X-Two", b"1"), (b"x-two", b"2")],
            "client": ("192.0.2.1", 5),
            **scope,
        }
        self.incoming: asyncio.Queue[Event] = asyncio.Queue()
        for event in events:
            self.incoming.put_nowait(event)
        self.sent: list[Event] = []
        self.broken = False
        self.taken = asyncio.Event()
        self.taken.set()

    async def send(self, event: Any) -> None:
        await self.taken.wait()
        if self.broken:
            raise OSError
        self.sent.append(event)

    async def __call__(self, app: AsgiApp) -> None:
        await app(self.scope, self.incoming.get, self.send)

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():  # noqa: ASYNC110 -- the application tells nobody
            await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)


def body(data: bytes, *, more: bool = False) -> Event:
    return {"type": "http.request", "body": data, "more_body": more}


GONE: Event = {"type": "http.disconnect"}


def test_a_whole_exchange() -> None:
    async def test() -> None:
        handler = Recorder()
        driver = Driver(body(b"he", more=True), body(b"llo"))
        await driver(asgi_app(handler))
        assert handler.seen == [
            HttpRequest(
                method="POST",
                path="/a%20b",
                query="x=1",
                headers={b"host": b"a", b"x-two": b"1, 2"},
                repeated=frozenset((b"x-two",)),
                body=b"hello",
                peer="192.0.2.1",
                scheme="https",
            )
        ]
        assert driver.sent == [
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"x-number", b"1"), (b"content-length", b"12")],
            },
            {"type": "http.response.body", "body": b"/a%20b|hello", "more_body": False},
        ]

    run(test())


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"raw_path": None}, "/a%20b"),
        ({"root_path": "/a b"}, "/"),
        ({"root_path": "/m", "raw_path": b"/m/mcp"}, "/mcp"),
        ({"root_path": "/m", "raw_path": b"/mcp"}, "/mcp"),
    ],
)
def test_paths_are_as_sent_below_the_mount(scope: Event, path: str) -> None:
    async def test() -> None:
        handler = Recorder()
        await Driver(body(b""), **scope)(asgi_app(handler))
        assert handler.seen[0].path == path

    run(test())


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"headers": []}, 400),
        ({"headers": [(b"host", b"a"), (b"host", b"b")]}, 400),
        ({"method": "PUT"}, 413),
    ],
)
def test_refusals(scope: Event, status: int) -> None:
    async def test() -> None:
        handler = Recorder()
        driver = Driver(body(b"123", more=True), body(b"456", more=True), **scope)
        await driver(asgi_app(handler, HttpLimits(body_bytes=5)))
        assert driver.sent[0]["status"] == status
        assert list(json.loads(driver.body)) == ["error"]
        assert handler.seen == []

    run(test())


def test_a_client_that_leaves_before_its_request_is_whole() -> None:
    async def test() -> None:
        handler = Recorder()
        driver = Driver(body(b"1", more=True), GONE)
        await driver(asgi_app(handler))
        assert handler.seen == driver.sent == []

    run(test())


def test_streams_and_disconnects() -> None:
    async def test() -> None:
        gone = asyncio.Event()
        calls: list[str] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(gone.set)
            responder.start(200, ())
            responder.write(b"one")
            responder.write(b"")
            await gone.wait()
            responder.write(b"two")
            responder.end()
            responder.on_close(lambda: calls.append("at once"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        driver = Driver(body(b""))
        app = asyncio.create_task(driver(asgi_app(handler)))
        await driver.until(lambda: driver.body == b"one")
        driver.incoming.put_nowait(GONE)
        await app
        assert driver.body == b"one"
        assert gone.is_set()
        assert calls == ["at once"]

    run(test())


def test_a_failing_send_is_a_client_that_left() -> None:
    async def test() -> None:
        gone = asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.on_close(gone.set)
            responder.start(200, ())
            await gone.wait()

        driver = Driver(body(b""))
        driver.broken = True
        await driver(asgi_app(handler))
        assert driver.sent == []

    run(test())


def test_a_client_that_does_not_read_is_given_up() -> None:
    async def test() -> None:
        gone = asyncio.Event()
        written = 0

        async def handler(request: HttpRequest, responder: Responder) -> None:
            nonlocal written
            responder.on_close(gone.set)
            responder.start(200, ())
            while not gone.is_set():
                responder.write(b"x" * 100)
                written += 100
                await asyncio.sleep(0)
            driver.taken.set()

        driver = Driver(body(b""))
        driver.taken.clear()
        await driver(asgi_app(handler, HttpLimits(unsent_bytes=1000)))
        assert 1000 < written < 2000
        assert driver.sent[-1:] != [{"type": "http.response.body", "body": b"", "more_body": False}]

    run(test())


def test_broken_handlers() -> None:
    async def raises(request: HttpRequest, responder: Responder) -> None:
        if request.method == "GET":
            responder.start(200, ())
            responder.write(b"half")
            await asyncio.sleep(0)
        raise ValueError("a secret")

    async def says_nothing(request: HttpRequest, responder: Responder) -> None:
        assert not responder.started

    async def test() -> None:
        for handler in (raises, says_nothing):
            driver = Driver(body(b""))
            await driver(asgi_app(handler))
            assert driver.sent[0]["status"] == 500
            assert json.loads(driver.body) == {"error": "Internal server error."}
        driver = Driver(body(b""), method="GET")
        await driver(asgi_app(raises))
        assert driver.sent[0]["status"] == 200
        assert all(event.get("more_body", True) for event in driver.sent)

    run(test())


def test_an_answer_may_be_finished_after_its_handler() -> None:
    async def test() -> None:
        kept: list[Responder] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            responder.start(200, ())
            kept.append(responder)

        driver = Driver(body(b""))
        app = asyncio.create_task(driver(asgi_app(handler)))
        await driver.until(lambda: bool(kept))
        kept[0].write(b"later")
        kept[0].end()
        await app
        assert driver.body == b"later"
        assert driver.sent[-1]["more_body"] is False

    run(test())


def test_a_cancelled_application_cancels_its_handler() -> None:
    async def test() -> None:
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        app = asyncio.create_task(Driver(body(b""))(asgi_app(handler)))
        await begun.wait()
        app.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await app
        assert cancelled.is_set()

    run(test())


def test_lifespan_and_websockets() -> None:
    async def test() -> None:
        steps: list[str] = []

        @contextlib.asynccontextmanager
        async def life() -> AsyncIterator[None]:
            steps.append("up")
            yield
            steps.append("down")

        @contextlib.asynccontextmanager
        async def broken() -> AsyncIterator[None]:
            raise ValueError("no")
            yield

        events = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
        for given in (None, life):
            driver = Driver(*events, type="lifespan")
            await driver(asgi_app(Recorder(), lifespan=given))
            assert [event["type"] for event in driver.sent] == [
                "lifespan.startup.complete",
                "lifespan.shutdown.complete",
            ]
        assert steps == ["up", "down"]
        driver = Driver(*events, type="lifespan")
        await driver(asgi_app(Recorder(), lifespan=broken))
        assert driver.sent == [{"type": "lifespan.startup.failed", "message": "no"}]
        driver = Driver({"type": "websocket.connect"}, type="websocket")
        await driver(asgi_app(Recorder()))
        assert driver.sent == [{"type": "websocket.close", "code": 1000}]

    run(test())


@contextlib.asynccontextmanager
async def inside_uvicorn(handler: Handler) -> AsyncIterator[Client]:
    # Said to be TCP, so that asyncio sends answers at once (TCP_NODELAY).
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(asgi_app(handler), log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]  # signals are pytest's
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.001)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        server.should_exit = True
        await serving


def test_inside_uvicorn() -> None:
    async def test() -> None:
        gone = asyncio.Event()
        recorder = Recorder()

        async def handler(request: HttpRequest, responder: Responder) -> None:
            if request.path == "/abort":
                responder.start(200, ())
                responder.write(b"half")
                await asyncio.sleep(0)
                responder.abort()
            elif request.path == "/listen":
                responder.on_close(gone.set)
                responder.start(200, ())
                responder.write(b"event")
                await gone.wait()
            else:
                await recorder(request, responder)

        async with inside_uvicorn(handler) as client:
            client.send(b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            reply = await client.reply()
            assert (reply.status, reply.body) == (200, b"/x|hi")
            client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
            assert (await client.reply(to_head=True)).headers[b"content-length"] == b"2"
            assert (await client.reply()).body == b"/|"
            client.send(b"GET /abort HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
        async with inside_uvicorn(handler) as client:
            client.send(b"GET /listen HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.head()
            assert await client.chunk() == b"event"
            client.close()
            await gone.wait()

    run(test())
