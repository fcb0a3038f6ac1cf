"""Replicas behind running gateways: who answers, what moves when one dies, and what never does."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import pytest

from tests.bridge.clients import Client
from tests.bridge.handshake_server import OldServer
from tests.bridge.scripts import ELICIT
from tests.bridge.world import until
from tests.fronts.served import run
from tests.gateway.replicated import Replicated, come_back, made_of, replicated

UPDATED = "notifications/resources/updated"
TOOLS_CHANGED = "notifications/tools/list_changed"
URI = "notes://today"
CELLS = pytest.mark.parametrize(("era", "servers"), [("L", "LL"), ("M", "MM"), ("L", "MM")])


async def echo(client: Client) -> None:
    begun = await client.call("echo", a=1)
    assert begun.said == {"a": 1}
    assert begun.stream is not None
    begun.stream.close()
    client.streams.clear()


@pytest.mark.parametrize("era", ["L", "M"])
@pytest.mark.parametrize("servers", ["LL", "MM"])
def test_the_first_answers_then_the_next_then_the_first_again(era: str, servers: str) -> None:
    async def play() -> None:
        async with replicated(servers) as w:
            client = await w.client(era)
            await echo(client)
            assert w.runs() == [1, 0]
            await w.servers[0].die()
            await echo(client)
            assert w.runs() == [1, 1]
            await come_back(w.servers[0])
            await w.settled("ready ready")
            assert w.active() == 0
            await echo(await w.client(era))
            assert w.runs() == [2, 1]

    run(play(), 30)


def test_a_session_stays_with_its_replica_while_that_is_alive() -> None:
    async def play() -> None:
        async with replicated("LL") as w:
            client = await w.client("L")
            first = (await client.call("who")).said["session"]
            assert first.startswith("a-")
            await w.servers[0].die()
            moved = (await client.call("who")).said["session"]
            assert moved.startswith("b-")
            await come_back(w.servers[0])
            await w.settled("ready ready")
            assert w.active() == 0
            assert (await client.call("who")).said["session"] == moved
            other = await w.client("L")
            assert (await other.call("who")).said["session"].startswith("a-")

    run(play(), 30)


@CELLS
def test_a_tool_call_that_may_have_run_is_not_run_again(era: str, servers: str) -> None:
    async def play() -> None:
        async with replicated(servers) as w:
            client = await w.client(era)
            call = asyncio.create_task(client.call("wait", gate="never"))
            await w.servers[0].happened("at never")
            await w.servers[0].die()
            failure = (await call).error
            assert failure["data"]["reason"] == "upstream-lost"
            assert w.runs("wait") == [1, 0]
            await echo(client)

    run(play(), 30)


@CELLS
def test_no_read_fails_while_replicas_die_and_return(era: str, servers: str) -> None:
    """Tool calls may fail then, and each of them runs at most once."""

    async def play() -> None:
        async with replicated(servers) as w:
            stopping = asyncio.Event()
            done = {"read": 0, "called": 0}

            async def reads(client: Client) -> None:
                while not stopping.is_set():
                    begun = await client.begin("resources/read", {"uri": URI})
                    assert begun.result["contents"]
                    client.close()
                    client.streams.clear()
                    done["read"] += 1

            async def calls(client: Client, number: int) -> None:
                while not stopping.is_set():
                    done["called"] += 1
                    begun = await client.call("echo", number=number, turn=done["called"])
                    assert begun.response is not None
                    client.close()
                    client.streams.clear()

            clients = [await w.client(era) for _ in range(8)]
            work = [asyncio.create_task(reads(one)) for one in clients[:4]]
            work += [asyncio.create_task(calls(one, n)) for n, one in enumerate(clients[4:])]
            for dying in (0, 1, 0):
                seen = dict(done)
                await until(lambda seen=seen: done["read"] > seen["read"] + 20)
                await w.servers[dying].die()
                seen = dict(done)
                await until(lambda seen=seen: done["read"] > seen["read"] + 20)
                await come_back(w.servers[dying])
                await w.settled("ready ready")
            stopping.set()
            await asyncio.gather(*work)
            asked = [
                json.dumps(one["arguments"])
                for server in w.servers
                for one in server.seen("tools/call")
            ]
            assert len(asked) == len(set(asked))

    run(play(), 60)


def test_when_all_are_down_the_caller_hears_it_and_the_first_to_return_answers() -> None:
    async def play() -> None:
        async with replicated("MM") as w:
            client = await w.client("M")
            for server in w.servers:
                await server.die()
            failures = [(await client.call("echo")).error for _ in range(3)]
            assert failures[-1]["data"]["reason"] == "server-unavailable"
            assert failures[-1]["data"]["server"] == "s"
            assert w.gateway.phase == "down"
            await come_back(w.servers[1])
            await until(lambda: w.replicas.state.phase == "ready")
            assert w.gateway.phase == "serving"
            await echo(client)

    run(play(), 30)


def test_a_parked_call_fails_as_it_does_with_one_server_and_is_not_run_again() -> None:
    async def play() -> None:
        async with replicated("LL") as w:
            client = await w.client("M")
            begun = await client.call("ask", rounds=[{"name": ELICIT}])
            assert begun.asked
            await w.servers[0].die()
            await w.client("M")
            await client.answer(begun)
            assert begun.error["data"]["reason"] == "upstream-lost"
            assert w.runs("ask") == [1, 0]

    run(play(), 30)


def test_a_parked_call_goes_on_where_it_waits_when_another_takes_the_calls() -> None:
    async def play() -> None:
        async with replicated("LL") as w:
            client = await w.client("M")
            await w.servers[0].die()
            begun = await client.call("ask", rounds=[{"name": ELICIT}])
            await come_back(w.servers[0])
            await w.settled("ready ready")
            assert w.active() == 0
            await client.answer(begun)
            assert begun.said["answers"]
            assert w.runs("ask") == [0, 1]

    run(play(), 30)


@pytest.mark.parametrize("era", ["L", "M"])
def test_listeners_follow_and_are_told_to_look_again(era: str) -> None:
    async def play() -> None:
        async with replicated("MM" if era == "M" else "LL") as w:
            client = await w.client(era)
            stream = await client.listen(uris=(URI,), toolsListChanged=True)
            await w.servers[0].die()
            assert (await stream.until(UPDATED))["uri"] == URI
            b = w.servers[1]
            if isinstance(b, OldServer):
                await until(lambda: any(URI in one.uris for one in b.sessions.values()))
            w.servers[1].announce(UPDATED, {"uri": URI})
            assert (await stream.until(UPDATED))["uri"] == URI

    run(play(), 30)


@pytest.mark.parametrize("differ", [True, False])
def test_a_failover_announces_lists_only_if_they_differ(differ: bool) -> None:
    async def play() -> None:
        async with replicated("MM", pins="off") as w:
            if differ:
                w.servers[1].extra_tools.append({"name": "more", "inputSchema": {"type": "object"}})
            client = await w.client("M")
            stream = await client.listen(toolsListChanged=True, promptsListChanged=True)
            told: list[tuple[str, str]] = []
            subscriptions = w.gateway._engine.subscriptions
            announce = subscriptions.announce
            subscriptions.announce = lambda *news: (told.append(news), announce(*news))[1]  # type: ignore[method-assign] - an ear of ours
            await w.servers[0].die()
            await echo(client)
            if differ:
                await stream.until(TOOLS_CHANGED)
                tools = (await client.begin("tools/list")).result["tools"]
                assert "more" in {one["name"] for one in tools}
            await until(lambda: w.servers[1].seen("prompts/list"))
            assert {method for method, _ in told} == ({TOOLS_CHANGED} if differ else set())

    run(play(), 30)


def ready(w: Replicated) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{w.port}/ready", timeout=5) as answer:
        return json.load(answer)["servers"]["s"]


def test_ready_shows_every_replica() -> None:
    async def play() -> None:
        async with replicated("MM") as w:
            shown = await asyncio.to_thread(ready, w)
            assert shown["replicas"] == [
                {"state": "ready", "active": True},
                {"state": "ready", "active": False},
            ]
            await w.servers[0].die()
            await echo(await w.client("M"))
            shown = await asyncio.to_thread(ready, w)
            assert [one["active"] for one in shown["replicas"]] == [False, True]  # type: ignore[attr-defined] - JSON

    run(play(), 30)


def test_a_replica_that_is_added_leaves_the_others_as_they_are() -> None:
    async def play() -> None:
        async with replicated("LL") as w:
            client = await w.client("L")
            session = (await client.call("who")).said["session"]
            begun = await client.call("ask", rounds=[{"name": ELICIT}])
            old = {one.upstream for one in w.replicas.replicas}
            [more] = made_of("L")
            async with more.serving():
                w.servers.append(more)
                await w.gateway.reload(w.config())
                assert old < {one.upstream for one in w.replicas.replicas}
                assert (await client.call("who")).said["session"] == session
                await client.answer(begun)
                assert begun.said["answers"]
                w.servers = w.servers[1:]
                await w.gateway.reload(w.config())
                await until(lambda: not w.gateway._worlds._chores)
                assert (await client.call("who")).said["session"] != session
                await w.settled("ready ready")

    run(play(), 30)


def test_lazy_replicas_start_when_they_are_needed() -> None:
    async def play() -> None:
        servers = made_of("MM")
        async with servers[0].serving(), servers[1].serving():
            w = Replicated(servers, {"start": "lazy"}, {})
            try:
                await w.gateway.start()
                [(_, w.port)] = await w.gateway.serve_http("127.0.0.1", 0)
                client = await w.client("M")
                await echo(client)
                assert [one.phase for one in w.replicas.states()] == ["ready", "idle"]
                await servers[0].die()
                await echo(client)
                assert w.runs() == [1, 1]
            finally:
                await w.gateway.stop(0.1)

    run(play(), 30)
