from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.stdio import StdioFront
from tests.fronts.play import META, FakeEngine, message, result

ACK = "notifications/subscriptions/acknowledged"


class Pipe:
    """The client's ends of the two streams."""

    def __init__(self) -> None:
        self.input = asyncio.StreamReader()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self._lines.put_nowait(data)

    async def drain(self) -> None:
        await self.open.wait()

    def say(self, *messages: Mapping[str, Any] | bytes) -> None:
        for one in messages:
            data = one if isinstance(one, bytes) else msgspec.json.encode(one)
            self.input.feed_data(data + b"\n")

    async def hear(self) -> Any:
        return msgspec.json.decode(await self._lines.get())

    @property
    def silent(self) -> bool:
        return self._lines.empty()


@asynccontextmanager
async def serving(engine: FakeEngine, **options: Any):
    pipe = Pipe()
    front = StdioFront(engine, grace=options.pop("grace", 0.2), **options)
    async with asyncio.timeout(60):
        task = asyncio.create_task(front.serve(pipe.input, pipe))
        try:
            yield pipe
        finally:
            pipe.input.feed_eof()
            await task


def modern(method: str, params: Mapping[str, Any] | None = None, number: Any = 1) -> dict[str, Any]:
    return message(method, {**(params or {}), "_meta": META}, number)


INITIALIZE = message(
    "initialize",
    {
        "protocolVersion": "2025-06-18",
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "c", "version": "1"},
    },
    "i",
)
READY = message("notifications/initialized", number=None)


async def forever(_: Call) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def test_both_eras_on_one_pipe() -> None:
    async def run() -> None:
        engine = FakeEngine()
        async with serving(engine) as pipe:
            pipe.say(modern("tools/list"))
            assert (await pipe.hear())["result"]["resultType"] == "complete"
            assert engine.last.client.era == "modern"
            pipe.say(INITIALIZE)
            assert (await pipe.hear())["result"]["protocolVersion"] == "2025-06-18"
            pipe.say(READY, message("tools/list", number=2))
            assert await pipe.hear() == {"jsonrpc": "2.0", "id": 2, "result": {"ok": True}}
            [listed] = [c for c in engine.calls if c.method == "tools/list" and c.id == 2]
            assert listed.client.era == "handshake"
            assert listed.affinity
            pipe.say(message("ping", number=3))
            assert (await pipe.hear())["result"] == {}
            pipe.say(modern("ping", number=4))
            assert (await pipe.hear())["error"]["code"] == -32601

    asyncio.run(run())


def test_before_a_session_only_stateless_requests_are_understood() -> None:
    async def run() -> None:
        async with serving(FakeEngine()) as pipe:
            pipe.say(message("tools/list"))
            assert (await pipe.hear())["error"]["code"] == -32602
            pipe.say(READY, message("notifications/x", number=None))
            pipe.say({"jsonrpc": "2.0", "id": 1, "result": {}})
            pipe.say(message("ping"))
            assert (await pipe.hear())["result"] == {}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        (b"{", -32700, None),
        (b"[]", -32600, None),
        (b'{"jsonrpc":"2.0","id":7,"method":"x","params":[]}', -32600, 7),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":' + b"[" * 99 + b"]" * 99 + b"}}",
            -32600,
            7,
        ),
        (b"x" * 5000, -32600, None),
    ],
)
def test_a_bad_line_is_answered_and_the_next_one_served(
    line: bytes, code: int, number: Any
) -> None:
    async def run() -> None:
        async with serving(FakeEngine(), line_bytes=1000) as pipe:
            for _ in range(2):
                pipe.say(line, b"", b"  ", modern("tools/list", number=8))
                bad = await pipe.hear()
                assert (bad["error"]["code"], bad["id"]) == (code, number)
                assert (await pipe.hear())["id"] == 8

    asyncio.run(run())


def test_an_endless_line_is_not_kept() -> None:
    async def run() -> None:
        async with serving(FakeEngine(), line_bytes=1000) as pipe:
            for _ in range(5):
                pipe.input.feed_data(b"y" * 1000)
                await asyncio.sleep(0)
            assert (await pipe.hear())["error"]["code"] == -32600
            pipe.say(b"tail", modern("tools/list"))
            assert (await pipe.hear())["id"] == 1

    asyncio.run(run())


def test_requests_run_side_by_side_and_line_breaks_in_results_are_harmless() -> None:
    async def run() -> None:
        go = asyncio.Event()

        async def slow(_: Call) -> Reply:
            await go.wait()
            return result({"slow": True})

        engine = FakeEngine().on("tools/call", slow)
        engine.on("tools/list", type(result({}))(Raw(b'{\n "resultType": "complete",\r\n "x": 1}')))
        async with serving(engine) as pipe:
            pipe.say(
                modern("tools/call", {"name": "x"}, 1), modern("prompts/get", {"name": "x"}, 2)
            )
            assert (await pipe.hear())["id"] == 2
            pipe.say(modern("tools/list", number=3))
            assert (await pipe.hear())["result"]["x"] == 1
            go.set()
            assert (await pipe.hear())["result"]["slow"]

    asyncio.run(run())


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_cancelled_requests_are_cancelled_without_an_answer(era: str) -> None:
    async def run() -> None:
        engine = FakeEngine().on("tools/call", forever)
        async with serving(engine) as pipe:
            if era == "handshake":
                pipe.say(INITIALIZE)
                await pipe.hear()
            make = modern if era == "modern" else message
            cancel = message("notifications/cancelled", {"requestId": 1}, None)
            pipe.say(make("tools/call", {"name": "x"}, 1), cancel, make("tools/list", number=2))
            assert (await pipe.hear())["id"] == 2
            assert engine.cancelled == ["tools/call"]
            assert pipe.silent

    asyncio.run(run())


def test_listen_streams_are_tagged_and_end_with_a_result() -> None:
    async def run() -> None:
        async def listen(call: Call) -> Reply:
            call.emit(Notification(ACK, Raw.of({"notifications": {}})))
            return await forever(call)

        tag = {"io.modelcontextprotocol/subscriptionId": "l"}
        async with serving(FakeEngine().on("subscriptions/listen", listen)) as pipe:
            pipe.say(modern("subscriptions/listen", {"notifications": {}}, "l"))
            assert (await pipe.hear())["params"]["_meta"] == tag
            pipe.input.feed_eof()
            last = await pipe.hear()
            assert last["id"] == "l"
            assert last["result"]["_meta"] == tag

    asyncio.run(run())


def test_servers_ask_and_are_heard() -> None:
    async def run() -> None:
        async def listen(call: Call) -> Reply:
            call.emit(Notification(ACK))
            assert call.ask is not None
            replies.append(await call.ask("roots/list", Raw()))
            call.emit(Notification("notifications/tools/list_changed"))
            return await forever(call)

        replies: list[Reply] = []
        async with serving(FakeEngine().on("subscriptions/listen", listen)) as pipe:
            pipe.say(INITIALIZE)
            await pipe.hear()
            assert pipe.silent
            pipe.say(READY)
            asked = await pipe.hear()
            assert asked["method"] == "roots/list"
            pipe.say({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": []}})
            assert (await pipe.hear())["method"] == "notifications/tools/list_changed"
            assert len(replies) == 1

    asyncio.run(run())


def test_who_does_not_read_is_not_read_from() -> None:
    async def run() -> None:
        engine = FakeEngine()
        async with serving(engine) as pipe:
            pipe.open.clear()
            pipe.say(*(modern("tools/list", number=n) for n in range(50)))
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(engine.calls) <= 1
            pipe.open.set()
            for n in range(50):
                assert (await pipe.hear())["id"] == n

    asyncio.run(run())


def test_who_reads_nothing_is_given_up_when_too_much_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Notifications wait for nobody, so they have a bound in bytes."""
    settings = ExchangeSettings(unsent_bytes=100_000)
    note = Notification("notifications/message", Raw.of({"level": "info", "data": "x" * 1000}))

    async def run() -> None:
        async def act(call: Call) -> Reply:
            while True:
                call.emit(note)
                await asyncio.sleep(0)

        pipe = Pipe()
        front = StdioFront(FakeEngine().on("tools/call", act), settings, grace=1000)
        level = {"io.modelcontextprotocol/logLevel": "debug"}
        pipe.say(message("tools/call", {"name": "x", "_meta": {**META, **level}}, 1))
        async with asyncio.timeout(60):
            serving = asyncio.create_task(front.serve(pipe.input, pipe))
            while pipe.silent:  # noqa: ASYNC110 - looking takes nothing out
                await asyncio.sleep(0)
            pipe.open.clear()
            await serving
        assert 90 <= pipe._lines.qsize() < 200

    logging.getLogger("lockgate").propagate = True
    asyncio.run(run())
    assert "unsent_bytes" in caplog.text


def test_who_reads_is_not_given_up_however_much_there_is() -> None:
    settings = ExchangeSettings(unsent_bytes=100_000)
    note = Notification("notifications/message", Raw.of({"level": "info", "data": "x" * 1000}))

    async def run() -> None:
        async def act(call: Call) -> Reply:
            for _ in range(1000):
                call.emit(note)
                await asyncio.sleep(0)
            return result({"done": True})

        engine = FakeEngine().on("tools/call", act)
        async with serving(engine, settings=settings) as pipe:
            level = {"io.modelcontextprotocol/logLevel": "debug"}
            pipe.say(message("tools/call", {"name": "x", "_meta": {**META, **level}}, 1))
            heard = [await pipe.hear() for _ in range(1001)]
            assert heard[-1]["result"]["done"] is True

    asyncio.run(run())


def test_many_large_answers_wait_for_a_slow_reader_one_by_one() -> None:
    settings = ExchangeSettings(unsent_bytes=100_000)

    async def run() -> None:
        async def act(_: Call) -> Reply:
            return result({"text": "x" * 90_000})

        engine = FakeEngine().on("tools/call", act)
        async with serving(engine, settings=settings) as pipe:
            pipe.say(*(modern("tools/call", {"name": "x"}, number) for number in range(20)))
            await engine.called()
            pipe.open.clear()
            for _ in range(50):
                await asyncio.sleep(0)
            assert pipe._lines.qsize() < 4
            pipe.open.set()
            assert {(await pipe.hear())["id"] for _ in range(20)} == set(range(20))

    asyncio.run(run())


def test_requests_at_once_are_bounded() -> None:
    async def run() -> None:
        engine = FakeEngine().on("tools/call", forever)
        async with serving(engine, running=2, grace=0.01) as pipe:
            pipe.say(*(modern("tools/call", {"name": "x"}, n) for n in range(5)))
            for n in (2, 3, 4):
                refused = await pipe.hear()
                assert refused["id"] == n
                assert refused["error"]["data"]["reason"] == "too-many-calls"
            assert len(engine.calls) == 2

    asyncio.run(run())


def test_the_end_of_input_lets_requests_finish_within_grace() -> None:
    async def run() -> None:
        async def slow(_: Call) -> Reply:
            await asyncio.sleep(0.01)
            return result({})

        engine = FakeEngine().on("tools/call", slow).on("prompts/get", forever)
        async with serving(engine, grace=0.1) as pipe:
            pipe.say(INITIALIZE)
            await pipe.hear()
            pipe.say(
                message("tools/call", {"name": "x"}, 1), message("prompts/get", {"name": "x"}, 2)
            )
            await engine.called(3)
        assert (await pipe.hear())["id"] == 1
        cut = await pipe.hear()
        assert (cut["id"], cut["error"]["data"]["reason"]) == (2, "gateway-stopped")
        assert pipe.silent
        assert engine.cancelled == ["prompts/get"]
        assert len(engine.ended) == 1

    asyncio.run(run())


def test_draining_takes_nothing_new_and_waits_for_what_runs() -> None:
    async def run() -> None:
        engine = FakeEngine().on("tools/call", forever)
        front = StdioFront(engine)
        pipe = Pipe()
        async with asyncio.timeout(60):
            await front.drain(0.01)
            front = StdioFront(engine)
            serving = asyncio.create_task(front.serve(pipe.input, pipe))
            pipe.say(modern("tools/call", {"name": "x"}))
            await engine.called()
            await front.drain(0.01)
            assert engine.cancelled == ["tools/call"]
            await serving

    asyncio.run(run())
