"""The cache through running gateways: hints of servers, tools by pattern, replicas, restarts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.core.cached import Counts
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.gateway import engine
from lockgate.gateway.status import CacheStatus
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
        self.gate: asyncio.Event | None = None
        self.broken = False

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        self.asked += 1
        asked = self.asked
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            responder.send(500, (), b"")
            return
        result: Json = {"resultType": "complete", "n": asked, **self.hints}
        result |= {"contents": []} if message["method"] == "resources/read" else {"content": []}
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        responder.send(200, (JSON,), json.dumps(body).encode())


async def read(w: World) -> Json:
    answer = await w.post("resources/read", {"uri": "file:///a"})
    assert answer.status == 200, answer.body
    return answer.result


def counts(w: World) -> Counts:
    found = w.gateway.servers()[0].cache
    assert found is not None
    return found


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
            found = counts(w)
            assert (found.hits, found.misses) == (1, 1)

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
            assert w.gateway.servers()[0].cache is None
            ready = (await w.http(verb="GET", path="/ready")).json
            assert "cache" not in ready
            assert "cache" not in ready["servers"]["peer"]

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
                    assert counts(three).hits == 1

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
            dropped = counts(w).dropped
            await until(lambda: peer.streams)
            peer.tell("notifications/resources/list_changed")
            await until(lambda: counts(w).dropped > dropped)
            assert (await read(w))["n"] == 2
            client = await Client(w.port, "M").open()
            await client.listen(uris=("file:///a",))
            dropped = counts(w).dropped
            peer.tell("notifications/resources/updated", uri="file:///a")
            await until(lambda: counts(w).dropped > dropped)
            assert [(await read(w))["n"], (await read(w))["n"]] == [3, 3]
            client.close()

    run(check())


def test_a_server_that_was_away_is_asked_again() -> None:
    async def check() -> None:
        async with before(Counting(ttlMs=3_600_000)) as w:
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 1]
            w.gateway._engine._server_changed(Changed("peer", "state"))
            await until(lambda: counts(w).dropped)
            assert [(await read(w))["n"], (await read(w))["n"]] == [2, 2]

    run(check())


def test_how_much_it_helps_is_told() -> None:
    async def check() -> None:
        async with before(Counting(ttlMs=60_000)) as w:
            ready = (await w.http(verb="GET", path="/ready")).json
            assert ready["servers"]["peer"]["cache"]["hit_rate"] is None
            for _ in range(4):
                await read(w)
            ready = (await w.http(verb="GET", path="/ready")).json
            assert ready["servers"]["peer"]["cache"] == {
                "hits": 3,
                "misses": 1,
                "joined": 0,
                "stale": 0,
                "kept": 1,
                "dropped": ready["servers"]["peer"]["cache"]["dropped"],
                "hit_rate": 0.75,
            }
            assert ready["cache"]["hits"] == {"memory": 3}
            assert 0 < ready["cache"]["bytes"] < 10_000
            assert ready["cache"]["damaged"] == 0

    run(check())


def test_what_is_over_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SWEEP", 0.01)

    async def check() -> None:
        async with before(Counting(ttlMs=200), cache={"stale": 0}) as w:
            await read(w)
            assert kept(w).bytes > 0
            await until(lambda: not kept(w).bytes)

    run(check())


def test_memory_is_bounded_and_what_was_used_longest_ago_goes_first() -> None:
    bound = 8192

    async def check() -> None:
        peer = Counting(ttlMs=60_000, text="x" * 1500)
        async with before(peer, cache={"memory_bytes": bound}, server=KEEP_ALL) as w:
            for text in "abcdefgh":
                await n(w, "change", text=text)
                assert await n(w, "change", text="a") == 1
                assert kept(w).bytes <= bound
            assert await n(w, "change", text="h") == 8
            assert await n(w, "change", text="b") == 9

    run(check())


KEEP_ALL: Json = {"tools": {"*": {"cache": {"ttl": "1h"}}}}


def kept(w: World) -> CacheStatus:
    found = w.gateway.status().cache
    assert found is not None
    return found


def test_many_who_ask_the_same_at_once_are_one_for_the_server() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=1)
        async with before(peer) as w:
            await read(w)
            await asyncio.sleep(0.005)  # its time is over
            peer.gate = asyncio.Event()
            asking = [asyncio.create_task(read(w)) for _ in range(8)]
            await until(lambda: w.gateway._engine.running == 8)
            peer.gate.set()
            assert {one["n"] for one in await asyncio.gather(*asking)} == {2}
            assert counts(w).joined == 7

    run(check())


@pytest.mark.parametrize(("scope", "asked"), [("private", 2), ("public", 1), (None, 2)])
def test_what_is_private_stays_with_the_session_it_was_for(scope: str | None, asked: int) -> None:
    async def check() -> None:
        hints = {"cacheScope": scope} if scope else {}
        peer = Counting(ttlMs=60_000, **hints)
        async with before(peer) as w:
            clients = [await Client(w.port, "L").open() for _ in range(2)]
            for client in clients * 2:
                begun = await client.begin("resources/read", {"uri": "file:///a"})
                assert begun.result["contents"] == []
            assert peer.asked == asked

    run(check())


def test_an_old_answer_helps_out_while_the_breaker_is_open() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=1)
        server: Json = {"breaker": {"minimum": 2, "rest": 60}, "retry": {"attempts": 1}}
        async with before(peer, server=server) as w:
            assert (await read(w))["n"] == 1
            peer.broken = True
            await asyncio.sleep(0.005)  # its time is over
            for _ in range(5):
                assert (await read(w))["n"] == 1
            assert w.gateway.servers()[0].breaker == "open"
            assert (peer.asked, counts(w).stale) == (2, 5)

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
