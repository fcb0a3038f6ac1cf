"""Servers in trouble behind running gateways: deadlines, retries, breakers and queues."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lockgate.config.model import Config, ServerConfig
from lockgate.gateway.build import pool_limits, resist_settings
from lockgate.wire.url import Url
from tests.fronts.served import run
from tests.security.world import SCHEMA, Json, Peer, World, answer, before

READ_ONLY = {"readOnlyHint": True}
TOOLS = [
    {"name": "look", "inputSchema": SCHEMA, "annotations": READ_ONLY},
    {"name": "set", "inputSchema": SCHEMA, "annotations": {"idempotentHint": True}},
    {"name": "pay", "inputSchema": SCHEMA, "annotations": {"readOnlyHint": "yes"}},
]


class Moody(Peer):
    """Does to each call what is next in `moods`; then answers."""

    def __init__(self, *moods: str) -> None:
        super().__init__("peer", self._act, tools=TOOLS)
        self.moods = list(moods)
        self.gone = asyncio.Event()
        self.go = asyncio.Event()
        self.began = 0
        self.started = asyncio.Event()

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        self.began += 1
        self.started.set()
        mood = self.moods.pop(0) if self.moods else "well"
        if mood == "abort":
            responder.abort()
        elif mood == "hang":
            responder.on_close(self.gone.set)
            await self.gone.wait()
        elif mood == "hold":
            await self.go.wait()
            answer(responder, message, {"content": []})
        elif mood.isdigit():
            responder.send(int(mood), ((b"retry-after", b"0"),))
        else:
            answer(responder, message, {"content": []})


def data(found: Any) -> Json:
    return found.error["data"]


@pytest.mark.parametrize(
    ("mood", "tool", "settings", "sent"),
    [
        ("abort", "look", {}, 2),
        ("abort", "set", {}, 2),
        ("503", "look", {}, 2),
        ("429", "set", {}, 2),
        ("abort", "pay", {}, 1),
        ("503", "pay", {}, 1),
        ("abort", "look", {"retry": {"tools": "never"}}, 1),
        ("abort", "look", {"retry": {"attempts": 1}}, 1),
        ("abort", "pay", {"tools": {"p*": {"retry": "always"}}}, 2),
    ],
)
def test_only_what_may_run_twice_is_sent_again(
    mood: str, tool: str, settings: Json, sent: int
) -> None:
    async def check() -> None:
        peer = Moody(mood)
        async with before(peer, server=settings) as w:
            await w.tools()
            found = await w.call(tool)
            assert ("result" in found.json, peer.began) == (sent == 2, sent)

    run(check())


def test_a_read_is_sent_again() -> None:
    async def check() -> None:
        peer = Moody("abort")
        async with before(peer) as w:
            found = await w.post("resources/read", {"uri": "file:///x"})
            assert "result" in found.json
            assert peer.began == 2

    run(check())


def test_a_deadline_of_a_tool_ends_the_call_at_the_server() -> None:
    settings: Json = {"timeout": 60, "tools": {"l*": {"timeout": 0.2}}}

    async def check() -> None:
        peer = Moody("hang")
        async with before(peer, server=settings) as w:
            found = await w.call("look")
            assert data(found)["reason"] == "upstream-timeout"
            await peer.gone.wait()

    run(check())


def test_a_tool_may_take_longer_than_its_server() -> None:
    settings: Json = {"timeout": 0.2, "tools": {"l*": {"timeout": 30}}}

    async def check() -> None:
        peer = Moody("hold", "hang")
        async with before(peer, server=settings) as w:
            slow = asyncio.ensure_future(w.call("look"))
            await peer.started.wait()
            found = await w.call("pay")
            assert data(found)["reason"] == "upstream-timeout"
            peer.go.set()
            assert "result" in (await slow).json

    run(check())


def test_a_client_that_goes_is_gone_at_the_server() -> None:
    async def check() -> None:
        peer = Moody("hang")
        async with before(peer) as w:
            asked = asyncio.ensure_future(w.call("look"))
            await peer.started.wait()
            asked.cancel()
            await peer.gone.wait()

    run(check())


async def shown(w: World) -> str:
    ready = await w.http(verb="GET", path="/ready")
    return ready.json["servers"]["peer"]["breaker"]


def test_a_breaker_opens_refuses_and_closes_again() -> None:
    settings: Json = {"breaker": {"minimum": 4, "rest": 0.2, "probes": 1}}

    async def check() -> None:
        peer = Moody(*["500"] * 4)
        async with before(peer, server=settings) as w:
            assert await shown(w) == "closed"
            for _ in range(4):
                assert data(await w.call("pay"))["reason"] == "upstream-http-error"
            assert await shown(w) == "open"
            assert w.gateway.servers()[0].breaker == "open"
            found = await w.call("pay")
            assert (found.status, found.error["code"]) == (503, -32000)
            assert found.headers["retry-after"] == "1"
            refused = data(found)
            assert (refused["reason"], refused["code"]) == ("breaker-open", "LG-405")
            assert (refused["server"], refused["state"]) == ("peer", "open")
            assert 0 < refused["retry_after"] <= 0.2
            assert peer.began == 4
            assert len(await w.tools()) == 3
            await asyncio.sleep(refused["retry_after"])
            assert "result" in (await w.call("pay")).json
            assert await shown(w) == "closed"

    run(check())


def test_a_reload_leaves_an_open_breaker_open() -> None:
    settings: Json = {"breaker": {"minimum": 4, "rest": 60}}

    async def check() -> None:
        peer = Moody(*["500"] * 4)
        async with before(peer, server=settings) as w:
            for _ in range(4):
                await w.call("pay")
            entry: Json = {"url": peer.url, "era": "modern", **settings}
            config = {"servers": {"peer": entry}, "lockgate": {"page_size": 7}}
            done = await w.gateway.reload(Config.model_validate(config))
            assert done.kept == ("peer",)
            assert await shown(w) == "open"
            entry["breaker"] = {"minimum": 5}
            await w.gateway.reload(Config.model_validate(config))
            assert await shown(w) == "closed"
            assert "result" in (await w.call("pay")).json

    run(check())


def test_errors_of_tools_open_nothing() -> None:
    async def act(_: Peer, __: Any, message: Json, responder: Any) -> None:
        body = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32603, "message": "no"}}
        responder.send(200, ((b"content-type", b"application/json"),), json.dumps(body).encode())

    async def check() -> None:
        peer = Peer("peer", act, tools=TOOLS)
        async with before(peer, server={"breaker": {"minimum": 2}}) as w:
            for _ in range(6):
                assert (await w.call("pay")).error["message"] == "no"
            assert await shown(w) == "closed"

    run(check())


def test_calls_wait_for_their_turn_and_no_longer_than_told() -> None:
    settings: Json = {"limits": {"concurrent": 1, "waiting": 1, "wait": 0.2}}

    async def check() -> None:
        peer = Moody("hold")
        async with before(peer, server=settings) as w:
            first = asyncio.ensure_future(w.call("pay"))
            await peer.started.wait()
            found = await asyncio.gather(w.call("pay"), w.call("pay"))
            assert [data(one)["reason"] for one in found] == ["server-busy"] * 2
            assert peer.began == 1
            waiting = asyncio.ensure_future(w.call("pay"))
            peer.go.set()
            assert all("result" in one.json for one in await asyncio.gather(first, waiting))

    run(check())


def test_each_server_has_its_own_bounds() -> None:
    narrow = {"url": "http://one.example/mcp", "limits": {"connections": 5, "waiting": 0}}
    wide = {"url": "http://two.example/mcp", "connect_timeout": 9}
    same = {"url": "http://one.example/other", "limits": {"connections": 7}}
    config = Config.model_validate({"servers": {"a": narrow, "b": wide, "c": same}})
    limits = pool_limits(config)
    assert limits[Url.parse("http://one.example/").origin].connections == 12
    assert limits[Url.parse("http://one.example/").origin].connect_seconds == 5
    assert limits[Url.parse("http://two.example/").origin].connections == 256
    assert limits[Url.parse("http://two.example/").origin].connect_seconds == 9


def test_settings_reach_the_policies() -> None:
    server = ServerConfig.model_validate(
        {
            "command": "x",
            "timeout": 20,
            "retry": {"attempts": 1},
            "breaker": {"enabled": False},
            "tools": {"slow_*": {"timeout": "5m"}, "*": {"retry": "never"}},
        }
    )
    settings = resist_settings(server)
    assert (settings.retry, settings.breaker) == (None, None)
    assert dict(settings.timeouts) == {"slow_*": 300, "*": 20}
    usual = resist_settings(ServerConfig.model_validate({"command": "x"}))
    assert usual.timeouts == {}
    assert usual.retry is not None
    assert usual.breaker is not None
