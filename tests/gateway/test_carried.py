"""What was counted and kept goes over to another configuration where nothing else is asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.gateway.worlds import Reloaded
from tests.fronts.served import run
from tests.gateway.test_caching import Counting, Telling, counts, n, read
from tests.security.world import JSON, SCHEMA, Answer, Json, Peer, World, before, until


class File:
    """What stands in the file."""

    def __init__(self, peer: Peer, server: Json, **settings: Any) -> None:
        self.entry: Json = {"url": peer.url, "era": "modern", **server}
        self.settings = settings

    async def reload(self, w: World, **settings: Any) -> Reloaded:
        """Take it over with these settings as well."""
        self.settings |= settings
        config = {"servers": {"peer": self.entry}, "lockgate": self.settings}
        return await w.gateway.reload(Config.model_validate(config))


def reason(answer: Answer) -> str | None:
    error = answer.json.get("error")
    return error["data"]["reason"] if error else None


async def reasons(w: World, times: int, tool: str = "look") -> list[str | None]:
    return [reason(await w.call(tool)) for _ in range(times)]


LIMITED = "rate-limited"


def test_rates_count_on_where_they_are_the_same() -> None:
    rate: Json = {"per_principal": ["3/h"], "total": ["100/h"]}

    async def check() -> None:
        peer = Counting()
        async with before(peer, rate=rate) as w:
            file = File(peer, {}, rate=dict(rate))
            assert await reasons(w, 2) == [None, None]
            await file.reload(w, shutdown_grace=11)
            assert await reasons(w, 2) == [None, LIMITED]
            # Another rule is another rule; beside it the others count on.
            await file.reload(w, rate={**rate, "total": ["90/h"]})
            assert await reasons(w, 1) == [LIMITED]
            await file.reload(w, rate={**rate, "per_principal": ["4/h"]})
            assert await reasons(w, 5) == [None] * 4 + [LIMITED]

    run(check())


def test_rates_of_a_server_count_on_although_it_is_replaced() -> None:
    server: Json = {"rate": {"total": ["5/h"]}, "tools": {"l*": {"rate": {"total": ["2/h"]}}}}

    async def check() -> None:
        peer = Counting()
        async with before(peer, server=server) as w:
            file = File(peer, dict(server))
            assert await reasons(w, 3) == [None, None, LIMITED]
            file.entry["timeout"] = 77
            assert (await file.reload(w)).changed == ("peer",)
            assert await reasons(w, 1) == [LIMITED]
            assert await reasons(w, 4, "change") == [None] * 3 + [LIMITED]
            file.entry["tools"] = {"l*": {"rate": {"total": ["1/h"]}}}
            file.entry["rate"] = {"total": ["9/h"]}
            await file.reload(w)
            assert await reasons(w, 2) == [None, LIMITED]

    run(check())


def test_a_reload_that_is_refused_changes_no_count() -> None:
    async def check() -> None:
        peer = Counting()
        async with before(peer, rate={"total": ["2/h"]}) as w:
            file = File(peer, {}, rate={"total": ["2/h"]})
            assert await reasons(w, 1) == [None]
            entry, file.entry = file.entry, {"url": "http://[::1/mcp"}
            with pytest.raises(Exception, match="cannot be used"):
                await file.reload(w)
            file.entry = entry
            assert await reasons(w, 2) == [None, LIMITED]

    run(check())


def test_a_queue_is_the_same_one_before_and_after() -> None:
    limits: Json = {"limits": {"concurrent": 1}}

    async def check() -> None:
        peer = Holding()
        async with before(peer, server=limits) as w:
            file = File(peer, dict(limits))
            first = asyncio.create_task(w.call("look"))
            await peer.began.acquire()
            second = asyncio.create_task(w.call("look"))
            bulkhead = w.gateway._engine.resistance["peer"].bulkhead
            assert bulkhead is not None
            await until(lambda: bulkhead.waiting)
            assert (await file.reload(w, shutdown_grace=11)).kept == ("peer",)
            third = asyncio.create_task(w.call("look"))
            await until(lambda: bulkhead.waiting == 2)
            assert peer.running == 1
            for _ in range(3):
                peer.go.release()
            assert [reason(one) for one in await asyncio.gather(first, second, third)] == [None] * 3
            assert peer.most == 1

    run(check())


class Holding(Peer):
    """A server that answers when it may."""

    def __init__(self) -> None:
        super().__init__("peer", self._act, tools=[{"name": "look", "inputSchema": SCHEMA}])
        self.began, self.go = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.running = self.most = 0

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.release()
        await self.go.acquire()
        self.running -= 1
        result: Json = {"resultType": "complete", "content": [], "ttlMs": 60_000, "contents": []}
        body = {"jsonrpc": "2.0", "id": message["id"], "result": {**result, "n": self.most}}
        responder.send(200, (JSON,), json.dumps(body).encode())


def test_answers_are_kept_over_reloads_and_so_are_their_counts() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=3_600_000)
        async with before(peer) as w:
            file = File(peer, {})
            assert [(await read(w))["n"], (await read(w))["n"]] == [1, 1]
            for grace in range(3):
                await file.reload(w, shutdown_grace=10 + grace)
                assert (await read(w))["n"] == 1
            await until(lambda: not w.gateway._worlds._chores)
            assert (await read(w))["n"] == 1
            found = counts(w)
            assert (found.hits, found.misses) == (5, 1)

    run(check())


CHANGES: list[tuple[str, Json, Json]] = [
    ("its cache", {"cache": {"read_only_tools": "1m"}}, {}),
    ("a rule of its tools", {"tools": {"look": {"cache": {"ttl": "5m"}}}}, {}),
    ("what it is told", {"timeout": 77}, {}),
    ("how long anything is kept", {}, {"cache": {"longest": "2h"}}),
    ("the memory", {}, {"cache": {"memory_bytes": "1 MiB"}}),
]


@pytest.mark.parametrize(("what", "server", "settings"), CHANGES, ids=[row[0] for row in CHANGES])
def test_a_cache_begins_anew_with_other_settings(what: str, server: Json, settings: Json) -> None:
    del what

    async def check() -> None:
        peer = Counting(ttlMs=3_600_000)
        async with before(peer) as w:
            file = File(peer, {})
            assert (await read(w))["n"] == 1
            file.entry |= server
            await file.reload(w, **settings)
            assert [(await read(w))["n"], (await read(w))["n"]] == [2, 2]

    run(check())


def test_what_was_kept_before_the_server_was_another_is_not_served_when_it_is_back() -> None:
    async def check() -> None:
        peer = Counting(ttlMs=3_600_000)
        async with before(peer) as w:
            file = File(peer, {})
            assert (await read(w))["n"] == 1
            file.entry["timeout"] = 77
            await file.reload(w)
            del file.entry["timeout"]
            await file.reload(w)
            assert (await read(w))["n"] == 2

    run(check())


def test_tools_with_annotations_are_known_after_a_reload() -> None:
    server: Json = {"cache": {"read_only_tools": "1m"}}

    async def check() -> None:
        peer = Counting()
        async with before(peer, server=server) as w:
            file = File(peer, dict(server))
            await file.reload(w, shutdown_grace=11)
            assert [await n(w, "look"), await n(w, "look")] == [1, 1]
            await file.reload(w, shutdown_grace=12)
            assert [await n(w, "look"), await n(w, "change")] == [1, 2]

    run(check())


def test_news_reach_what_was_kept_before_a_reload() -> None:
    async def check() -> None:
        peer = Telling(ttlMs=3_600_000)
        async with before(peer) as w:
            file = File(peer, {})
            assert (await read(w))["n"] == 1
            await until(lambda: peer.streams)
            await file.reload(w, shutdown_grace=11)
            await until(lambda: not w.gateway._worlds._chores)
            peer.tell("notifications/resources/list_changed")
            await until(lambda: counts(w).dropped)
            assert (await read(w))["n"] == 2

    run(check())


def test_an_answer_on_its_way_during_a_reload_is_not_kept_if_it_is_no_longer_news() -> None:
    async def check() -> None:
        peer = Holding()
        async with before(peer) as w:
            file = File(peer, {})
            old = asyncio.create_task(w.post("resources/read", {"uri": "file:///a"}))
            await peer.began.acquire()
            await file.reload(w, shutdown_grace=11)
            caches = w.gateway._worlds.current.caches
            assert caches is not None
            caches.changed("peer", "resources")
            peer.go.release()
            assert (await old).status == 200
            new = asyncio.create_task(w.post("resources/read", {"uri": "file:///a"}))
            await peer.began.acquire()
            peer.go.release()
            assert (await new).status == 200

    run(check())
