"""Several paths of one gateway, each with its own servers and shape."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.core.message import Call
from lockgate.gateway.endpoint_sights import endpoint_sights, endpoints_of
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.sights import OPERATOR
from tests.bridge.clients import Client, Json
from tests.bridge.scripts import ELICIT
from tests.fronts.served import run
from tests.gateway.reloading import changing, tools
from tests.support.waiting import until

ERAS = ("L", "M")
OPENAI: Json = {"servers": ["new"], "naming": "bare", "tools": ["new/echo", "new/ask"]}
CLAUDE: Json = {"servers": ["old", "new"], "instructions": "Read me.", "page_size": 2}


def seen(config: Json, servers: tuple[str, ...] = ("a", "b")) -> Any:
    whole = Config.model_validate(
        {"servers": {name: {"command": "x"} for name in servers}, "lockgate": config}
    )
    of = endpoint_sights(whole)
    return whole, of


async def everything(client: Client) -> set[str]:
    """The names of all tools, page by page."""
    names: set[str] = set()
    cursor: Json = {}
    while True:
        page = (await client.begin("tools/list", cursor)).result
        names |= {one["name"] for one in page["tools"]}
        if "nextCursor" not in page:
            return names
        cursor = {"cursor": page["nextCursor"]}


@pytest.mark.parametrize("era", ERAS)
def test_each_endpoint_has_its_servers_tools_and_names(era: str) -> None:
    async def play() -> None:
        endpoints = {"/openai/mcp": OPENAI, "/claude/mcp": CLAUDE}
        async with changing(endpoints=endpoints) as w:
            one = await w.client(era, path="/openai/mcp")
            other = await w.client(era, path="/claude/mcp")
            every = await w.client(era)
            assert await everything(one) == {"echo", "ask"}
            there = await everything(other)
            assert {name.partition("__")[0] for name in there} == {"old", "new"}
            assert "child__who" in await everything(every)
            assert other.opening["instructions"] == "Read me."

            assert (await one.call("echo", a=1)).said == {"a": 1}
            assert (await other.call("new__echo", a=2)).said == {"a": 2}
            for hidden in ("who", "old__echo", "new__echo", "child__who"):
                refused = (await one.call(hidden)).error
                assert refused["code"] == -32602
                assert refused["message"] == f"Unknown tool: {hidden}"
                assert "old" not in str(refused.get("data"))

    run(play())


def test_what_belongs_to_one_endpoint_is_worth_nothing_at_another() -> None:
    async def play() -> None:
        view = {"servers": ["old"], "page_size": 2}
        async with changing(endpoints={"/one": view, "/two": view}) as w:
            # Sessions.
            old = await w.client("L", path="/one")
            stranger = Client(w.port, "L", path="/two", session=old.session)
            w.stack.callback(stranger.close)
            begun = await stranger.begin("tools/list")
            assert begun.status == 404
            # Cursors.
            new = await w.client("M", path="/one")
            other = await w.client("M", path="/two")
            page = (await new.begin("tools/list")).result
            cursor = {"cursor": page["nextCursor"]}
            assert (await new.begin("tools/list", cursor)).result["tools"]
            assert (await other.begin("tools/list", cursor)).error["code"] == -32602
            # Request states.
            waits = await new.call("old__ask", rounds=[{"a": ELICIT}])
            moved = await other.call("old__ask", rounds=[{"a": ELICIT}])
            moved.state, own = waits.state, moved.state
            assert (await other.answer(moved)).error["code"] == -32602
            assert (await new.answer(waits)).said["answers"]
            assert own != waits.state
            # Event streams that broke: their ids name streams of one session at one endpoint.
            listening = await old.listen()
            listening.close()
            resumed = await stranger.exchange(
                "GET", b"", {"Accept": "text/event-stream", "Last-Event-ID": "g00000000-0"}
            )
            assert resumed.status == 404

    run(play())


def test_what_is_asked_for_by_nobodys_path_names_no_endpoint() -> None:
    async def play() -> None:
        async with changing(endpoints={"/secret/mcp": {}, "/mcp": {"disabled": True}}) as w:
            for path in ("/", "/mcp", "/other", "/secret"):
                lost = Client(w.port, "M", path=path)
                w.stack.callback(lost.close)
                begun = await lost.begin("tools/list")
                assert begun.status == 404
                said = await lost.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
                assert "/secret" not in str(await said.next())
            assert "child__who" in await tools(await w.client("M", path="/secret/mcp"))
            assert next(iter(w.gateway.urls)).endswith("/secret/mcp")
            assert (await w.gateway.request("tools/list", {}))["tools"]

    run(play())


@pytest.mark.parametrize("era", ERAS)
def test_a_reload_adds_changes_and_removes_endpoints(era: str) -> None:
    async def play() -> None:
        async with changing(endpoints={"/stays": {"servers": ["old"]}, "/goes": {}}) as w:
            stays = await w.client(era, path="/stays")
            goes = await w.client(era, path="/goes")
            heard = await stays.listen(toolsListChanged=True)
            ends = await goes.listen(toolsListChanged=True)
            assert {name.partition("__")[0] for name in await tools(stays)} == {"old"}

            w.settings["endpoints"] = {"/stays": {"servers": ["new"]}, "/comes": {}}
            await w.reload()
            await heard.until("notifications/tools/list_changed")
            assert {name.partition("__")[0] for name in await tools(stays)} == {"new"}
            assert "child__who" in await tools(await w.client(era, path="/comes"))
            gone = await goes.begin("tools/list")
            assert gone.status == 404
            while (await ends.next()) is not None:
                pass
            # The stream that stayed hears what the endpoint shows now, and nothing else.
            w.old.announce("notifications/tools/list_changed")
            w.new.announce("notifications/tools/list_changed")
            await heard.until("notifications/tools/list_changed")

    run(play())


def test_calls_finish_at_an_endpoint_that_is_gone() -> None:
    async def play() -> None:
        async with changing(endpoints={"/goes": {}}) as w:
            client = await w.client("M", path="/goes")
            waits = asyncio.create_task(client.call("new__wait", gate="g"))
            await w.new.happened("at g")
            w.settings["endpoints"] = {}
            await w.reload()
            w.new.let("g")
            assert (await waits).said == {"tag": "g"}

    run(play())


def test_the_oldest_transport_has_paths_beside_each_endpoint() -> None:
    async def play() -> None:
        async with changing(endpoints={"/one/mcp": {"servers": ["old"]}}) as w:
            client = Client(w.port, "L", path="/one/mcp/sse")
            w.stack.callback(client.close)
            stream = await client.exchange("GET", b"", {"Accept": "text/event-stream"})
            assert stream.status == 200
            served = w.gateway._endpoints.served["/one/mcp"].exchange
            await until(lambda: len(served.http_sse) == 1)
            assert "/one/mcp/messages" in w.gateway._endpoints.handlers(lambda _, inner: inner)

    run(play())


def test_patterns_select_and_leave_out() -> None:
    _, of = seen(
        {
            "endpoints": {
                "/x": {
                    "tools": ["a/get_*", "!a/get_secret"],
                    "resources": ["!a/file:///private/*"],
                    "prompts": "b",
                }
            }
        }
    )
    sight = of(_call("/x"))
    assert sight.servers == ("a", "b")
    assert not sight.whole
    assert not sight.personal
    shown = [
        ("a", "tool", "get_it", True),
        ("a", "tool", "get_secret", False),
        ("a", "tool", "set_it", False),
        ("b", "tool", "get_it", False),
        ("a", "prompt", "p", False),
        ("b", "prompt", "p", True),
        ("a", "resource", "file:///public/x", True),
        ("a", "resource", "file:///private/x", False),
        ("a", "resource", "file:///public/../private/x", False),
        ("a", "resource", "file:///public/%2e%2e/private/x", False),
        ("b", "resource", "file:///private/x", True),
        ("a", "template", "file:///private/{name}", False),
        ("c", "tool", "get_it", False),
    ]
    for server, kind, name, expected in shown:
        assert sight.shows(server, kind, name) is expected, (server, kind, name)


def _call(endpoint: str) -> Any:
    facts = {"endpoint": endpoint}
    return Call(method="tools/list", client=OWN_CLIENT["modern"], principal=OPERATOR, facts=facts)


def test_an_unknown_endpoint_shows_nothing() -> None:
    _, of = seen({"endpoints": {"/x": {}}})
    assert tuple(of(_call("/y")).servers) == ()
    assert tuple(of(_call("")).servers) == ()


def test_without_endpoints_there_are_no_sights_to_look_up() -> None:
    whole, of = seen({})
    assert of is None
    assert list(endpoints_of(whole)) == ["/mcp"]


@pytest.mark.parametrize(
    ("naming", "servers", "expected"),
    [
        (None, ["a"], "prefix"),
        ("auto", ["a"], "bare"),
        ("auto", None, "prefix"),
        ("bare", None, "bare"),
    ],
)
def test_names_are_spelled_as_the_endpoint_says(
    naming: str | None, servers: list[str] | None, expected: str
) -> None:
    _, of = seen({"endpoints": {"/x": {"naming": naming, "servers": servers}}})
    assert of(_call("/x")).naming == expected


def test_headers_of_a_hidden_tool_give_nothing_away() -> None:
    async def play() -> None:
        async with changing(endpoints={"/less": {"tools": ["!new/region*"]}}, pins="off") as w:
            region = {"type": "string", "x-mcp-header": "Region"}
            schema = {"type": "object", "properties": {"region": region}}
            w.new.extra_tools = [{"name": "region_of", "inputSchema": schema}]
            w.new.announce("notifications/tools/list_changed")
            sees, less = await w.client("M"), await w.client("M", path="/less")
            async with asyncio.timeout(60):
                while "new__region_of" not in await tools(sees):
                    pass
            assert "new__region_of" not in await tools(less)
            # What headers have to say is read from the gateway's own view of the lists.
            assert await w.gateway.request("tools/list", {})
            told = (await sees.call("new__region_of", region="x")).error
            assert told["code"] == -32020
            hidden = (await less.call("new__region_of", region="x")).error
            absent = (await less.call("new__regiom_of", region="x")).error
            assert hidden["code"] == absent["code"] == -32602
            assert hidden["message"] == absent["message"].replace("regiom", "region")
            assert hidden["data"] == absent["data"]

    run(play())
