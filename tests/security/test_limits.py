"""Bounds on everything a peer controls, exceeded through a running gateway.

Whoever goes over one is told which, and nobody else notices: `fine` calls a tool as another client
would, while the one who is over the bound still is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.bridge.scripted_http import EVENTS
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.test_processes import mirror
from tests.security.world import JSON, SCHEMA, Json, Peer, World, before, gateway, modern
from tests.support.waiting import until

DEFAULTS = {
    "body": 4 * 1024 * 1024,
    "depth": 64,
    "headers": 100,
    "header bytes": 32 * 1024,
    "target": 8 * 1024,
}
BOTH: list[tuple[str, str | bytes]] = [
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
]


async def fine(w: World, name: str = "echo") -> None:
    """Somebody else is served."""
    assert (await w.call(name)).status == 200


class Holding(Peer):
    """A server that answers `hold` when it is told, and everything else at once."""

    def __init__(self, name: str = "peer", **lists: Any) -> None:
        tools = [{"name": one, "inputSchema": SCHEMA} for one in ("echo", "hold")]
        super().__init__(name, self._act, **{"tools": tools, **lists})
        self.go = asyncio.Event()
        self.held = 0

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        if message["params"]["name"] == "hold":
            self.held += 1
            await self.go.wait()
        result = {"resultType": "complete", "content": [], "structuredContent": {}}
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        responder.send(200, (JSON,), json.dumps(body).encode())


def told(answer: Any, status: int, reason: str, setting: str) -> None:
    """A refusal of a whole request that says what is wrong and what bounds it."""
    assert answer.status == status
    error = answer.json["error"]
    assert error["reason"] == reason
    assert setting in error["remedy"]
    assert answer.headers["connection"] == "close"


# What clients may send. The defaults, as nobody has configured anything.


def test_a_body_over_the_bound() -> None:
    async def play() -> None:
        async with before(Peer()) as w:
            most = DEFAULTS["body"]
            body = modern("tools/call", {"name": "echo", "arguments": {"a": ""}})[0]
            room = most - len(body)
            assert (await w.call("echo", a="x" * room)).status == 200
            told(await w.call("echo", a="x" * (room + 1)), 413, "body-too-large", "body_bytes")
            announced = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            assert b" 413 " in await w.raw(announced % (most + 1)), "before any of it is sent"
            chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
            chunked = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert b" 413 " in await w.raw(chunked + chunk * 17)
            await fine(w)

    run(play())


@pytest.mark.parametrize("era", ["L", "M"])
def test_a_message_nested_too_deep(era: str) -> None:
    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            old = await Client(w.port, "L").open()
            for levels, taken in ((DEFAULTS["depth"] - 3, True), (DEFAULTS["depth"] - 2, False)):
                deep: Any = 1
                for _ in range(levels):
                    deep = [deep]
                if era == "M":
                    said = (await w.call("echo", a=deep)).json
                else:
                    said = (await old.call("echo", a=deep)).response or {}
                assert ("result" in said) is taken
                if not taken:
                    assert said["error"]["code"] == -32600
                    assert "json_depth" in said["error"]["data"]["remedy"]
            assert len(peer.calls) == 1
            await fine(w)
            old.close()

    run(play())


def test_headers_over_their_bounds() -> None:
    async def play() -> None:
        async with before(Peer()) as w:
            many: list[tuple[str, str | bytes]] = [(f"X-{n}", "a") for n in range(200)]
            for count, status in ((DEFAULTS["headers"] - 2, 200), (DEFAULTS["headers"] - 1, 431)):
                # Connection and Host come on top.
                answer = await w.http(verb="GET", path="/health", fields=many[:count])
                assert answer.status == status, count
            told(answer, 431, "headers-too-large", "header_count")
            size = DEFAULTS["header bytes"]
            large = await w.http(verb="GET", path="/health", fields=[("X", "a" * size)])
            told(large, 431, "headers-too-large", "header_bytes")
            under = await w.http(verb="GET", path="/health", fields=[("X", "a" * (size - 200))])
            assert under.status == 200
            path = "/" + "a" * DEFAULTS["target"]
            told(await w.http(verb="GET", path=path), 414, "target-too-long", "target_bytes")
            assert (await w.http(verb="GET", path=path[:-1])).status == 404
            await fine(w)

    run(play())


@pytest.mark.parametrize(
    "start",
    [
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX:",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n",
    ],
)
def test_a_request_that_takes_too_long_to_send(start: bytes) -> None:
    async def play() -> None:
        limits = {"header_timeout": 0.1, "body_timeout": 0.1}
        async with before(Peer(), limits=limits) as w:
            reader, writer = await asyncio.open_connection("127.0.0.1", w.port)
            writer.write(start)

            async def drip() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await asyncio.sleep(0.05)  # a sender so slow, which is the point
                        writer.write(b"a")
                        await fine(w)

            dripping = asyncio.create_task(drip())
            said = await reader.read()
            dripping.cancel()
            assert b" 408 " in said
            assert b"timeout" in said
            writer.close()
            await fine(w)

    run(play())


def test_connections_over_the_bound() -> None:
    async def play() -> None:
        async with before(Peer(), limits={"connections": 5}) as w:
            open_ones = [await asyncio.open_connection("127.0.0.1", w.port) for _ in range(4)]
            server = w.gateway._server
            await until(lambda: server.stats.connections == 4)
            await fine(w)
            await until(lambda: server.stats.connections == 4)
            fifth = await asyncio.open_connection("127.0.0.1", w.port)
            await until(lambda: server.stats.connections == 5)
            answer = await w.http(verb="GET", path="/health")
            told(answer, 503, "too-many-connections", "connections")
            for _, writer in (*open_ones, fifth):
                writer.close()
            await until(lambda: server.stats.connections == 0)
            await fine(w)

    run(play())


@asynccontextmanager
async def holding(**limits: int) -> AsyncIterator[tuple[World, Holding, list[Client]]]:
    """As many calls under way as may be at once: three."""
    peer = Holding()
    async with before(peer, limits={"concurrent_requests": 3, **limits}) as w:
        clients = [await Client(w.port, era).open() for era in "MLM"]
        tasks = [asyncio.create_task(client.call("hold")) for client in clients]
        await until(lambda: peer.held == 3)
        try:
            yield w, peer, clients
        finally:
            peer.go.set()
            for task in tasks:
                assert (await task).result
            for client in clients:
                client.close()


@holds(40)
@pytest.mark.parametrize("era", ["L", "M"])
def test_calls_at_once_over_the_bound(era: str) -> None:
    async def play() -> None:
        async with holding() as (w, peer, _):
            if era == "M":
                answer = await w.call("echo")
                assert answer.status == 503
                assert answer.headers["retry-after"]
                error = answer.error
            else:
                # A session that exists already: opening one is a call too.
                old = Client(w.port, "L", session=(_[1]).session)
                old.ids = iter(range(900, 999)).__next__
                error = (await old.call("echo")).error
                old.close()
            assert error["code"] == -32000
            assert error["data"]["reason"] == "too-many-calls"
            assert "lockgate.limits" in error["data"]["remedy"]
            assert peer.called().count("echo") == 0
            assert (await w.http(verb="GET", path="/ready")).status == 200
            peer.go.set()
            await until(lambda: not w.gateway._server.stats.handlers)
            await fine(w)

    run(play())


def test_listen_streams_over_the_bound_and_calls_beside_them() -> None:
    async def play() -> None:
        async with before(Peer(), limits={"listen_streams": 2}) as w:
            client = await Client(w.port, "M").open()
            streams = [await client.listen(toolsListChanged=True) for _ in range(2)]
            message = {"id": 99, "method": "subscriptions/listen"}
            params = {"notifications": {"toolsListChanged": True}}
            third = await client.post({"jsonrpc": "2.0", **message, "params": params})
            error = (await third.next() or {})["error"]
            assert third.status == 503
            assert error["data"]["reason"] in {"too-many-streams", "too-many-calls"}
            assert error["data"]["remedy"]
            await fine(w)
            streams[0].close()
            await until(lambda: w.gateway._server.stats.handlers == 1)
            await client.listen(toolsListChanged=True)
            client.close()

    run(play())


def test_get_streams_of_one_session_and_streams_of_the_older_transport() -> None:
    async def play() -> None:
        async with before(Peer(), limits={"listen_streams": 2}) as w:
            old = await Client(w.port, "L").open()
            events = {"Accept": "text/event-stream"}
            statuses = [(await old.exchange("GET", b"", events)).status for _ in range(5)]
            assert statuses == [200, 200, 200, 200, 409]
            assert (await old.call("echo")).result
            other = await Client(w.port, "L").open()
            assert (await other.exchange("GET", b"", events)).status == 200
            opened = [await asyncio.open_connection("127.0.0.1", w.port) for _ in range(3)]
            heads: list[bytes] = []
            for reader, writer in opened:
                writer.write(b"GET /sse HTTP/1.1\r\nHost: localhost\r\n\r\n")
                heads.append((await reader.readuntil(b"\r\n")).split(b" ")[1])
            assert heads == [b"200", b"200", b"503"]
            for _, writer in opened:
                writer.close()
            await fine(w)
            old.close()
            other.close()

    run(play())


def test_sessions_are_bounded_and_none_is_lost_by_that() -> None:
    """State is let go, longest idle first; a session lives in its id."""

    async def play() -> None:
        async with before(Peer()) as w:
            sessions = w.gateway._endpoints.served["/mcp"].exchange._handshake.sessions
            object.__setattr__(sessions._settings, "sessions", 10)
            clients = [await Client(w.port, "L").open() for _ in range(30)]
            assert len(sessions) == 10
            for client in (clients[0], clients[15], clients[29]):
                assert (await client.call("echo")).result
            assert len(sessions) == 10
            for client in clients:
                client.close()

    run(play())


def test_a_session_id_has_a_bound() -> None:
    async def play() -> None:
        async with before(Peer()) as w:
            large = {"name": "x" * 5000, "version": "1", "more": "y" * 200_000}
            params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": large}
            body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
            answer = await w.http(json.dumps(body).encode(), fields=BOTH)
            assert answer.result
            assert len(answer.headers["mcp-session-id"]) <= 2048
            noise = "".join(f"{n:x}" for n in range(20_000))
            params["capabilities"] = {"experimental": {noise: {}}}
            answer = await w.http(json.dumps(body).encode(), fields=BOTH)
            assert answer.error["code"] == -32602
            for session in ("x" * 20_000, "é", "", "a b"):
                fields: list[tuple[str, str | bytes]] = [("Mcp-Session-Id", session.encode())]
                ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
                assert (await w.http(ping, fields=[*BOTH, *fields])).status == 404
            await fine(w)

    run(play())


# What servers may send.


@pytest.mark.parametrize("form", ["whole", "announced", "chunked", "event", "endless event"])
def test_a_message_of_a_server_over_the_bound(form: str) -> None:
    most = 100_000

    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        result = {"resultType": "complete", "content": [{"type": "text", "text": "x" * most}]}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        if message["params"]["arguments"].get("small"):
            body = body.replace(b"x" * most, b"x")
            responder.send(200, (JSON,), body)
        elif form == "whole":
            responder.send(200, (JSON,), body)
        elif form == "announced":
            responder.start(200, (JSON, (b"content-length", b"99999999999")))
            responder.write(b"{")
        elif form == "chunked":
            responder.start(200, (JSON,))
            responder.write(body)
        elif form == "event":
            responder.send(200, EVENTS, b"data: %b\n\n" % body)
        else:
            responder.start(200, EVENTS)
            for _number in range(300):
                responder.write(b"data: " + b"x" * 1000 + b"\n")

    async def play() -> None:
        peer = Peer(script=script)
        async with before(peer, server={"limits": {"message_bytes": most}}) as w:
            beside = asyncio.create_task(w.call("echo", small=True))
            error = (await w.call("echo")).error
            assert error["data"]["reason"] == "upstream-too-large"
            assert error["data"]["server"] == "peer"
            assert error["data"]["limit"] == most
            assert "limit" in error["data"]["remedy"]
            assert (await beside).result
            assert (await w.call("echo", small=True)).result

    run(play())


def test_a_line_of_a_child_over_the_bound() -> None:
    async def play() -> None:
        entries = {
            "long": mirror("--long", limits={"message_bytes": "1MiB"}),
            "short": mirror(),
        }
        async with gateway(entries) as w:
            error = (await w.call("long__mirror")).error
            assert error["data"]["reason"] == "upstream-too-large"
            assert error["data"]["limit"] == 1024 * 1024
            assert "limit" in error["data"]["remedy"]
            await fine(w, "short__mirror")
            [listed] = [one for one in w.gateway.servers() if one.name == "long"]
            assert listed.phase == "ready", "only that call fails"

    run(play())


def many(count: int) -> Any:
    return [{"name": f"t{number}", "inputSchema": SCHEMA} for number in range(count)]


def endless(params: Json) -> bytes:
    number = int(params.get("cursor") or 0)
    tool = b'{"name":"t%d","inputSchema":{}}' % number
    return b'{"resultType":"complete","tools":[%b],"nextCursor":"%d"}' % (tool, number + 1)


@pytest.mark.parametrize(
    ("tools", "limit", "word"),
    [
        (many(21), {"list_items": 20}, "list_items"),
        (endless, {"list_pages": 5}, "list_pages"),
        (endless, {"list_items": 3}, "list_items"),
    ],
)
def test_a_list_over_its_bounds(tools: Any, limit: Json, word: str) -> None:
    async def play() -> None:
        long = Peer("long", tools=tools)
        async with before(long, server={"limits": limit}) as w:
            error = (await w.post("tools/list")).error
            assert error["data"]["reason"] == "list-too-long"
            assert error["data"]["server"] == "long"
            assert word in error["data"]["remedy"]
        more = Peer("long", tools=tools)
        async with before(more, Peer("other"), server={"limits": limit}) as w:
            assert await w.tools() == ["other__echo"]
            await fine(w, "other__echo")

    run(play())


def test_the_bound_of_one_server_is_not_that_of_another() -> None:
    async def play() -> None:
        peers = Peer("strict", tools=many(3)), Peer("wide", tools=many(30))
        for peer in peers:
            [(_, peer.port)] = await peer.http.start("127.0.0.1", 0)
        entries: dict[str, Json] = {one.name: {"url": one.url, "era": "modern"} for one in peers}
        entries["strict"]["limits"] = {"list_items": 2}
        async with gateway(entries) as w:
            assert {name.partition("__")[0] for name in await w.tools()} == {"wide"}
        for peer in peers:
            await peer.die()

    run(play())


def test_headers_of_a_server_over_the_bound() -> None:
    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        result = {"resultType": "complete", "content": []}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        size = message["params"]["arguments"].get("size", 0)
        responder.send(200, (JSON, (b"x", b"a" * size)), body)

    async def play() -> None:
        async with before(Peer(script=script)) as w:
            error = (await w.call("echo", size=200_000)).error
            assert error["data"]["reason"] == "upstream-lost"
            assert error["data"]["remedy"]
            await fine(w)

    run(play())


def test_a_client_that_reads_nothing_of_its_stream_is_dropped(tmp_path: Path) -> None:
    """Progress without end, for somebody who does not read: bounded here, and nobody waits."""

    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        if "progressToken" not in message["params"]["_meta"]:
            result = {"resultType": "complete", "content": []}
            body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            responder.send(200, (JSON,), json.dumps(body).encode())
            return
        left = asyncio.Event()
        responder.on_close(left.set)
        responder.start(200, EVENTS)
        token = message["params"]["_meta"]["progressToken"]
        params = {"progressToken": token, "progress": 1, "message": "x" * 60_000}
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        while not left.is_set():
            responder.write(b"data: %b\n\n" % json.dumps(note).encode())
            await asyncio.sleep(0)

    async def play() -> None:
        peer = Peer(script=script)
        async with before(peer, limits={"unsent_bytes": "64KiB"}) as w:
            params = {"name": "echo", "arguments": {}}
            meta = json.loads(modern("x", {})[0])["params"]["_meta"]
            body, headers = modern("tools/call", {**params, "_meta": {**meta, "progressToken": 1}})
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            _, writer = await asyncio.open_connection("127.0.0.1", w.port, limit=1024)
            writer.write(f"{head}{lines}\r\n".encode() + body)
            server = w.gateway._server
            await until(lambda: peer.calls)
            await fine(w)
            await until(lambda: not server.stats.handlers and not server.stats.connections)
            writer.close()
            await fine(w)

    run(play())
