"""What is listed is what can be called, under one name that leads to one place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import SCHEMA, Json, Peer, World, before

UNKNOWN = -32602


def marked(name: str, annotation: Any, kind: str = "string", **more: Any) -> Json:
    """A tool with one property whose value is to be repeated in a header."""
    properties = {"region": {"type": kind, "x-mcp-header": annotation}, **more}
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


INVALID: dict[str, Json] = {
    "empty": marked("bad", ""),
    "space": marked("bad", "a b"),
    "line break": marked("bad", "a\r\nX-Evil: 1"),
    "colon": marked("bad", "a:b"),
    "no string": marked("bad", 1),
    "null": marked("bad", None),
    "letter of another alphabet": marked("bad", "régio"),
    "object": marked("bad", "Region", "object"),
    "number": marked("bad", "Region", "number"),
    "twice": marked("bad", "Region", other={"type": "string", "x-mcp-header": "REGION"}),
    "at the root": {"name": "bad", "inputSchema": {"type": "object", "x-mcp-header": "A"}},
    "in a list": {
        "name": "bad",
        "inputSchema": {
            "type": "object",
            "properties": {
                "a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}
            },
        },
    },
    "behind a choice": {
        "name": "bad",
        "inputSchema": {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
    },
}
UNREADABLE = (
    b'{"name":"bad","inputSchema":{"type":"object","maximum":1e999,'
    b'"properties":{"a":{"type":"object","x-mcp-header":"A"}}}}'
)
ESCAPED = (
    b'{"name":"bad","inputSchema":{"type":"object",'
    b'"properties":{"a":{"type":"object","x-mcp-\\u0068eader":"A"}}}}'
)
GOOD = b'{"name":"echo","inputSchema":{"type":"object"}}'
RAW: dict[str, bytes] = {"unreadable": UNREADABLE, "escaped": ESCAPED}


async def refused_both_ways(w: World, peer: Peer, *names: str) -> None:
    """Neither era's clients see or reach the tool, under any of these names."""
    old = await Client(w.port, "L").open()
    try:
        for name in names:
            assert name not in await w.tools()
            listed = (await old.begin("tools/list")).result["tools"]
            assert name not in [one["name"] for one in listed]
            answer = await w.post("tools/call", {"name": name, "arguments": {"region": "x"}})
            assert "error" in answer.json, answer.body
            assert "error" in ((await old.call(name, region="x")).response or {})
    finally:
        old.close()
    assert not peer.calls


@holds(22, 25)
@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_tool_is_hidden_and_refused(kind: str) -> None:
    """With one server names that no list holds are passed on to it: this one must not be."""

    async def play() -> None:
        peer = Peer(tools=[{"name": "echo", "inputSchema": SCHEMA}, INVALID[kind]])
        async with before(peer) as w:
            await refused_both_ways(w, peer, "bad")
            assert (await w.call("echo")).result

    run(play())


@holds(22, 25)
@pytest.mark.parametrize("kind", RAW)
def test_a_tool_that_cannot_be_judged_is_hidden_and_refused(kind: str) -> None:
    async def play() -> None:
        peer = Peer(tools=b'{"resultType":"complete","tools":[%b,%b]}' % (GOOD, RAW[kind]))
        async with before(peer) as w:
            await refused_both_ways(w, peer, "bad")
            assert (await w.call("echo")).result

    run(play())


@holds(22, 25)
def test_an_invalid_tool_on_a_later_page_is_refused() -> None:
    def pages(params: Json) -> bytes:
        if "cursor" not in params:
            return b'{"resultType":"complete","tools":[%b],"nextCursor":"2"}' % GOOD
        tool = json.dumps(INVALID["object"]).encode()
        return b'{"resultType":"complete","tools":[%b]}' % tool

    async def play() -> None:
        peer = Peer(tools=pages)
        async with before(peer) as w:
            await refused_both_ways(w, peer, "bad")

    run(play())


@holds(22, 25)
def test_a_server_cannot_bring_a_hidden_tool_back_by_refusing_a_call() -> None:
    """A header mismatch makes the list be asked for anew; a list that then fails frees nothing."""

    async def script(peer: Peer, _: Any, message: Json, responder: Any) -> None:
        peer.lists["tools"] = b"[]"
        error = {"code": -32020, "message": "mismatch"}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode()
        responder.send(400, ((b"content-type", b"application/json"),), body)

    async def play() -> None:
        peer = Peer(script=script, tools=[{"name": "echo", "inputSchema": SCHEMA}, INVALID["null"]])
        async with before(peer) as w:
            assert (await w.call("echo")).error
            refused = (await w.call("bad")).error["data"]["reason"]
            assert refused in {"invalid-tool", "unknown-tool"}
            assert set(peer.called()) == {"echo"}

    run(play())


@holds(22)
def test_a_tool_that_was_mended_can_be_called() -> None:
    async def play() -> None:
        peer = Peer(tools=[INVALID["null"]])
        async with before(peer) as w:
            assert (await w.call("bad")).error
            peer.lists["tools"] = [{"name": "bad", "inputSchema": SCHEMA}]
            w.gateway._engine.catalog.changed("peer", "tools")
            assert await w.tools() == ["bad"]
            assert (await w.call("bad")).result

    run(play())


@holds(22, 25)
def test_an_invalid_tool_of_one_of_several_servers_is_refused_under_every_name() -> None:
    async def play() -> None:
        bad = Peer("one", tools=[{"name": "echo", "inputSchema": SCHEMA}, INVALID["null"]])
        async with before(bad, Peer("two")) as w:
            await refused_both_ways(w, bad, "one__bad", "bad", "two__bad", "one_bad", "ONE__bad")

    run(play())


@holds(22)
def test_a_disabled_server_cannot_be_called() -> None:
    async def play() -> None:
        off = Peer("off")
        async with before(Peer("on"), Peer("also")) as w:
            [(_, off.port)] = await off.http.start("127.0.0.1", 0)
            for name in ("off__echo", "echo"):
                assert (await w.call(name)).error["code"] == UNKNOWN
            assert not off.requests
            await off.die()

    run(play())


@holds(23)
def test_equal_names_are_told_apart_and_bare_ones_lead_nowhere() -> None:
    async def play() -> None:
        one, two = (Peer(name, tools=[{"name": "search", "inputSchema": SCHEMA}]) for name in "ab")
        async with before(one, two) as w:
            assert await w.tools() == ["a__search", "b__search"]
            assert (await w.call("search")).error["code"] == UNKNOWN
            assert not one.calls
            assert not two.calls
            assert (await w.call("b__search")).result["structuredContent"] == {"by": "b"}
            assert (one.called(), two.called()) == ([], ["search"])

    run(play())


@holds(23)
def test_a_name_that_two_origins_could_mean_is_refused() -> None:
    async def play() -> None:
        one = Peer("a__b", tools=[{"name": "c", "inputSchema": SCHEMA}])
        two = Peer("a", tools=[{"name": "b__c", "inputSchema": SCHEMA}])
        async with before(one, two) as w:
            assert await w.tools() == []
            error = (await w.call("a__b__c")).error
            assert error["data"]["reason"] == "name-collision"
            assert "a__b (c)" in error["message"]
            assert "a (b__c)" in error["message"]
            assert not one.calls
            assert not two.calls

    run(play())


@holds(23)
@pytest.mark.parametrize(
    ("first", "second"), [("my.tool", "my/tool"), ("my tool", "my_tool"), ("tööl", "tüül")]
)
def test_names_that_become_equal_are_refused(first: str, second: str) -> None:
    async def play() -> None:
        tools = [{"name": name, "inputSchema": SCHEMA} for name in (first, second)]
        one = Peer("a", tools=tools)
        off = {"definitions": {"block": "off"}}  # which would let the first of them stay
        async with before(one, Peer("b"), guard=off) as w:
            assert await w.tools() == ["b__echo"]
            for name in (first, second, "a__my_tool", "a__t__l"):
                assert (await w.call(name)).error["code"] == UNKNOWN
            assert not one.calls

    run(play())


@holds(23)
def test_names_that_differ_in_case_only_are_refused_between_servers() -> None:
    async def play() -> None:
        one = Peer("a", tools=[{"name": "Pay", "inputSchema": SCHEMA}])
        two = Peer("b", tools=[{"name": "pay", "inputSchema": SCHEMA}])
        async with before(one, two, naming="bare") as w:
            assert await w.tools() == []
            for name in ("Pay", "pay", "PAY"):
                assert (await w.call(name)).error["code"] == UNKNOWN
            assert not one.calls
            assert not two.calls

    run(play())
