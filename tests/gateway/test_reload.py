"""A configuration that changes while clients of both eras are at work: what they notice of it."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import urllib.request
import weakref
from contextlib import suppress
from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.gateway.engine import Engine
from tests.bridge.clients import Client
from tests.bridge.scripts import ELICIT
from tests.fronts.served import run
from tests.gateway.reloading import Changing, alive, census, changing, child, tools, who
from tests.support.waiting import until

BOTH = pytest.mark.parametrize("era", ["L", "M"])
TOOLS_CHANGED = "notifications/tools/list_changed"
UPDATED = "notifications/resources/updated"
URI = "notes://today"


@BOTH
def test_what_is_unchanged_stays_and_what_is_changed_is_replaced(era: str) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            first = await who(client)
            sessions = set(w.old.sessions)
            done = await w.reload(more=child("more", "extra"))
            assert (done.kept, done.added) == (("child", "old", "new"), ("more",))
            assert await who(client) == first
            assert (await who(client, "more"))["label"] == "more"
            assert "more__extra" in await tools(client)
            assert (await client.call("old__echo", a=1)).said
            assert sessions <= set(w.old.sessions)

            done = await w.reload(child=child("two"), more=None)
            assert (done.changed, done.removed) == (("child",), ("more",))
            second = await who(client)
            assert second["label"] == "two"
            assert "more__extra" not in await tools(client)
            assert alive(second["pid"])
            await until(lambda: not alive(first["pid"]))

    run(play())


def test_no_call_fails_while_reloads_follow_each_other() -> None:
    async def play() -> None:
        async with changing() as w:
            stopping = asyncio.Event()
            counts = {"child": 0, "old": 0, "new": 0}

            async def at_work(era: str, number: int) -> None:
                client = await w.client(era)
                while not stopping.is_set():
                    server = ("child", "old", "new")[(number + sum(counts.values())) % 3]
                    tool = "who" if server == "child" else "echo"
                    begun = await client.call(f"{server}__{tool}", a=number)
                    assert begun.result.get("isError") is not True
                    assert begun.stream is not None
                    begun.stream.close()
                    client.streams.clear()
                    counts[server] += 1

            workers = [asyncio.create_task(at_work("LM"[n % 2], n)) for n in range(64)]
            await until(lambda: min(counts.values()) > 10 or any(one.done() for one in workers))
            for number in range(12):
                more = child(f"more {number}") if number % 3 else None
                await w.reload(child=child(f"child {number}"), more=more)
            stopping.set()
            await asyncio.gather(*workers)
            assert min(counts.values()) > 100
            await w.drained()

    run(play(), 60)


@BOTH
@pytest.mark.parametrize("fate", ["changed", "removed"])
def test_a_running_call_ends_where_it_began(era: str, fate: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            first = await who(client)
            gate = tmp_path / "gate"
            call = asyncio.create_task(client.call("child__wait", path=str(gate)))
            await until(lambda: w.gateway._engine.running)
            await w.reload(child=child("two") if fate == "changed" else None, more=child("more"))
            other = await w.client(era)
            assert (await who(other, "more"))["label"] == "more"
            assert ("child__who" in await tools(other)) == (fate == "changed")
            assert alive(first["pid"])
            assert not call.done()
            gate.touch()
            assert (await call).said == first
            await until(lambda: not alive(first["pid"]))

    run(play())


def test_running_calls_get_no_more_than_the_grace(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing(reload_grace=0) as w:
            client = await w.client("M")
            first = await who(client)
            call = asyncio.create_task(client.call("child__wait", path=str(tmp_path / "never")))
            await until(lambda: w.gateway._engine.running)
            await w.reload(child=child("two"))
            assert "child" in (await call).error["message"]
            await until(lambda: not alive(first["pid"]))

    run(play())


@BOTH
@pytest.mark.parametrize("fate", ["changed", "removed", "renamed"])
def test_a_call_that_waits_for_its_client_goes_on_where_it_waits(era: str, fate: str) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            begun = await client.call("old__ask", rounds=[{"a": ELICIT}], tag="x")
            assert begun.asked
            if fate == "renamed":
                w.settings["naming"] = "bare"
                await w.reload(child=None, new=None)
            else:
                again = {"url": w.old.url, "timeout": 77} if fate == "changed" else None
                await w.reload(old=again)
            await client.answer(begun)
            assert begun.said["tag"] == "x"
            assert w.old.runs["ask"] <= 1
            await w.drained()

    run(play())


@BOTH
def test_streams_go_on_and_tell_what_changed(era: str) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            stream = await client.listen(toolsListChanged=True)
            for number in range(3):
                # Nothing a list shows is different, so nobody is told.
                w.settings["shutdown_grace"] = 10 + number
                await w.reload()
            await w.drained()
            await w.reload(more=child("more"))
            message = await stream.next()
            assert message is not None
            assert message["method"] == TOOLS_CHANGED
            for server in (w.old, w.new):
                server.announce(TOOLS_CHANGED)
                assert (await stream.next() or {})["method"] == TOOLS_CHANGED
            stream.close()
            await until(lambda: not len(w.gateway._worlds._relays) or era == "L")

    run(play())


@BOTH
def test_streams_do_not_keep_the_engines_they_began_at(era: str) -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client(era)
            engines: list[weakref.ref[Engine]] = []
            streams: list[object] = []
            for number in range(3):
                streams.append(await client.listen(toolsListChanged=True))
                engines.append(weakref.ref(w.gateway._engine))
                w.settings["shutdown_grace"] = 10 + number
                await w.reload()
            await w.drained()
            gc.collect()
            assert [engine() for engine in engines] == [None] * 3

    run(play())


@BOTH
@pytest.mark.parametrize("server", ["old", "new"])
def test_resources_of_a_replaced_server_are_reported_as_updated(era: str, server: str) -> None:
    async def play() -> None:
        async with changing() as w:
            entry = w.servers[server]
            other = {"old": "new", "new": "old"}[server]
            await w.reload(**{other: None})
            client = await w.client(era)
            stream = await client.listen(uris=(URI,))
            await w.reload(child=child("two"))
            await w.reload(**{server: {**entry, "timeout": 77}})
            assert (await stream.until(UPDATED))["uri"] == URI
            await w.drained()
            getattr(w, server).announce(UPDATED, {"uri": URI})
            assert (await stream.until(UPDATED))["uri"] == URI

    run(play())


@BOTH
@pytest.mark.parametrize("server", ["old", "new"])
def test_what_happens_while_streams_change_over_is_told_once(era: str, server: str) -> None:
    async def play() -> None:
        async with changing() as w:
            other = {"old": "new", "new": "old"}[server]
            await w.reload(**{other: None})
            client = await w.client(era)
            stream = await client.listen(uris=(URI,))
            told = 0
            for number in range(6):
                task = asyncio.create_task(w.reload(child=child(f"child {number}")))
                while not task.done() or told % 10:
                    getattr(w, server).announce(UPDATED, {"uri": URI})
                    told += 1
                    await asyncio.sleep(0.002)
                await task
            await w.drained()
            heard = 0
            getattr(w, server).announce(TOOLS_CHANGED)
            with suppress(TimeoutError):
                while heard < told + 10:
                    # What is due may take its time; only for one too many there is none.
                    async with asyncio.timeout(None if heard < told else 0.5):
                        message = await stream.next()
                    heard += (message or {}).get("method") == UPDATED
            assert heard == told

    run(play())


def test_lists_have_no_hole(tmp_path: Path) -> None:
    async def play() -> None:
        async with changing() as w:
            clients = [await w.client(era) for era in "LM"]
            before = [await tools(client) for client in clients]
            slow = "import time,runpy,sys; time.sleep(1); sys.argv=sys.argv[1:]; "
            slow += "runpy.run_path(sys.argv[0], run_name='__main__')"
            args = ["-I", "-c", slow, *child("two", "new_one")["args"][2:]]
            task = asyncio.create_task(w.reload(child={"command": sys.executable, "args": args}))
            while not task.done():
                for client, had in zip(clients, before, strict=True):
                    now = await tools(client)
                    assert now in (had, had | {"child__new_one"})
            await task
            assert await tools(clients[0]) == before[0] | {"child__new_one"}

    run(play())


def test_a_server_that_cannot_start_takes_nobody_along() -> None:
    async def play() -> None:
        async with changing() as w:
            client = await w.client("M")
            await w.reload(bad={"command": "no-such-program-at-all"})
            assert (await who(client))["label"] == "one"
            assert {one.name: one.phase for one in w.gateway.servers()}["bad"] == "backoff"
            assert w.gateway.phase == "serving"

    run(play())


def test_what_needs_a_restart_is_named_and_stays() -> None:
    async def play() -> None:
        async with changing() as w:
            w.settings |= {"port": 4999, "limits": {"body_bytes": 2048}, "allow_hosts": ["a.test"]}
            done = await w.reload()
            assert done.held == ("lockgate.port", "lockgate.limits.body_bytes")
            assert w.gateway._config.lockgate.limits.body_bytes > 2048
            client = await w.client("M")
            assert (await client.call("old__echo", a="x" * 4000)).said
            stream = await client.exchange("GET", b"", {"Host": "a.test"})
            assert stream.status != 421

    run(play())


def test_ready_tells_of_the_last_reload() -> None:
    async def play() -> None:
        async with changing() as w:

            async def told() -> dict[str, object] | None:
                url = f"http://127.0.0.1:{w.port}/ready"
                answer = await asyncio.to_thread(urllib.request.urlopen, url, timeout=5)
                return json.load(answer).get("reload")

            assert await told() is None
            await w.reload(more=child("more"))
            assert (await told() or {})["status"] == "applied"
            w.gateway.refuse_reload(3)
            refused = await told() or {}
            assert (refused["status"], refused["errors"]) == ("refused", 3)
            assert str(refused["at"]).endswith("Z")
            with pytest.raises(LockgateError):
                await w.reload(odd={"url": "http://[::1/mcp"})
            assert (await told() or {})["status"] == "refused"

    run(play())


def test_the_end_does_not_wait_for_a_reload() -> None:
    async def play() -> None:
        async with changing() as w:
            slow = {"command": sys.executable, "args": ["-c", "import time; time.sleep(60)"]}
            task = asyncio.create_task(w.reload(slow=slow))
            await until(w.gateway._worlds._lock.locked)
            await w.gateway.stop(0.2)
            with pytest.raises(LockgateError):
                await task

    run(play(), 15)


@pytest.mark.skipif(sys.platform != "linux", reason="counts with /proc")
def test_a_hundred_reloads_leave_nothing_behind() -> None:
    async def play() -> None:
        async with changing() as w:
            clients = [await w.client(era) for era in "LM"]
            streams = [await client.listen(toolsListChanged=True) for client in clients]
            first = await counted(w, clients, 4)
            last = await counted(w, clients, 100)
            assert last["tasks"] <= first["tasks"] + 2
            assert last["descriptors"] <= first["descriptors"] + 2
            assert last["children"] == first["children"]
            # What leaks is there a hundred times; a list less or more depends on when it was asked
            # for, and is some forty objects.
            more = {name: n for name, n in last.items() if n > first.get(name, 0) + 80}
            assert not more
            # Calls go straight to the engine again.
            assert w.gateway._worlds.facade.handle == w.gateway._engine.handle
            for stream in streams:
                stream.close()

    run(play(), 100)


async def counted(w: Changing, clients: list[Client], reloads: int) -> dict[str, int]:
    for number in range(reloads):
        label = "one" if number % 10 else f"other {number}"
        await w.reload(child=child(label))
        for client in clients:
            client.streams.clear()
            await who(client)
            assert (await client.call("old__echo", a=1)).said
    await w.drained()
    return census()
