"""Tools that are found instead of listed: what is listed, found and called, in both eras."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.context.tokens import counter
from lockgate.gateway import own_tools
from lockgate.gateway.finding import called
from tests.bridge.clients import Begun, Client, Json
from tests.fronts.served import run
from tests.gateway.reloading import changing, tools
from tests.security.world import SCHEMA, Peer, World, before, gateway, with_meta
from tests.support.waiting import until

ERAS = ("H", "M")
DEFINING = Path(__file__).with_name("defining_server.py")
OWN = {"find_tools", "describe_tools", "call_tool"}


async def own(client: Client, name: str, **arguments: Any) -> Json:
    """What one of the gateway's own tools says."""
    return (await client.call(name, **arguments)).result


def text(result: Json) -> str:
    (one,) = result["content"]
    return one["text"]


async def find(client: Client, query: str, **more: Any) -> list[str]:
    """The lines that are found."""
    return text(await own(client, "find_tools", query=query, **more)).splitlines()


async def through(client: Client, name: str, **arguments: Any) -> Begun:
    """A call by way of `call_tool`."""
    return await client.call("call_tool", name=name, arguments=arguments)


def tool(name: str, description: str = "", **more: Any) -> Json:
    return {"name": name, "description": description, "inputSchema": SCHEMA, **more}


def peer(*defined: Json, name: str = "peer", **more: Any) -> Peer:
    return Peer(name, tools=list(defined), **more)


async def said(w: World, name: str, **arguments: Any) -> str:
    return text((await w.call(name, **arguments)).result)


# What is listed.


@pytest.mark.parametrize("era", ERAS)
def test_search_lists_the_own_tools_and_what_is_always_listed(era: str) -> None:
    async def play() -> None:
        expose = {"mode": "search", "always": ["new/ec*"]}
        async with changing(expose=expose, endpoints={"/all": {"expose": "full"}}) as w:
            client = await w.client(era)
            assert await tools(client) == {"new__echo", *OWN}
            every = await tools(await w.client(era, path="/all"))
            assert len(every) > 10
            assert not every & OWN
            # Whatever is listed, everything is there by its own name.
            assert (await client.call("old__echo", a=1)).said == {"a": 1}
            assert (await through(client, "old__echo", a=2)).said == {"a": 2}
            assert (await through(client, "new__echo", a=3)).said == {"a": 3}

    run(play())


@pytest.mark.parametrize("era", ERAS)
def test_a_list_is_the_same_whoever_asks_and_whatever_was_asked_before(era: str) -> None:
    async def play() -> None:
        async with changing(expose="search") as w:
            first = await w.client(era)
            before_ = (await first.begin("tools/list")).result
            await find(first, "echo")
            _ = (await through(first, "new__echo")).result
            again = (await first.begin("tools/list")).result
            other = (await (await w.client(era)).begin("tools/list")).result
            assert before_["tools"] == again["tools"] == other["tools"]

    run(play())


def test_auto_searches_only_where_the_list_is_long() -> None:
    async def play() -> None:
        roomy = {"mode": "auto", "window": 100_000}
        tight = {"mode": "auto", "window": 1000, "share": 0.01}
        async with changing(
            endpoints={"/roomy": {"expose": roomy}, "/tight": {"expose": tight}}
        ) as w:
            there = await w.client("M", path="/roomy")
            assert not await tools(there) & OWN
            assert await tools(await w.client("M", path="/tight")) == OWN
            # They answer wherever they may come to be listed.
            assert await find(there, "echo")

    run(play())


def test_compact_keeps_what_schemas_insist_on() -> None:
    schema: Json = {
        "type": "object",
        "description": "Everything about it, at length.",
        "properties": {
            "description": {"type": "string", "description": "What it is.", "maxLength": 9},
            "kind": {"enum": ["a", "b"], "description": "Which."},
        },
        "required": ["description"],
    }
    make = {"name": "make", "description": "Makes it. And then more.", "inputSchema": schema}

    async def play() -> None:
        async with before(peer(make), expose="compact") as w:
            listed = (await w.post("tools/list")).result["tools"]
            one, describe = listed
            assert (one["name"], one["description"]) == ("make", "Makes it.")
            assert describe["name"] == "describe_tools"
            assert one["inputSchema"]["properties"] == {
                "description": {"type": "string", "maxLength": 9},
                "kind": {"enum": ["a", "b"]},
            }
            assert one["inputSchema"]["required"] == ["description"]
            assert json.loads(await said(w, "describe_tools", names=["make"])) == make

    run(play())


def test_the_own_tools_cost_at_most_300_tokens() -> None:
    count = counter()
    assert count.exact
    for encode in (json.dumps, lambda one: json.dumps(one, separators=(",", ":"))):
        listed = [
            dict(own_tools.definition(name, role)) for name, role in own_tools.named(()).items()
        ]
        assert count(encode(listed)) <= 300


def test_own_tools_give_way_to_tools_of_the_same_name() -> None:
    async def play() -> None:
        theirs = [tool("Call_Tool", "Theirs."), tool("find_tools", "Theirs."), tool("echo")]
        async with before(peer(*theirs), expose="search") as w:
            assert await w.tools() == [
                "lockgate_find_tools",
                "describe_tools",
                "lockgate_call_tool",
            ]
            assert (await w.call("find_tools")).result["structuredContent"] is not None
            found = await said(w, "lockgate_find_tools", query="echo")
            assert found.startswith("echo(")
            assert (await w.call("lockgate_call_tool", name="find_tools")).result

    run(play())


# What is found.


@pytest.mark.parametrize("era", ERAS)
def test_found_by_name_by_task_and_by_server(era: str) -> None:
    async def play() -> None:
        async with changing(expose="search") as w:
            client = await w.client(era)
            assert (await find(client, "old__echo"))[0].startswith("old__echo(")
            assert {one.partition("(")[0] for one in await find(client, "echo")} >= {
                "new__echo",
                "old__echo",
            }
            assert (await find(client, "echo", server="old"))[0].startswith("old__echo(")
            assert (await find(client, "echo", limit=1, detail="name")) == ["new__echo"]
            (schema,) = await find(client, "new__echo", limit=1, detail="schema")
            assert json.loads(schema)["name"] == "new__echo"
            assert (await find(client, "", server="child")) == ["child__who()", "child__wait()"]

    run(play())


WORDY: Json = {
    "name": "make",
    "description": "Makes it.\n\n\n    Slowly.",
    "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "makeArguments",
        "type": "object",
        "properties": {"size": {"title": "Size", "type": "integer", "minimum": 3}},
    },
}


@pytest.mark.parametrize("level", ["off", "lossless", "brief"])
def test_definitions_in_full_are_as_short_as_lists_are_and_lose_nothing(level: str) -> None:
    async def play() -> None:
        async with before(peer(WORDY), expose="search", compact={"tools": level}) as w:
            described = json.loads(await said(w, "describe_tools", names=["make"]))
            assert json.loads(await said(w, "find_tools", query="make", detail="schema")) == (
                described
            )
            if level == "off":
                assert described == WORDY
            else:
                assert described["description"] == "Makes it.\nSlowly."
                assert described["inputSchema"] == {
                    "type": "object",
                    "properties": {"size": {"type": "integer", "minimum": 3}},
                }

    run(play())


def test_a_long_signature_is_cut_and_marked() -> None:
    names = {f"a_rather_long_parameter_{number}": {"type": "string"} for number in range(40)}
    line = called("make", "Makes it.", {"type": "object", "properties": names})
    assert len(line) < 300
    assert line.startswith("make(a_rather_long_parameter_0?: string, ")
    assert line.endswith(", …)~ - Makes it.")
    assert called("make", None, {"properties": {"a": {"type": "integer", "minimum": 1}}}) == (
        "make(a?: integer)~"
    )


def test_prompts_and_resources_are_found() -> None:
    async def play() -> None:
        prompts = [{"name": "review", "description": "Reviews code.", "arguments": [
            {"name": "style", "required": True}, {"name": "depth"}]}]  # fmt: skip
        resources = [{"uri": "file:///notes", "name": "Notes", "description": "What was said."}]
        templates = [{"uriTemplate": "file:///day/{date}", "name": "Days", "description": "A day."}]
        them = peer(tool("echo"), prompts=prompts, resources=resources, resourceTemplates=templates)
        async with before(them, expose="search") as w:
            found = await said(w, "find_tools", query="code review", kind="prompt")
            assert found == "review(style: string, depth?: string) - Reviews code."
            found = await said(w, "find_tools", query="notes", kind="resource")
            assert found.startswith("file:///notes - Notes: What was said.")
            found = await said(w, "find_tools", query="day", kind="resource", detail="name")
            assert found == "file:///day/{date} - Days"

    run(play())


def test_an_empty_answer_says_what_there_is() -> None:
    async def play() -> None:
        async with changing(expose="search") as w:
            client = await w.client("M")
            (nothing,) = await find(client, "quantum chromodynamics")
            assert "No tool was found" in nothing
            assert "Servers: child (2), old" in nothing
            (overview,) = await find(client, "")
            assert "child (2)" in overview
            said = text(await own(client, "describe_tools", names=["new__ecko", "new__echo"]))
            assert said.startswith("There is no tool 'new__ecko'. Did you mean new__echo?")
            assert '"name":"new__echo"' in said
            await w.reload(child={"command": "/nowhere"})
            assert "Not available now: child" in (await find(client, "zzzz"))[0]

    run(play())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find_tools", {"query": 5}),
        ("find_tools", {"query": "x", "kind": "spoon"}),
        ("find_tools", {"query": "x", "detail": "all"}),
        ("describe_tools", {}),
        ("describe_tools", {"names": ["nothing"]}),
        ("call_tool", {"arguments": {}}),
        ("call_tool", {"name": "echo", "arguments": [1]}),
        ("call_tool", {"name": "echo", "arguments": "no json"}),
        ("call_tool", {"name": "call_tool", "arguments": {"name": "echo"}}),
    ],
)
def test_what_is_wrong_is_told_to_the_model(name: str, arguments: Json) -> None:
    async def play() -> None:
        async with before(peer(tool("echo")), expose="search") as w:
            answer = (await w.call(name, **arguments)).result
            assert answer["isError"] is True
            assert text(answer)

    run(play())


def test_arguments_may_be_written_as_text_and_stay_as_they_are_written() -> None:
    async def play() -> None:
        them = peer(tool("echo"))
        async with before(them, expose="search") as w:
            _ = (await w.call("call_tool", name="echo", arguments='{"a": 1}')).result
            exact = b'"name":"call_tool","arguments":{"name":"echo","arguments":{"n":1,"n":1%b}}'
            _ = (await w.post("tools/call", with_meta(exact % (b"0" * 30)))).result
            first, second = (json.loads(one.body)["params"] for one in them.calls)
            assert (first["name"], first["arguments"]) == ("echo", {"a": 1})
            assert second["arguments"] == {"n": 10**30}

    run(play())


def test_what_is_listed_later_is_found_and_what_is_gone_is_not(tmp_path: Path) -> None:
    file = tmp_path / "said.json"

    def define(*defined: Json) -> None:
        file.write_text(json.dumps({"tools": list(defined)}))

    async def play() -> None:
        define(tool("weather", "Forecasts rain."), tool("noise"))
        entry = {"command": sys.executable, "args": ["-I", "-S", str(DEFINING), str(file)]}
        async with gateway({"one": entry}, expose="search") as w:
            assert (await said(w, "find_tools", query="rain")).startswith("weather(")
            library = w.gateway._engine.discovery.library
            await until(lambda: library.size == 3)
            define(tool("umbrella", "Keeps rain off."), tool("noise"))
            _ = (await w.call("change")).result
            found = ""
            while not found.startswith("umbrella("):
                await asyncio.sleep(0)
                found = await said(w, "find_tools", query="rain")
            assert "weather" not in found
            await until(lambda: library.size == 3)

    run(play())


def test_another_way_of_listing_is_announced_and_holds_for_the_next_call() -> None:
    async def play() -> None:
        async with changing(expose="full") as w:
            client = await w.client("H")
            assert not await tools(client) & OWN
            assert (await client.call("find_tools", query="x")).error["data"][
                "reason"
            ] == "unknown-tool"
            w.settings["expose"] = "search"
            await w.reload()
            assert await tools(client) == OWN

    run(play())
