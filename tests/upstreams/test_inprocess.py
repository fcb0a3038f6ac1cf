"""An application of this process answers as one behind a socket would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.upstreams.failures import BadRequest, ConnectFailed, ConnectionLost
from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.inprocess import UNREAD, AsgiApp, InProcess, StartFailed
from lockgate.wire.url import Url

URL = Url.parse("http://localhost:8000/mcp?a=1%20b")
App = Callable[[Any, Any, Any], Awaitable[None]]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def http(answer: App) -> AsgiApp:
    """An application without a lifespan."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await answer(scope, receive, send)

    return app


async def begun(app: AsgiApp) -> InProcess:
    inside = InProcess(app)
    await inside.start()
    return inside


async def start(send: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send: Any, data: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def test_it_sees_what_a_web_server_would_show_it() -> None:
    async def work() -> None:
        seen: dict[str, Any] = {}

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            seen.update(scope, body=(await receive())["body"])
            await start(send, 201, (b"X-One", b"1"), (b"x-one", b"2"))
            await body(send, b"whole")

        inside = await begun(http(answer))
        reply = await inside.request(URL, b"POST", KeptHeaders([(b"accept", b"*/*")]), b"asked")
        assert (reply.status, reply.headers, reply.complete) == (201, {b"x-one": b"1, 2"}, True)
        assert await reply.read(100) == b"whole"
        assert (seen["path"], seen["query_string"], seen["method"]) == ("/mcp", b"a=1%20b", "POST")
        assert dict(seen["headers"]) == {
            b"host": b"localhost:8000",
            b"accept": b"*/*",
            b"content-length": b"5",
        }
        assert seen["body"] == b"asked"

    run(work)


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=50), max_size=6), st.booleans())
def test_an_answer_in_parts_is_the_same_answer(parts: list[bytes], pausing: bool) -> None:
    async def work() -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await start(send)
            for part in parts:
                if pausing:
                    await asyncio.sleep(0)
                await body(send, part, more=True)
            await body(send, b"")

        inside = await begun(http(answer))
        reply = await inside.request(URL, b"GET", [])
        assert await reply.read(1000) == b"".join(parts)

    run(work)


def test_the_head_of_a_silent_stream_comes_at_once() -> None:
    async def work() -> None:
        told = asyncio.Event()

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await start(send, 200, (b"content-type", b"text/event-stream"))
            assert (await receive())["type"] == "http.disconnect"
            told.set()
            # Nobody reads it any more, and a server says nothing about that.
            await body(send, b"late", more=True)

        inside = await begun(http(answer))
        reply = await inside.request(URL, b"GET", [], stream=True)
        assert not reply.complete
        reply.close()
        await told.wait()
        await inside.stop(1)
        assert inside.running == 0

    run(work)


def test_cancelling_a_request_shows_a_disconnect() -> None:
    async def work() -> None:
        waiting, told = asyncio.Event(), asyncio.Event()

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            waiting.set()
            await receive()
            told.set()

        inside = await begun(http(answer))
        request = asyncio.create_task(inside.request(URL, b"POST", [], b"x"))
        await waiting.wait()
        request.cancel()
        await told.wait()

    run(work)


def test_an_application_waits_for_its_reader() -> None:
    async def work() -> None:
        sent = 0

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await start(send)
            while sent < 100:
                sent += 1
                await body(send, bytes(UNREAD // 4), more=True)
            await body(send, b"")

        inside = await begun(http(answer))
        reply = await inside.request(URL, b"GET", [])
        for _ in range(50):
            await asyncio.sleep(0)
        assert sent < 10
        assert sum([len(chunk) async for chunk in reply.chunks()]) == 100 * (UNREAD // 4)

    run(work)


@pytest.mark.parametrize("at", ["before", "after the head", "within"])
def test_an_application_that_fails_fails_this_request(at: str) -> None:
    async def work() -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if at != "before":
                await start(send)
            if at == "within":
                await body(send, b"half", more=True)
            if scope["method"] == "POST":
                raise RuntimeError("a defect")

        inside = await begun(http(answer))
        for method in (b"POST", b"GET"):
            reply = await inside.request(URL, method, [])
            if at == "within":
                with pytest.raises(ConnectionLost):
                    await reply.read(100)
            else:
                assert reply.status == 500
        await inside.stop(1)
        assert inside.running == 0

    run(work)


def test_what_cannot_come_over_a_network_does_not_come() -> None:
    async def work() -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("never asked")

        inside = InProcess(http(answer))
        with pytest.raises(ConnectFailed):
            await inside.request(URL, b"GET", [])
        await inside.start()
        for headers in ([(b"a", b"b\r\nc: d")], KeptHeaders([(b"a", b"b\r\nc: d")])):
            with pytest.raises(BadRequest):
                await inside.request(URL, b"GET", headers)
        with pytest.raises(RuntimeError):
            inside.tls()

    run(work)


class Living:
    """An application that notes its life."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.life: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.life.append(scope["state"]["made"])
            await start(send)
            await body(send, b"")
            return
        while True:
            phase = (await receive())["type"].partition(".")[2]
            self.life.append(phase)
            if self.fails == phase:
                await send({"type": f"lifespan.{phase}.failed", "message": "no database"})
                return
            scope["state"]["made"] = "here"
            await send({"type": f"lifespan.{phase}.complete"})
            if phase == "shutdown":
                return


def test_its_lifespan_runs_once_and_every_request_finds_its_state() -> None:
    async def work() -> None:
        app = Living()
        inside = await begun(app)
        for _ in range(2):
            await inside.request(URL, b"GET", [])
        await inside.stop(1)
        assert app.life == ["startup", "here", "here", "shutdown"]
        with pytest.raises(ConnectFailed):
            await inside.request(URL, b"GET", [])

    run(work)


def test_a_start_that_fails_says_why() -> None:
    async def work() -> None:
        with pytest.raises(StartFailed, match="no database"):
            await begun(Living("startup"))
        # A stop that fails is logged, and is a stop all the same.
        await (await begun(Living("shutdown"))).stop(1)

    run(work)


def test_requests_share_no_context() -> None:
    async def work() -> None:
        number: ContextVar[int] = ContextVar("number", default=0)
        seen: list[int] = []

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            seen.append(number.get())
            number.set(number.get() + 1)
            await start(send)
            await body(send, b"")

        inside = await begun(http(answer))
        number.set(7)
        for _ in range(2):
            await inside.request(URL, b"GET", [])
        assert seen == [0, 0]

    run(work)
