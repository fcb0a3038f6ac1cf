"""The cache through running gateways: hints of servers, tools by pattern, replicas, restarts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lockgate.fronts.http import HttpRequest, Responder
from lockgate.upstreams.upstream import Changed
from tests.bridge.clients import MODERN, Client
from tests.bridge.scripted_http import Sse
from tests.fronts.served import run
from tests.security.world import (
    JSON,
    SCHEMA,
    Json,
    Peer,
    World,
    answer,
    before,
    gateway,
    subscription,
)
from tests.support.valkey import valkey
from tests.support.waiting import until

SAFE = {"readOnlyHint": True}


class Counting(Peer):
    """A server that numbers its answers."""

    def __init__(self, **hints: Any) -> None:
        tools = [
            {"name": "look", "inputSchema": SCHEMA, "annotations": SAFE},
            {"name": "search_web", "inputSchema": SCHEMA},
            {"name": "change", "inputSchema": SCHEMA},
        ]
        resources = [{"uri": "file:///a", "name": "a"}]
        super().__init__("peer", self._act, tools=tools, resources=resources)
        self.hints = hints
        self.asked = 0

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        self.asked += 1
        result: Json = {"resultType": "complete", "n": self.asked, **self.hints}
        result |= {"contents": []} if message["method"] == "resources/read" else {"content": []}
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        responder.send(200, (JSON,), json.dumps(body).encode())


async def read(w: World) -> Json:
    answer = await w.post("resources/read", {"uri": "file:///a"})
    assert answer.status == 200, answer.body
    return answer.result


async def n(w: World, tool: str, **arguments: Any) -> int:
    return (await w.call(tool, **arguments)).result["n"]


def test_reads_are_kept_as_the_server_says() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=60_000, cacheScope="public")
        async with before(peer) as w:
            first, second = await read(w), await read(w)
            assert [first["n"], second["n"]] == [1, 1]
            assert 0 < second["ttlMs"] <= 60_000
            assert second["cacheScope"] == "public"
            assert [await n(w, "look"), await n(w, "look")] == [2, 3]
            counts = w.gateway.cache_counts()["peer"]
            assert (counts.hits, counts.misses) == (1, 1)

    run(check())


def test_what_says_nothing_is_asked_each_time() -> None:
    async def check() -> None:
        async with before(Counting()) as w:
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 2]

    run(check())


def test_it_can_be_switched_off() -> None:
    async def check() -> None:
        async with before(Counting(ttlMs=60_000), cache={"enabled": False}) as w:
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 2]
            assert w.gateway.cache_counts() == {}

    run(check())


def test_tools_by_pattern_and_by_annotation() -> None:
    server = {
        "tools": {"search_*": {"cache": {"ttl": "5m", "public": True}}},
        "cache": {"read_only_tools": "1m"},
    }

    async def check() -> None:
        async with before(Counting(), server=server) as w:
            assert [await n(w, "search_web", text="x"), await n(w, "search_web", text="x")] == [
                1,
                1,
            ]
            assert await n(w, "search_web", text="y") == 2
            assert [await n(w, "look"), await n(w, "look")] == [3, 3]
            assert [await n(w, "change"), await n(w, "change")] == [4, 5]

    run(check())


def test_replicas_and_restarts_share_answers(tmp_path: Path) -> None:
    async def check() -> None:
        with valkey() as server:
            settings: Json = {"store": server.url, "cache": {"disk": str(tmp_path / "cache.db")}}
            peer = Counting(ttlMs=60_000)
            async with before(peer, **settings) as one:
                entries = {"peer": {"url": peer.url, "era": "modern"}}
                assert (await read(one))["n"] == 1
                caches = one.gateway._worlds.current.caches
                assert caches is not None
                assert caches.tiers is not None
                await caches.tiers.flush()
                async with gateway(entries, **settings) as two:
                    assert (await read(two))["n"] == 1
                server.kill()
                async with gateway(entries, **settings) as three:
                    assert (await read(three))["n"] == 1
                    assert three.gateway.cache_counts()["peer"].hits == 1

    run(check())


def test_an_old_answer_helps_out_while_the_server_is_gone() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=1)
        async with before(peer) as w:
            assert (await read(w))["n"] == 1
            await peer.die()
            old = await read(w)
            assert (old["n"], old["ttlMs"]) == (1, 0)

    run(check())


class Telling(Counting):
    """It also says when something changes, to whoever listens."""

    def __init__(self, **hints: Any) -> None:
        super().__init__(**hints)
        self.streams: list[tuple[Sse, Json]] = []

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        message = json.loads(request.body) if request.body else {}
        if message.get("method") == "server/discover":
            able = {"resources": {"listChanged": True, "subscribe": True}, "tools": {}}
            answer(responder, message, {"supportedVersions": [MODERN], "capabilities": able})
            return
        if message.get("method") != "subscriptions/listen":
            await super().respond(request, responder)
            return
        stream = Sse(responder)
        said = {"notifications": message["params"]["notifications"]}
        said["_meta"] = subscription(message)
        stream.send({"method": "notifications/subscriptions/acknowledged", "params": said})
        self.streams.append((stream, subscription(message)))

    def tell(self, method: str, **params: Any) -> None:
        for stream, tag in self.streams:
            stream.send({"method": method, "params": {**params, "_meta": tag}})


def test_news_of_the_server_end_what_is_kept() -> None:
    async def check() -> None:
        peer = Telling(ttlMs=3_600_000)
        async with before(peer) as w:
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 1]
            dropped = w.gateway.cache_counts()["peer"].dropped
            await until(lambda: peer.streams)
            peer.tell("notifications/resources/list_changed")
            await until(lambda: w.gateway.cache_counts()["peer"].dropped > dropped)
            assert (await read(w))["n"] == 2
            client = await Client(w.port, "M").open()
            await client.listen(uris=("file:///a",))
            dropped = w.gateway.cache_counts()["peer"].dropped
            peer.tell("notifications/resources/updated", uri="file:///a")
            await until(lambda: w.gateway.cache_counts()["peer"].dropped > dropped)
            assert [(await read(w))["n"], (await read(w))["n"]] == [3, 3]
            client.close()

    run(check())


def test_a_server_that_was_away_is_asked_again() -> None:
    async def check() -> None:
        async with before(Counting(ttlMs=3_600_000)) as w:
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 1]
            w.gateway._engine._server_changed(Changed("peer", "state"))
            await until(lambda: w.gateway.cache_counts()["peer"].dropped)
            assert [(await read(w))["n"], (await read(w))["n"]] == [2, 2]

    run(check())


def test_another_server_of_the_same_name_has_answers_of_its_own(tmp_path: Path) -> None:
    async def check() -> None:
        settings: Json = {"cache": {"disk": str(tmp_path / "cache.db")}}
        old, new = Counting(ttlMs=60_000), Counting(ttlMs=60_000)
        async with before(old, **settings) as one:
            assert (await read(one))["n"] == 1
        async with before(new, **settings) as two:
            await read(two)
            assert new.asked == 1

    run(check())
