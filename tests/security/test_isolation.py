"""Two tenants, every feature that keeps state, both eras on both sides: nothing crosses.

The server is shown the same credentials for both, so only the gateway can keep them apart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.bridge.clients import Begun, Client, Stream, progress
from tests.bridge.scripts import ELICIT, URI, structured
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.tenants import CELLS, NewCounting, Tenants, tenants
from tests.support.waiting import until

each_cell = pytest.mark.parametrize("cell", CELLS)
handshake_client = pytest.mark.parametrize("cell", ["LL", "LM"])
UPDATED = "notifications/resources/updated"


def play(test: Callable[[Tenants], Awaitable[None]], cell: str, **settings: Any) -> None:
    async def bounded() -> None:
        async with tenants(cell, **settings) as w:
            await test(w)

    run(bounded())


async def drained(
    stream: Stream, enough: Callable[[list[Any]], object] = lambda _: True
) -> list[Any]:
    """What there is on a stream once nothing comes for a moment, and what comes is `enough`."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while True:
            try:
                async with asyncio.timeout(0.15):
                    message = await stream.next()
            except TimeoutError:
                if enough(found):
                    return found
                continue
            if message is None:
                return found
            found.append(message)


# Sessions.


@holds(26)
@handshake_client
def test_a_session_is_its_owners(cell: str) -> None:
    async def test(w: Tenants) -> None:
        thief = await w.stranger("bob", session=w.ann.session)
        assert (await thief.begin("tools/list")).status == 404
        assert (await thief.exchange("GET", b"", {"Accept": "text/event-stream"})).status == 404
        assert (await thief.exchange("DELETE", b"", {})).status == 404
        assert (await w.ann.call("echo", a=1)).said == {"a": 1}

    play(test, cell)


@handshake_client
def test_a_session_is_its_owners_after_its_state_is_gone(cell: str) -> None:
    async def test(w: Tenants) -> None:
        sessions = w.gateway._endpoints.served["/mcp"].exchange._handshake.sessions
        sessions._live.clear()
        thief = await w.stranger("bob", session=w.ann.session)
        assert (await thief.begin("tools/list")).status == 404
        assert (await w.ann.call("echo", a=1)).said == {"a": 1}

    play(test, cell)


@handshake_client
def test_broken_streams_are_resumed_by_their_owner_alone(cell: str) -> None:
    async def test(w: Tenants) -> None:
        begun = Begun("tools/call", {"name": "wait", "arguments": {"gate": "g"}, **progress(1)})
        accept = {"Accept": "text/event-stream;q=1, application/json;q=0.5"}
        await w.ann.send(begun, headers=accept)
        await w.server.happened("at g")
        assert begun.stream is not None
        ids = begun.stream.event_ids
        await drained(begun.stream, lambda _: ids)
        [last] = begun.stream.event_ids[-1:]
        begun.stream.close()
        back = {"Accept": "text/event-stream", "Last-Event-ID": last}
        stolen = await w.bob.exchange("GET", b"", back)
        w.server.let("g")
        assert not [one for one in await drained(stolen) if "result" in one]
        own = await w.ann.exchange("GET", b"", back)
        assert own.status == 200
        answer = await own.next()
        assert answer is not None
        assert answer["result"]["structuredContent"] == {"tag": "g"}

    play(test, cell)


def test_an_address_of_the_oldest_transport_is_its_owners() -> None:
    async def test(w: Tenants) -> None:
        opener = await w.stranger("ann", path="/sse")
        stream = await opener.exchange("GET", b"", {"Accept": "text/event-stream"})
        line = await stream._chunk()
        address = line.split(b"data: ")[1].split(b"\n")[0].decode()
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        for who, status in (("bob", 404), ("ann", 202)):
            poster = await w.stranger(who, path=address)
            assert (await poster.post(body)).status == status

    play(test, "LL")


# Calls that go on.


@each_cell
def test_what_a_call_waits_for_is_its_callers_to_answer(cell: str) -> None:
    async def test(w: Tenants) -> None:
        anns = await w.ann.call("ask", rounds=[{"a": ELICIT}], tag="ann")
        bobs = await w.bob.call("ask", rounds=[{"a": ELICIT}], tag="bob")
        assert len(anns.asked) == len(bobs.asked) == 1
        if w.era == "M":
            anns_state, bobs_state = anns.state, bobs.state
            asked = dict(bobs.asked)
            stolen = await w.bob.answer(bobs, requestState=anns_state)
            assert stolen.error["code"] == -32602
            bobs.asked, bobs.response, bobs.state = asked, None, bobs_state
        else:
            # A response to a question that was never asked of this session is nobody's.
            for request in anns.asked.values():
                await w.bob.deliver({"id": request["id"], "result": {"action": "decline"}})
        for client, begun, tag in ((w.ann, anns, "ann"), (w.bob, bobs, "bob")):
            done = await client.answer(begun)
            assert done.said["tag"] == tag
            assert done.said["answers"][0]["a"]["action"] == "accept"

    play(test, cell)


@each_cell
def test_nobody_calls_off_what_somebody_else_runs(cell: str) -> None:
    async def test(w: Tenants) -> None:
        waits = asyncio.create_task(w.ann.call("wait", gate="g"))
        await w.server.happened("at g")
        await w.bob.tell("notifications/cancelled", {"requestId": 2})
        for number in range(1, 6):
            if w.era == "L":
                await w.bob.tell("notifications/cancelled", {"requestId": number})
        w.server.let("g")
        assert (await waits).said == {"tag": "g"}
        assert not w.server.said["cancelled g"].is_set()

    play(test, cell)


@each_cell
def test_progress_and_log_messages_go_to_the_caller_alone(cell: str) -> None:
    async def test(w: Tenants) -> None:
        ann = await w.client("ann", level="debug")
        bob = await w.client("bob", level="debug")
        heard = await bob.listen(toolsListChanged=True)
        anns = Begun(
            "tools/call",
            {
                "name": "talk",
                "arguments": {"progress": 2, "logs": ["error"], "tag": "anns", "wait": "g"},
                **progress("same"),
            },
        )
        bobs = Begun(
            "tools/call",
            {
                "name": "talk",
                "arguments": {"progress": 2, "logs": ["error"], "tag": "bobs", "wait": "g"},
                **progress("same"),
            },
        )
        await ann.send(anns)
        await w.server.happened("at g")
        await bob.send(bobs)
        w.server.let("g")
        await asyncio.gather(ann.read(anns), bob.read(bobs))
        assert "bobs" not in json.dumps(anns.heard)
        assert "anns" not in json.dumps(bobs.heard)
        assert "anns" in json.dumps(anns.heard)
        assert "anns" not in json.dumps(await drained(heard))

    play(test, cell)


# What is listened to.


@holds(27)
@each_cell
def test_updates_reach_who_subscribed(cell: str) -> None:
    async def test(w: Tenants) -> None:
        anns = await w.ann.listen(uris=(URI,))
        bobs = await w.bob.listen(toolsListChanged=True)
        await w.server.happened(f"resources/subscribe {URI}")
        w.server.announce(UPDATED, {"uri": URI})
        assert (await anns.until(UPDATED))["uri"] == URI
        assert UPDATED not in json.dumps(await drained(bobs))

    play(test, cell)


@each_cell
def test_nobody_ends_somebody_elses_subscription(cell: str) -> None:
    async def test(w: Tenants) -> None:
        anns = await w.ann.listen(uris=(URI,))
        bobs = await w.bob.listen(uris=(URI,))
        await w.server.happened(f"resources/subscribe {URI}")
        if w.era == "L":
            _ = (await w.bob.begin("resources/unsubscribe", {"uri": URI})).result
        else:
            bobs.close()
        w.server.announce(UPDATED, {"uri": URI})
        assert (await anns.until(UPDATED))["uri"] == URI

    play(test, cell)


# What is kept.


@holds(27)
@each_cell
@pytest.mark.parametrize("public", [False, True])
def test_what_is_cached_is_private_unless_it_is_said_to_be_public(cell: str, public: bool) -> None:
    async def test(w: Tenants) -> None:
        async def ran(client: Client) -> int:
            return (await client.call("tick")).said["ran"]

        assert await ran(w.ann) == await ran(w.ann) == 1
        assert await ran(w.bob) == await ran(w.bob) == (1 if public else 2)

    rule = {"cache": {"ttl": 60, "public": public}}
    play(test, cell, entry={"tools": {"tick": rule}})


@holds(27)
@each_cell
def test_sessions_at_a_server_are_not_shared(cell: str) -> None:
    async def test(w: Tenants) -> None:
        for client in (w.ann, w.bob):
            await client.call("echo")
        if cell[1] == "M":
            return
        used = {
            headers["mcp-session-id"]
            for method, params, headers in w.server.received
            if method == "tools/call" and params["name"] == "echo"
        }
        assert len(used) == 2

    play(test, cell)


class TaskServer(NewCounting):
    """Answers every call with a task, and knows nobody."""

    async def _result(
        self, method: str, params: Any, headers: dict[str, str], stream: Any
    ) -> dict[str, Any]:
        task = {"taskId": "t1", "ttlMs": None, "pollIntervalMs": 10}
        if method == "tools/call":
            return {"resultType": "task", "status": "working", **task}
        if method in ("tasks/get", "tasks/cancel", "tasks/update"):
            done = {"resultType": "complete", "status": "completed", **task}
            return {**done, "result": structured({"of": "ann"})}
        return await super()._result(method, params, headers, stream)


@holds(26)
def test_tasks_are_their_owners() -> None:
    async def test(w: Tenants) -> None:
        extensions = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
        ann = await w.client("ann", capabilities=extensions)
        bob = await w.client("bob", capabilities=extensions)
        task = (await ann.call("echo")).result["taskId"]
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            about = {"taskId": task, "inputResponses": {}}
            header = {"Mcp-Name": task}
            seen = len(w.server.seen(method))
            for stolen in (task, "t1"):
                header = {"Mcp-Name": stolen}
                theirs = await bob.begin(method, {**about, "taskId": stolen}, headers=header)
                assert theirs.error["message"] == f"Unknown task: {stolen}"
            assert len(w.server.seen(method)) == seen
            own = await ann.begin(method, about, headers={"Mcp-Name": task})
            assert own.result["taskId"] == task

    run_with_tasks(test)


def run_with_tasks(test: Callable[[Tenants], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with tenants("MM", TaskServer("one")) as w:
            await test(w)

    run(bounded())


# What is counted.


@each_cell
def test_places_are_counted_for_each(cell: str) -> None:
    async def test(w: Tenants) -> None:
        waits = asyncio.create_task(w.ann.call("wait", gate="g"))
        await w.server.happened("at g")
        refused = (await w.ann.call("echo")).error
        assert "call" in refused["message"]
        assert (await w.bob.call("echo", a=1)).said == {"a": 1}
        w.server.let("g")
        await waits

    play(test, cell, limits={"concurrent_per_caller": 1})


@holds(40)
@each_cell
def test_rates_are_counted_for_each(cell: str) -> None:
    async def test(w: Tenants) -> None:
        allowed = 0
        while (await w.ann.call("echo")).response is not None and allowed < 20:
            begun = await w.ann.call("echo")
            if "error" in (begun.response or {}):
                break
            allowed += 1
        assert allowed < 20
        assert (await w.bob.call("echo", a=1)).said == {"a": 1}

    play(test, cell, rate={"per_principal": ["8/min"]})


@handshake_client
def test_log_levels_are_kept_for_each(cell: str) -> None:
    async def test(w: Tenants) -> None:
        _ = (await w.ann.begin("logging/setLevel", {"level": "debug"})).result
        params = {"name": "talk", "arguments": {"logs": ["debug"], "tag": "x"}}
        bobs = await w.bob.begin("tools/call", params)
        assert not bobs.notices("notifications/message")

    play(test, cell)


@each_cell
def test_the_end_of_one_is_not_the_end_of_the_other(cell: str) -> None:
    async def test(w: Tenants) -> None:
        heard = await w.bob.listen(toolsListChanged=True)
        waits = asyncio.create_task(w.bob.call("wait", gate="g"))
        await w.server.happened("at g")
        if w.era == "L":
            assert (await w.ann.exchange("DELETE", b"", {})).status == 204
        w.ann.close()
        w.server.let("g")
        assert (await waits).said == {"tag": "g"}
        w.server.announce("notifications/tools/list_changed")
        await heard.until("notifications/tools/list_changed")

    play(test, cell)


@each_cell
def test_nothing_of_a_tenant_is_left_when_it_is_gone(cell: str) -> None:
    async def test(w: Tenants) -> None:
        await w.ann.call("echo")
        if w.era == "L":
            assert (await w.ann.exchange("DELETE", b"", {})).status == 204
            exchange = w.gateway._endpoints.served["/mcp"].exchange
            await until(lambda: len(exchange._handshake.sessions) == 1)
        limit = w.gateway._engine._limit
        await until(lambda: not limit._by_principal)

    play(test, cell, limits={"concurrent_per_caller": 5})


# What changes while it goes on.


class ByScope:
    """Sees everything with the scope `all`, and else nothing of the server's resources."""

    endpoint, naming, page_size, instructions = "/mcp", "bare", 1000, None
    servers = ("one",)
    personal = True

    def __init__(self, *, all_of_it: bool) -> None:
        self.key = self.whole = all_of_it

    def shows(self, server: str, kind: str, name: str, /) -> bool:
        return self.whole or kind != "resource"

    def judge(self, call: Any, /) -> None:
        return None


@handshake_client
def test_a_session_hears_what_its_newest_token_grants(cell: str) -> None:
    async def test(w: Tenants) -> None:
        sights = {one: ByScope(all_of_it=one) for one in (True, False)}
        engine: Any = w.gateway._engine
        engine.sights.of = lambda call: sights["all" in call.principal.scopes]
        ann = await w.client("ann:all")
        heard = await ann.listen(uris=(URI,))
        w.server.announce(UPDATED, {"uri": URI})
        await heard.until(UPDATED)
        ann.token = "ann"
        assert (await ann.begin("resources/read", {"uri": URI})).error
        sessions = w.gateway._endpoints.served["/mcp"].exchange._handshake.sessions
        [listening] = [one.listening for one in sessions._live.values() if one.listening]
        await until(lambda: not listening.uris and listening._old is None)
        w.server.announce(UPDATED, {"uri": URI})
        w.server.announce("notifications/tools/list_changed")
        rest = await drained(heard, lambda said: "tools/list_changed" in json.dumps(said))
        assert UPDATED not in json.dumps(rest)
        assert "tools/list_changed" in json.dumps(rest)

    play(test, cell)
