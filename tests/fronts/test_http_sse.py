"""Clients of revision 2024-11-05 over HTTP: the stream, the address it names, and their ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest

from lockgate.core.message import ANONYMOUS, Call, Notification, Principal, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from lockgate.wire import sse
from tests.fronts.play import META, FakeEngine, FakeResponder, Play, http, message, playing, result

VERSION = "2024-11-05"
INITIALIZE = message(
    "initialize",
    {
        "protocolVersion": VERSION,
        "capabilities": {"sampling": {}},
        "clientInfo": {"name": "c", "version": "1"},
    },
    "i",
)
READY = message("notifications/initialized", number=None)


class Client:
    """One client: its stream, and posts to the address the stream named."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.stream = FakeResponder()
        self.query = ""

    async def connect(self, principal: Principal = ANONYMOUS) -> Client:
        accept = {b"accept": b"text/event-stream"}
        get = http(b"", accept, method="GET", path="/sse", principal=principal)
        await self.play.exchange.http_sse.stream(get, self.stream)
        first = sse.Parser(1 << 20).feed(self.stream.body)[0]
        assert first.event == "endpoint"
        path, _, self.query = first.data.decode().partition("?")
        assert path == "/messages"
        return self

    async def post(self, body: Any, query: str | None = None, **kw: Any) -> FakeResponder:
        responder = FakeResponder()
        made = http(body, {b"accept": None}, path="/messages", **kw)
        request = made.replace(query=self.query if query is None else query)
        await self.play.exchange.http_sse.messages(request, responder)
        return responder

    async def open(self) -> Any:
        assert (await self.post(INITIALIZE)).status == 202
        opened = await self.hear()
        await self.post(READY)
        return opened

    async def hear(self, number: int = 1) -> Any:
        def heard(stream: FakeResponder) -> list[sse.Event]:
            events = sse.Parser(1 << 20).feed(stream.body)
            return [event for event in events if event.event == "message"]

        await self.stream.until(lambda it: len(heard(it)) >= number)
        return msgspec.json.decode(heard(self.stream)[number - 1].data)


def within(
    body: Callable[[Play, Client], Awaitable[None]],
    scripts: Mapping[str, Callable[[Call], Awaitable[Reply]]] | None = None,
    **settings: Any,
) -> None:
    async def run() -> None:
        engine = FakeEngine()
        engine.scripts.update(scripts or {})
        async with playing(engine, **settings) as play:
            await body(play, await Client(play).connect())

    asyncio.run(run())


async def forever(_: Call) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_session_from_opening_to_end() -> None:
    async def body(play: Play, client: Client) -> None:
        assert client.stream.headers[b"content-type"] == b"text/event-stream"
        opened = await client.open()
        assert opened["id"] == "i"
        assert opened["result"]["protocolVersion"] == VERSION
        answer = await client.post(message("tools/call", {"name": "x"}, 2))
        assert (answer.status, answer.body) == (202, b"")
        assert (await client.hear(2)) == {"jsonrpc": "2.0", "id": 2, "result": {"ok": True}}
        call = next(call for call in play.engine.calls if call.method == "tools/call")
        assert call.client.protocol_version == VERSION
        assert call.facts["transport"] == "http-sse"
        client.stream.leave()
        while not play.engine.ended:  # noqa: ASYNC110  # the fake engine tells nobody
            await asyncio.sleep(0)
        assert play.engine.ended == [call.affinity]
        assert len(play.exchange.http_sse) == 0
        assert (await client.post(message("ping"))).status == 404

    within(body)


def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    async def act(call: Call) -> Reply:
        if "inputResponses" in call.params:
            return result({"said": call.params["inputResponses"]["a"]})
        asked = {"inputRequests": {"a": {"method": "sampling/createMessage", "params": {}}}}
        return result(asked, "input_required")

    async def body(_: Play, client: Client) -> None:
        await client.open()
        await client.post(message("tools/call", {"name": "x"}, 2))
        question = await client.hear(2)
        assert question["method"] == "sampling/createMessage"
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"text": "hi"}}
        assert (await client.post(answer)).status == 202
        assert (await client.hear(3))["result"] == {"said": {"text": "hi"}}

    within(body, {"tools/call": act})


def test_what_belongs_to_no_request_comes_on_the_stream_and_silence_is_filled() -> None:
    async def listens(call: Call) -> Reply:
        call.emit(Notification("notifications/subscriptions/acknowledged", Raw.of({})))
        call.emit(Notification("notifications/tools/list_changed"))
        return await forever(call)

    async def body(play: Play, client: Client) -> None:
        await client.open()
        assert (await client.hear(2))["method"] == "notifications/tools/list_changed"
        play.clock.advance(20)
        play.exchange.pulse.beat()
        assert client.stream.body.endswith(b": keep-alive\n\n")

    within(body, {"subscriptions/listen": listens})


def test_a_client_that_goes_away_calls_off_what_it_asked() -> None:
    async def body(play: Play, client: Client) -> None:
        await client.open()
        await client.post(message("tools/call", {"name": "x"}, 2))
        while play.engine.last.method != "tools/call":  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)
        client.stream.leave()
        while "tools/call" not in play.engine.cancelled:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0)

    within(body, {"tools/call": forever})


def test_draining_ends_streams_once_their_answers_are_out() -> None:
    finish = asyncio.Event()

    async def act(_: Call) -> Reply:
        await finish.wait()
        return result({"late": True})

    async def body(play: Play, client: Client) -> None:
        idle = await Client(play).connect()
        await client.open()
        await client.post(message("tools/call", {"name": "x"}, 2))
        await play.exchange.drain()
        assert idle.stream.done
        assert not client.stream.done
        assert (await client.post(message("ping", number=3))).status == 202
        refused = await client.hear(2)
        assert refused["error"]["data"]["reason"] == "draining"
        finish.set()
        assert (await client.hear(3))["result"] == {"late": True}
        await client.stream.until(lambda it: it.done)

    within(body, {"tools/call": act})


def test_what_runs_when_time_is_over_is_answered_as_cut_off() -> None:
    async def body(play: Play, client: Client) -> None:
        await client.open()
        await client.post(message("tools/call", {"name": "x"}, 2))
        await play.exchange.drain()
        await play.exchange.finish()
        assert (await client.hear(2))["error"]["data"]["reason"] == "gateway-stopped"
        assert client.stream.done
        assert not len(play.exchange.http_sse)

    within(body, {"tools/call": forever})


@pytest.mark.parametrize(
    "query", ["", "session=", "session=x", "session=" + "x" * 600, "session={0}&session={0}", "{0}"]
)
def test_only_the_sealed_address_takes_messages(query: str) -> None:
    async def body(_: Play, client: Client) -> None:
        token = client.query.removeprefix("session=")
        refused = await client.post(INITIALIZE, query.format(token))
        assert refused.status == 404
        assert refused.json()["error"]["data"]["reason"] == "session-unknown"

    within(body)


def test_an_address_is_good_for_its_principal_only() -> None:
    async def body(play: Play, _: Client) -> None:
        alice, bob = Principal(id="alice"), Principal(id="bob")
        client = await Client(play).connect(alice)
        assert (await client.post(INITIALIZE, principal=bob)).status == 404
        assert (await client.post(INITIALIZE, principal=alice)).status == 202
        await client.hear()
        assert play.engine.calls[-1].principal is alice

    within(body)


def test_requests_that_do_not_fit_are_refused() -> None:
    async def body(play: Play, client: Client) -> None:
        front = play.exchange.http_sse
        assert (await client.post(INITIALIZE, method="GET")).headers[b"allow"] == b"POST"
        wrong = FakeResponder()
        await front.messages(http(b"{}", {b"content-type": b"text/plain"}), wrong)
        assert wrong.status == 415
        put = FakeResponder()
        await front.stream(http(method="PUT"), put)
        assert (put.status, put.headers[b"allow"]) == (405, b"GET")
        json = FakeResponder()
        await front.stream(http(headers={b"accept": b"application/json"}, method="GET"), json)
        assert json.status == 406
        assert ((broken := await client.post(b"{")).status, broken.code) == (400, -32700)
        batch = await client.post(msgspec.json.encode([message("ping")]))
        assert (batch.status, batch.code) == (400, -32600)

    within(body)


def test_the_stateless_era_is_not_spoken_here() -> None:
    async def body(_: Play, client: Client) -> None:
        await client.post(message("ping", number=1))
        assert (await client.hear(1))["result"] == {}
        await client.post(message("tools/list", {"_meta": META}, 2))
        refused = await client.hear(2)
        assert refused["error"]["data"]["reason"] == "not-initialized"

    within(body)


def test_the_number_of_clients_is_bounded() -> None:
    async def body(play: Play, _: Client) -> None:
        await Client(play).connect()
        third = FakeResponder()
        await play.exchange.http_sse.stream(http(method="GET"), third)
        assert third.status == 503
        assert third.headers[b"retry-after"] == b"1"

    within(body, sse_streams=2)


def test_an_sdk_client_over_real_connections() -> None:
    sdk = pytest.importorskip("mcp.client.sse")
    session = pytest.importorskip("mcp").ClientSession

    async def run() -> None:
        tools = {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
        engine = FakeEngine().on("tools/list", result(tools))
        async with playing(engine) as play:
            front = play.exchange.http_sse
            server = HttpServer(Routes({"/sse": front.stream, "/messages": front.messages}))
            [(_, port)] = await server.start("127.0.0.1", 0)
            try:
                async with (
                    sdk.sse_client(f"http://127.0.0.1:{port}/sse") as (read, write),
                    session(read, write) as client,
                ):
                    await client.initialize()
                    listed = await client.list_tools()
                    assert [tool.name for tool in listed.tools] == ["t"]
            finally:
                await play.exchange.drain()
                await server.drain(1)

    asyncio.run(run())


def test_addresses_cannot_be_guessed_or_told_apart() -> None:
    async def body(play: Play, client: Client) -> None:
        other = await Client(play).connect()
        assert client.query != other.query
        assert re.fullmatch(r"session=[A-Za-z0-9_-]{80,}", client.query)

    within(body)
