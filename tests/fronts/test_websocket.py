"""Clients on a WebSocket: handshake, both eras, limits, silence and the end; over real sockets."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from lockgate.core.message import Call, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.fronts.asgi import AsgiAnswer
from lockgate.fronts.http import HttpLimits
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from tests.fronts.play import META, FakeEngine, FakeResponder, Play, http, message, playing, result
from tests.fronts.served import run, serving

MCP = Subprotocol("mcp")
INITIALIZE = message(
    "initialize",
    {
        "protocolVersion": "2025-11-25",
        "capabilities": {"sampling": {}},
        "clientInfo": {"name": "c", "version": "1"},
    },
    "i",
)
READY = message("notifications/initialized", number=None)
UPGRADE = {
    b"upgrade": b"websocket",
    b"connection": b"upgrade",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": b"AAAAAAAAAAAAAAAAAAAAAA==",
    b"sec-websocket-protocol": b"mcp",
}


class World:
    """An exchange behind a native server, and clients of it."""

    def __init__(self, play: Play, server: HttpServer, port: int) -> None:
        self.play = play
        self.server = server
        self.port = port

    async def connect(self, **options: Any) -> ClientConnection:
        options.setdefault("subprotocols", [MCP])
        return await connect(f"ws://127.0.0.1:{self.port}/mcp", proxy=None, **options)

    async def open(self) -> ClientConnection:
        client = await self.connect()
        await say(client, INITIALIZE)
        assert (await hear(client))["id"] == "i"
        await say(client, READY)
        return client

    async def called(self) -> None:
        calls = self.play.engine.calls
        while not any(call.method == "tools/call" for call in calls):  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # listening may begin before or after
        calls.clear()

    async def none_left(self) -> None:
        # A connection is gone before what it asked has ended, and that is over with its handler.
        stats, sockets = self.server.stats, self.play.exchange.websocket
        while len(sockets) or stats.connections or stats.handlers:
            await asyncio.sleep(0.001)  # nothing tells when the kernel has delivered
            stats = self.server.stats


def within(
    body: Callable[[World], Awaitable[None]],
    scripts: Mapping[str, Callable[[Call], Awaitable[Reply]]] | None = None,
    limits: HttpLimits | None = None,
    **settings: Any,
) -> None:
    async def go() -> None:
        engine = FakeEngine()
        engine.scripts.update(scripts or {})
        async with playing(engine, **settings) as play:
            server = HttpServer(Routes({"/mcp": play.exchange}), limits)
            [(_, port)] = await server.start("127.0.0.1", 0)
            try:
                await body(World(play, server, port))
            finally:
                await play.exchange.drain()
                await server.drain(0.2)
            assert server.stats.connections == 0
            assert server.stats.handlers == 0

    run(go())


async def say(client: ClientConnection, one: Any) -> None:
    await client.send(one if isinstance(one, str) else msgspec.json.encode(one).decode())


async def hear(client: ClientConnection) -> Any:
    heard = await client.recv()
    assert isinstance(heard, str)
    return msgspec.json.decode(heard)


async def closed(client: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        await client.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


async def forever(_: Call) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def test_both_eras_on_one_socket() -> None:
    async def body(world: World) -> None:
        client = await world.connect()
        assert client.subprotocol == "mcp"
        await say(client, message("tools/list", {"_meta": META}, 1))
        assert (await hear(client))["result"]["resultType"] == "complete"
        assert world.play.engine.last.client.era == "modern"
        await say(client, INITIALIZE)
        assert (await hear(client))["result"]["protocolVersion"] == "2025-11-25"
        await say(client, message("tools/list", number=2))
        assert (await hear(client)) == {"jsonrpc": "2.0", "id": 2, "result": {"ok": True}}
        call = world.play.engine.last
        assert (call.client.era, call.facts["transport"]) == ("handshake", "websocket")
        await client.close()
        await world.none_left()
        assert world.play.engine.ended == [call.affinity]

    within(body)


def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    async def act(call: Call) -> Reply:
        if "inputResponses" in call.params:
            return result({"said": call.params["inputResponses"]["a"]})
        asked = {"inputRequests": {"a": {"method": "sampling/createMessage", "params": {}}}}
        return result(asked, "input_required")

    async def body(world: World) -> None:
        client = await world.open()
        await say(client, message("tools/call", {"name": "x"}, 2))
        question = await hear(client)
        await say(client, {"jsonrpc": "2.0", "id": question["id"], "result": {"text": "hi"}})
        assert (await hear(client))["result"] == {"said": {"text": "hi"}}

    within(body, {"tools/call": act})


def test_two_clients_share_nothing() -> None:
    async def act(call: Call) -> Reply:
        call.emit(Notification("notifications/progress", Raw.of({"progress": 1})))
        return result({"affinity": call.affinity})

    async def body(world: World) -> None:
        one, two = await world.open(), await world.open()
        asked = message("tools/call", {"name": "x", "_meta": {"progressToken": 1}}, 2)
        await say(one, asked)
        assert (await hear(one))["method"] == "notifications/progress"
        mine = (await hear(one))["result"]["affinity"]
        await say(two, asked)
        assert (await hear(two))["method"] == "notifications/progress"
        assert (await hear(two))["result"]["affinity"] != mine

    within(body, {"tools/call": act})


def test_messages_in_fragments_and_large_ones_arrive() -> None:
    async def body(world: World) -> None:
        client = await world.open()
        text = msgspec.json.encode(message("tools/call", {"name": "x" * 50_000}, 2)).decode()
        await client.send([text[:10], "", text[10:30_000], text[30_000:]])
        assert (await hear(client))["id"] == 2
        names = [call.params.get("name") for call in world.play.engine.calls]
        assert names.count("x" * 50_000) == 1

    within(body)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(b"{}", 1003), ([b"{", b"}"], 1003), ("x" * 2000, 1009), (["x" * 600] * 2, 1009)],
)
def test_what_is_no_message_closes_with_its_code(sent: Any, code: int) -> None:
    async def body(world: World) -> None:
        client = await world.connect()
        await client.send(sent)
        assert await closed(client) == code
        await world.none_left()

    within(body, message_bytes=1000)


def test_what_is_no_json_is_answered_and_the_socket_stays() -> None:
    async def body(world: World) -> None:
        client = await world.open()
        await say(client, "{")
        assert (await hear(client))["error"]["code"] == -32700
        await say(client, message("ping"))
        assert (await hear(client))["result"] == {}

    within(body)


def test_a_client_that_goes_away_calls_off_what_it_asked() -> None:
    async def body(world: World) -> None:
        for abrupt in (True, False):
            client = await world.open()
            await say(client, message("tools/call", {"name": "x"}, 2))
            await world.called()
            if abrupt:
                client.transport.abort()
            else:
                await client.close()
            await world.none_left()
            assert "tools/call" in world.play.engine.cancelled
            world.play.engine.cancelled.clear()

    within(body, {"tools/call": forever})


def test_draining_lets_answers_out_and_then_says_going_away() -> None:
    finish = asyncio.Event()

    async def act(_: Call) -> Reply:
        await finish.wait()
        return result({"late": True})

    async def body(world: World) -> None:
        idle, busy = await world.connect(), await world.open()
        await say(busy, message("tools/call", {"name": "x"}, 2))
        await world.called()
        await world.play.exchange.drain()
        assert await closed(idle) == 1001
        await say(busy, message("ping", number=3))
        assert (await hear(busy))["error"]["data"]["reason"] == "draining"
        finish.set()
        assert (await hear(busy))["result"] == {"late": True}
        assert await closed(busy) == 1001
        await world.none_left()
        with pytest.raises(InvalidStatus) as refused:
            await world.connect()
        assert refused.value.response.status_code == 503

    within(body, {"tools/call": act})


def test_a_silent_client_is_pinged_and_then_given_up() -> None:
    async def body(world: World) -> None:
        play = world.play
        client = await world.open()
        for _ in range(5):
            play.clock.advance(16)
            play.exchange.pulse.beat()
            await say(client, message("ping"))
            assert (await hear(client))["result"] == {}
        # Nothing answers here: a raw connection that only ever sent its handshake.
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(upgrade())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        play.clock.advance(16)
        play.exchange.pulse.beat()
        assert await reader.readexactly(2) == b"\x89\x00"
        await say(client, message("ping"))
        await hear(client)
        play.clock.advance(30)
        play.exchange.pulse.beat()
        head = await reader.readexactly(4)
        assert (head[:1], int.from_bytes(head[2:])) == (b"\x88", 1011)
        play.clock.advance(3)
        play.exchange.pulse.beat()
        await reader.read()
        writer.close()
        await client.close()
        await world.none_left()

    within(body)


PING = msgspec.json.encode(message("ping"))
SLOW = {
    "a frame byte by byte": (bytes((0x81, 0x80 | len(PING))) + b"\0\0\0\0", [b" "] * 5),
    "a message in fragments": (b"\x01\x80\0\0\0\0", [b"\x00\x81\0\0\0\0 "] * 5),
    "fragments between pings": (b"\x01\x80\0\0\0\0", [b"\x89\x80\0\0\0\0"] * 5),
}


@pytest.mark.parametrize("way", SLOW)
def test_a_message_has_its_time_however_lively_its_sender(way: str) -> None:
    start, drops = SLOW[way]

    async def body(world: World) -> None:
        play = world.play
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(upgrade())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        whole = bytes((0x81, 0x80 | len(PING))) + b"\0\0\0\0" + PING
        for _ in range(3):  # whole messages, for longer than one of them may take
            writer.write(whole)
            assert b"result" in await reader.readuntil(b"}}")
            play.clock.advance(10)
            play.exchange.pulse.beat()
        [socket] = play.exchange.websocket._sockets
        heard = socket._heard
        writer.write(start)
        for drop in drops:
            writer.write(drop)
            while socket._heard == heard and socket._closed_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)  # nothing tells when the kernel has delivered
            heard = socket._heard
            play.clock.advance(8)
            play.exchange.pulse.beat()
        said = await reader.readuntil(b"arrive.")
        assert (1008).to_bytes(2, "big") + b"The message took too long" in said
        writer.transport.abort()
        await world.none_left()

    within(body)


def test_messages_that_wait_are_bounded_in_bytes() -> None:
    """Who leaves answers unread is not read from: few large messages are enough for that."""

    async def act(_: Call) -> Reply:
        return result({"text": "x" * 400_000})

    async def body(world: World) -> None:
        client = await world.open()
        [socket] = world.play.exchange.websocket._sockets
        client.transport.pause_reading()
        big = message("tools/call", {"name": "x", "arguments": {"a": "y" * 90_000}}, 0)

        async def feed() -> None:
            for number in range(100):
                await say(client, {**big, "id": number})

        feeding = asyncio.create_task(feed())
        while not socket._paused:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        assert socket._waiting_bytes < 100_000 + 512 * 1024
        assert len(socket._waiting) < 64
        feeding.cancel()
        client.transport.abort()
        await world.none_left()

    limits = HttpLimits(unsent_bytes=256 * 1024 * 1024)
    within(body, {"tools/call": act}, limits, message_bytes=100_000)


def upgrade(**changes: bytes) -> bytes:
    headers = {b"host": b"localhost", **UPGRADE}
    headers.update({name.replace("_", "-").encode(): value for name, value in changes.items()})
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers.items() if value)
    return b"GET /mcp HTTP/1.1\r\n" + lines + b"\r\n"


def test_what_follows_the_handshake_at_once_is_not_lost() -> None:
    text = msgspec.json.encode(message("ping"))
    frame = bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text

    async def body(world: World) -> None:
        for pieces in (
            [upgrade() + frame],
            [upgrade(), frame],
            [b"", upgrade() + frame[:3], frame[3:]],
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            for piece in pieces:
                writer.write(piece)
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            kind, size = await reader.readexactly(2)
            assert kind == 0x81
            assert msgspec.json.decode(await reader.readexactly(size))["result"] == {}
            writer.transport.abort()

    within(body)


def test_over_tls(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def go() -> None:
        async with playing() as play, serving(play.exchange, None, certificate) as served:
            url = f"wss://localhost:{served.port}/mcp"
            async with connect(
                url, ssl=served.trust, host="127.0.0.1", proxy=None, subprotocols=[MCP]
            ) as client:
                await say(client, message("ping"))
                assert (await hear(client))["result"] == {}

    run(go())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"sec_websocket_protocol": b""}, 400),
        ({"sec_websocket_protocol": b"other, mcp2"}, 400),
        ({"sec_websocket_version": b"8"}, 426),
        ({"sec_websocket_key": b""}, 400),
        ({"sec_websocket_key": b"short"}, 400),
        ({"sec_websocket_key": UPGRADE[b"sec-websocket-key"] + b"\r\nsec-websocket-key: x"}, 400),
        ({"host": b"evil.example"}, 421),
        ({"origin": b"https://evil.example"}, 403),
        ({"content_length": b"2"}, 406),
        ({"upgrade": b"h2c"}, 406),
    ],
)
def test_handshakes_that_do_not_fit_are_refused(changes: dict[str, bytes], status: int) -> None:
    async def body(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(upgrade(**changes) + b"{}")
        line = await reader.readline()
        assert line.split()[1] == b"%d" % status
        writer.close()
        assert not len(world.play.exchange.websocket)

    within(body)


def test_a_refused_upgrade_is_the_last_request_of_its_connection() -> None:
    async def body(world: World) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        bad = upgrade(sec_websocket_version=b"8")
        writer.write(bad + b"GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        assert answer.count(b"HTTP/1.1") == 1
        assert b"connection: close" in answer
        writer.close()

    within(body)


def test_the_number_of_sockets_is_bounded() -> None:
    async def body(world: World) -> None:
        client = await world.connect()
        with pytest.raises(InvalidStatus) as refused:
            await world.connect()
        assert refused.value.response.status_code == 503
        await client.close()
        await world.none_left()
        await world.connect()

    within(body, websockets=1)


def test_a_place_is_free_when_what_ran_on_it_has_ended() -> None:
    may_end, stubborn = asyncio.Event(), asyncio.Event()

    async def act(_: Call) -> Reply:
        try:
            return await forever(_)
        finally:
            stubborn.set()
            await may_end.wait()

    async def body(world: World) -> None:
        client = await world.open()
        await say(client, message("tools/call", {"name": "x"}, 2))
        await world.called()
        client.transport.abort()
        await stubborn.wait()
        with pytest.raises(InvalidStatus) as refused:
            await world.connect()
        assert refused.value.response.status_code == 503
        may_end.set()
        await world.none_left()
        await world.connect()

    within(body, {"tools/call": act}, websockets=1)


def test_a_client_that_reads_nothing_is_not_read_from() -> None:
    async def act(_: Call) -> Reply:
        return result({"text": "x" * 200_000})

    async def body(world: World) -> None:
        client = await world.open()
        client.transport.pause_reading()
        asked = 0
        for number in range(2000):
            await say(client, message("tools/call", {"name": "x"}, number))
            asked += 1
        await asyncio.sleep(0.05)  # long enough for everything that would be read to be read
        assert len(world.play.engine.calls) < asked / 4
        client.transport.resume_reading()
        client.transport.abort()
        await world.none_left()

    within(body, {"tools/call": act}, HttpLimits(unsent_bytes=256 * 1024 * 1024))


def test_without_the_library_the_answer_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.server", None)

    async def body(world: World) -> None:
        responder = FakeResponder()
        await world.play.exchange(http(headers=UPGRADE, method="GET"), responder)
        assert responder.status == 501
        said = responder.json()["error"]["data"]
        assert said["reason"] == "websocket-unavailable"
        assert "lockgate[websocket]" in said["remedy"]

    within(body)


def test_shells_that_cannot_say_so() -> None:
    async def body(world: World) -> None:
        responder = await world.play.ask(http(headers=UPGRADE, method="GET"))
        assert responder.status == 501
        assert AsgiAnswer(bare=False, unsent_bytes=1).take_over(None) is None  # pyright: ignore[reportArgumentType]  # unused

    within(body)
