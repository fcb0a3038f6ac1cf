"""Replicas that are up and fail: left out, for a while, and not all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lockgate.config.load import examine
from lockgate.config.model import Config
from tests.bridge.world import until
from tests.fronts.served import run
from tests.gateway.replicated import come_back
from tests.gateway.test_resistance import TOOLS, Moody
from tests.security.world import Json, Peer, World, answer, before, gateway


class Ill(Moody):
    """Answers every call with 500 while it is `ill`."""

    ill = True

    async def _act(self, _: Any, __: Any, message: Json, responder: Any) -> None:
        if self.ill:
            self.moods = ["500"]
        await super()._act(_, __, message, responder)


@asynccontextmanager
async def two(first: Peer, second: Peer, **server: Any) -> AsyncIterator[World]:
    for peer in (first, second):
        [(_, peer.port)] = await peer.http.start("127.0.0.1", 0)
    entry = {"urls": [first.url, second.url], "era": "modern", **server}
    try:
        async with gateway({"peer": entry}) as w:
            await until(lambda: len(shown(w)) == 2 and [a for _, a, _ in shown(w)] == [True, False])
            yield w
    finally:
        for peer in (first, second):
            await peer.die()


def shown(w: World) -> list[tuple[str, bool, bool]]:
    replicas = w.gateway.servers()[0].replicas
    return [(one.phase, one.active, one.ejected_for is not None) for one in replicas]


async def calls(w: World, times: int) -> list[bool]:
    return ["result" in (await w.call("pay")).json for _ in range(times)]


def test_one_that_fails_is_left_out_and_comes_back() -> None:
    async def check() -> None:
        first, second = Ill(), Moody()
        ejection = {"consecutive": 3, "base_time": 0.3}
        async with two(first, second, ejection=ejection) as w:
            assert await calls(w, 5) == [False, False, False, True, True]
            assert (first.began, second.began) == (3, 2)
            assert shown(w) == [("ready", False, True), ("ready", True, False)]
            ready = await w.http(verb="GET", path="/ready")
            assert ready.json["status"] == "serving"
            [out, used] = ready.json["servers"]["peer"]["replicas"]
            assert 0 < out["ejected_for"] <= 0.3
            assert used == {"state": "ready", "active": True}
            first.ill = False
            await until(lambda: shown(w)[0] == ("ready", True, False))
            assert await calls(w, 2) == [True, True]
            assert (first.began, second.began) == (5, 2)

    run(check())


def test_when_all_fail_the_last_one_is_used_all_the_same() -> None:
    async def check() -> None:
        first, second = Ill(), Ill()
        off = {"enabled": False}
        async with two(first, second, ejection={"consecutive": 3}, breaker=off) as w:
            assert await calls(w, 10) == [False] * 10
            assert (first.began, second.began) == (3, 7)
            second.ill = False
            assert await calls(w, 3) == [True] * 3

    run(check())


def test_all_may_be_left_out_and_then_the_least_bad_is_used() -> None:
    async def check() -> None:
        first, second = Ill(), Moody()
        off = {"enabled": False}
        ejection = {"consecutive": 3, "most": 1}
        async with two(first, second, ejection=ejection, breaker=off) as w:
            assert await calls(w, 6) == [False] * 3 + [True] * 3
            second.moods = ["500"] * 3
            assert await calls(w, 3) == [False] * 3
            assert [out for _, _, out in shown(w)] == [True, True]
            assert await calls(w, 3) == [True] * 3
            assert first.began == 3

    run(check())


def test_a_read_that_failed_is_made_again_on_another() -> None:
    async def check() -> None:
        first, second = Moody("503"), Moody()
        async with two(first, second) as w:
            assert "result" in (await w.call("look")).json
            assert (first.began, second.began) == (1, 1)
            first.moods = ["abort"]
            assert "error" in (await w.call("pay")).json
            assert (first.began, second.began) == (2, 1)

    run(check())


def test_what_is_switched_off_leaves_nobody_out() -> None:
    async def check() -> None:
        first, second = Ill(), Moody()
        off = {"enabled": False}
        async with two(first, second, ejection=off, breaker=off) as w:
            assert await calls(w, 10) == [False] * 10
            assert (first.began, second.began) == (10, 0)

    run(check())


def test_a_reload_leaves_it_left_out() -> None:
    async def check() -> None:
        first, second = Ill(), Moody()
        ejection = {"consecutive": 3}
        async with two(first, second, ejection=ejection) as w:
            await calls(w, 3)
            urls = [first.url, second.url, "http://127.0.0.1:9/mcp"]
            entry: Json = {"urls": urls, "era": "modern", "ejection": ejection}
            await w.gateway.reload(Config.model_validate({"servers": {"peer": entry}}))
            assert [out for _, _, out in shown(w)] == [True, False, False]
            assert await calls(w, 1) == [True]
            entry["ejection"] = {"consecutive": 4}
            await w.gateway.reload(Config.model_validate({"servers": {"peer": entry}}))
            assert [out for _, _, out in shown(w)] == [False, False, False]

    run(check())


def test_ejection_without_replicas_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    entry = {"url": "https://a.example/mcp", "ejection": {"consecutive": 1}}
    path.write_text(json.dumps({"mcpServers": {"s": entry}}))
    found = [one.summary for one in examine(path, {}).findings]
    assert "Server 's': `ejection` means nothing for a server with `url`." in found


HEDGE: Json = {"enabled": True, "after": 0.05, "share": 1}


def test_a_late_read_is_answered_by_another_and_called_off_at_the_first() -> None:
    async def check() -> None:
        first, second = Moody("hang"), Moody()
        async with two(first, second, hedge=HEDGE) as w:
            await w.tools()
            assert "result" in (await w.call("look")).json
            assert (first.began, second.began) == (1, 1)
            await first.gone.wait()

    run(check())


def test_a_tool_that_does_something_is_asked_once_however_late() -> None:
    async def check() -> None:
        first, second = Moody("hang", "hang"), Moody()
        async with two(first, second, hedge=HEDGE, timeout=0.3) as w:
            for tool in ("pay", "set"):
                assert "error" in (await w.call(tool)).json
            assert (first.began, second.began) == (2, 0)

    run(check())


def test_one_server_is_asked_again_where_that_is_configured() -> None:
    async def check() -> None:
        for same, began in ((True, 2), (False, 1)):
            peer = Moody("hang")
            hedge = {**HEDGE, "same_server": same}
            async with before(peer, server={"hedge": hedge, "timeout": 0.5}) as w:
                await w.tools()
                found = await w.call("look")
                assert ("result" in found.json, peer.began) == (same, began)
                await peer.gone.wait()

    run(check())


def test_what_follows_a_task_goes_to_the_replica_that_made_it() -> None:
    def made_by(name: str) -> Peer:
        async def act(_: Peer, __: Any, message: Json, responder: Any) -> None:
            result: Json = {"taskId": f"t-{name}", "status": "working", "by": name}
            kind = "task" if message["method"] == "tools/call" else "complete"
            answer(responder, message, {**result, "resultType": kind})

        return Peer(name, act, tools=TOOLS)

    async def check() -> None:
        first, second = made_by("first"), made_by("second")
        async with two(first, second) as w:
            assert (await w.call("pay")).result["taskId"] == "t-first"
            await first.die()
            assert (await w.call("pay")).result["taskId"] == "t-second"
            await come_back(first)
            await until(lambda: shown(w)[0] == ("ready", True, False))
            for name in ("first", "second"):
                task = f"t-{name}"
                found = await w.post("tasks/get", {"taskId": task}, fields={"Mcp-Name": task})
                assert found.result["by"] == name

    run(check(), 30)
