"""Tools as an endpoint presents them, and what is sent to servers then."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine
from lockgate.config.presenting import ToolView
from lockgate.core.raw import Raw
from lockgate.gateway.presenting import Edit
from tests.bridge.clients import Json
from tests.cli.program import run as program
from tests.fronts.served import run
from tests.gateway.reloading import changing, tools
from tests.security.world import Peer, World, before

ERAS = ("H", "M")
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "owner": {"type": "string", "description": "Who has it."},
        "title": {"type": "string"},
        "limit": {"type": "integer"},
        "debug": {"type": "boolean"},
    },
    "required": ["owner", "title", "limit"],
    "additionalProperties": False,
}
CREATE: Json = {"name": "create_issue", "description": "Theirs.", "inputSchema": SCHEMA}
VIEW: Json = {
    "name": "report_bug",
    "title": "Report",
    "description": "Reports a bug to us.",
    "parameters": {
        "owner": {"value": "acme"},
        "limit": {"default": 10},
        "debug": {"hide": True},
        "title": {"description": "In one line."},
    },
}
PRESENT: Json = {"peer/create_issue": VIEW}


async def at(w: World, method: str, params: Json | None = None) -> Any:
    return await w.post(method, params)


def view(**more: Any) -> Json:
    return {"/mcp": {"present": PRESENT, **more}}


def test_what_is_shown_and_what_is_sent() -> None:
    async def play() -> None:
        them = Peer(tools=[CREATE, {"name": "other", "inputSchema": {"type": "object"}}])
        async with before(them, endpoints=view()) as w:
            (shown, _) = (await w.post("tools/list")).result["tools"]
            assert (shown["name"], shown["title"]) == ("report_bug", "Report")
            assert shown["description"] == "Reports a bug to us."
            assert shown["inputSchema"]["properties"] == {
                "title": {"type": "string", "description": "In one line."},
                "limit": {"type": "integer", "default": 10},
            }
            assert shown["inputSchema"]["required"] == ["title"]
            assert (await w.call("report_bug", title="It broke")).status == 200
            sent = await w.call("report_bug", title="x", owner="evil", debug=True, limit=3)
            assert sent.status == 200
            assert [one["params"]["arguments"] for one in them.bodies] == [
                {"title": "It broke", "limit": 10, "owner": "acme"},
                {"title": "x", "limit": 3, "owner": "acme"},
            ]
            assert set(them.called()) == {"create_issue"}

    run(play())


def test_its_old_name_is_no_way_around_it() -> None:
    async def play() -> None:
        them, other = Peer(tools=[CREATE]), Peer("other")
        async with before(them, other, endpoints=view(naming="prefix")) as w:
            refused = (await w.call("peer__create_issue", title="x")).error
            assert refused["data"]["reason"] == "unknown-tool"
        them = Peer(tools=[CREATE])
        async with before(them, endpoints=view()) as w:
            # The only server is asked about names nobody knows, in the same way.
            await w.call("create_issue", title="x", owner="evil", limit=1)
            assert [one["params"]["arguments"]["owner"] for one in them.bodies] == ["acme"]

    run(play())


def test_rules_judge_what_is_sent() -> None:
    rules = [{"allow": "peer/create_issue", "args": {"owner": {"one_of": ["acme"]}}}]

    async def play() -> None:
        them = Peer(tools=[CREATE])
        async with before(them, endpoints=view(), access={"rules": rules}) as w:
            assert (await w.call("report_bug", title="x")).result
        async with before(Peer(tools=[CREATE]), access={"rules": rules}) as w:
            assert (await w.call("create_issue", title="x", limit=1)).error

    run(play())


def test_found_and_called_as_it_is_presented() -> None:
    async def play() -> None:
        them = Peer(tools=[CREATE])
        async with before(them, endpoints=view(expose="search")) as w:
            said = (await w.call("find_tools", query="report a bug")).result["content"][0]["text"]
            assert said.startswith("report_bug(title: string, limit?: integer)")
            assert (await w.call("call_tool", name="report_bug", arguments={"title": "x"})).result
            assert them.bodies[0]["params"]["arguments"]["owner"] == "acme"

    run(play())


@pytest.mark.parametrize("era", ERAS)
def test_other_endpoints_present_nothing_of_it(era: str) -> None:
    async def play() -> None:
        present = {"new/echo": {"name": "say", "parameters": {"a": {"value": 1}}}}
        async with changing(endpoints={"/view/dev": {"present": present, "tools": "new/*"}}) as w:
            there, here = await w.client(era, path="/view/dev"), await w.client(era)
            assert "say" in await tools(there)
            assert "new__echo" not in await tools(there)
            assert "new__echo" in await tools(here)
            assert (await there.call("say", a=2, b=3)).said == {"a": 1, "b": 3}
            assert (await here.call("new__echo", a=2)).said == {"a": 2}

    run(play())


@pytest.mark.parametrize("given", [b'{"name":"x"}', b'{"name":"x","arguments":{}}'])
def test_what_is_not_said_is_added(given: bytes) -> None:
    edit = Edit(ToolView.model_validate({"parameters": {"a": {"value": {"deep": [1]}}}}))
    assert dict(edit.params(Raw(given)))["arguments"] == {"a": {"deep": [1]}}


@pytest.mark.parametrize("given", [b"[1]", b"null", b'"x"', b"3"])
def test_what_is_no_object_stays_for_others_to_refuse(given: bytes) -> None:
    edit = Edit(ToolView.model_validate({"parameters": {"a": {"value": 1}}}))
    params = Raw(b'{"name":"x","arguments":%b}' % given)
    assert edit.params(params).encode() == params.encode()


@pytest.mark.parametrize(
    "definition",
    [b"{}", b'{"inputSchema":3}', b'{"inputSchema":{"properties":[]}}',
     b'{"inputSchema":{"properties":{"a":true},"required":"a"}}'],
)  # fmt: skip
def test_definitions_of_any_shape(definition: bytes) -> None:
    edit = Edit(ToolView.model_validate({"parameters": {"a": {"default": 1}}}))
    assert edit.definition(Raw(definition)).encode()


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ({"peer/*": {"name": "one"}}, "may match several tools"),
        ({"peer": {"name": "one"}}, "may match several tools"),
        ({"peer/x": {"name": "with space"}}, "pattern"),
        ({"peer/x": {"parameters": {"a": {"hide": True, "value": 1}}}}, "only one of"),
        ({"nobody/x": {"title": "T"}}, "no server 'nobody'"),
    ],
)
def test_what_cannot_be_meant_is_an_error(present: Json, said: str, tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    servers = {"peer": {"url": "http://127.0.0.1:1/mcp"}}
    lockgate = {"endpoints": {"/view": {"present": present}}}
    config.write_text(json.dumps({"servers": servers, "lockgate": lockgate}))
    findings = examine(config, {}).findings
    assert any(said in one.summary and one.severity == "error" for one in findings), findings


def test_why_tells_it(tmp_path: Path) -> None:
    async def play() -> None:
        them = Peer(tools=[CREATE])
        async with before(them, endpoints=view(expose="search")):
            config = tmp_path / "mcp.json"
            lockgate = {"endpoints": view(expose="search")}
            servers = {"peer": {"url": them.url, "era": "modern"}}
            config.write_text(json.dumps({"servers": servers, "lockgate": lockgate}))
            done = await asyncio.to_thread(
                program, "why", "peer/create_issue", str(config), "--json"
            )
            told = {one["policy"]: one["said"] for one in json.loads(done.stdout)["steps"]}
            assert told["endpoint"].endswith("renamed to report_bug")
            assert 'owner is always "acme"' in told["present"]
            assert "limit is 10 if not given" in told["present"]
            assert told["expose"].startswith("not listed: found with find_tools")

    run(play())
