"""What comes of tasks, and what resources and prompts hold, within the budget of results."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.config.access import AccessSettings
from lockgate.context.body import NOTE
from lockgate.context.tokens import counter
from tests.bridge.clients import Client
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.world import World as BridgeWorld
from tests.bridge.world import world
from tests.fronts.served import run
from tests.gateway.test_results_budget import LONG, ON, ROWS
from tests.security.world import Json, World, gateway

EXTENSION = "io.modelcontextprotocol/tasks"
BYTES = bytes(range(256)) * 120
PICTURE = base64.b64encode(BYTES).decode()
FILE = "file:///rows.json"
RESOURCES: dict[str, list[Json]] = {
    FILE: [{"uri": FILE, "mimeType": "application/json", "text": LONG, "x": 1}],
    "file:///short": [{"uri": "file:///short", "text": "short"}],
    "file:///two": [
        {"uri": "file:///two#a", "text": "few words " * 300},
        {"uri": "file:///two#b", "text": "many words " * 3000},
    ],
    "file:///data.bin": [{"uri": "file:///data.bin", "mimeType": "a/b", "blob": PICTURE}],
    "file:///p.png": [{"uri": "file:///p.png", "mimeType": "image/png", "blob": PICTURE}],
}
PROMPT: list[Json] = [
    {"role": "user", "content": {"type": "text", "text": "Sum these up."}},
    {"role": "user", "content": {"type": "resource", "resource": RESOURCES[FILE][0]}},
    {"role": "user", "content": {"type": "text", "text": "words " * 4000, "annotations": {}}},
]


def done(name: str) -> Json:
    if name == "failing":
        return {"content": [{"type": "text", "text": LONG}], "isError": True}
    if name == "promised":
        structured = {"structuredContent": {"rows": ROWS}}
        return {"content": [{"type": "text", "text": LONG}], **structured}
    return {"content": [{"type": "text", "text": LONG if name == "rows" else "short"}]}


def listed(method: str) -> Json:
    schema = {"type": "object"}
    extra = {"promised": {"outputSchema": schema}}
    tools = [
        {
            "name": name,
            "inputSchema": schema,
            "execution": {"taskSupport": "optional"},
            **extra.get(name, {}),
        }
        for name in ("rows", "short", "failing", "promised")
    ]
    return {
        "tools/list": {"tools": tools},
        "resources/list": {"resources": [{"uri": uri, "name": uri} for uri in RESOURCES]},
        "resources/templates/list": {"resourceTemplates": []},
        "prompts/list": {"prompts": [{"name": "sum"}]},
    }[method]


def said(method: str, params: Json) -> Json | None:
    """What both servers answer; None: they do so each in its own way."""
    if method.endswith("/list"):
        return listed(method)
    if method == "resources/read":
        return {"contents": RESOURCES[params["uri"]]}
    if method == "prompts/get":
        return {"messages": PROMPT}
    return None


class Old(OldServer):
    """With the tasks of 2025-11-25."""

    async def _result(
        self, session: Any, method: str, params: Json, headers: Any, stream: Any
    ) -> Json:
        task = {"taskId": params.get("name"), "status": "working", "createdAt": "x", "ttl": None}
        if method == "tools/call":
            return {"task": task} if "task" in params else done(params["name"])
        if method == "tasks/result":
            return done(params["taskId"])
        found = said(method, params)
        assert found is not None or method.startswith("logging/")
        return found or {}


class New(NewServer):
    """With the extension for tasks."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.capabilities["extensions"] = {EXTENSION: {}}

    async def _result(
        self, method: str, params: Json, headers: dict[str, str], stream: Any
    ) -> Json:
        times = {"createdAt": "2026-07-28T00:00:00Z", "lastUpdatedAt": "2026-07-28T00:00:00Z"}
        task = {"ttlMs": None, **times}
        if method == "tools/call":
            return {"resultType": "task", "status": "working", "taskId": params["name"], **task}
        if method == "tasks/get":
            which = params["taskId"]
            result = {"resultType": "complete", **done(which)}
            return {
                "resultType": "complete",
                "status": "completed",
                "taskId": which,
                **task,
                "result": result,
            }
        found = said(method, params)
        if found is None:
            return await super()._result(method, params, headers, stream)
        cached = {"ttlMs": 86_400_000, "cacheScope": "public"}
        return {"resultType": "complete", **found, **cached}


Play = Callable[[Client, BridgeWorld], Awaitable[None]]


@asynccontextmanager
async def playing(era: str, **results: Any) -> AsyncIterator[tuple[Client, BridgeWorld]]:
    server = Old("s") if era == "H" else New("s")
    asked = {**ON, **results}
    async with world(server, results=asked) as w:
        yield await w.client(era, capabilities={"extensions": {EXTENSION: {}}}), w


async def of_task(client: Client, name: str) -> Json:
    """What comes of a tool that is called as a task."""
    asked: Json = {"name": name, "arguments": {"which": 1}}
    if client.modern:
        begun = (await client.begin("tools/call", asked)).result
        assert begun["resultType"] == "task"
        found = await got_task(client, begun["taskId"])
        assert found["taskId"] == begun["taskId"]
        return found["result"]
    begun = (await client.begin("tools/call", {**asked, "task": {"ttl": 1000}})).result
    return (await client.begin("tasks/result", {"taskId": begun["task"]["taskId"]})).result


async def got_task(client: Client, which: str) -> Json:
    headers = {"Mcp-Name": which}
    return (await client.begin("tasks/get", {"taskId": which}, headers=headers)).result


async def whole(client: Client, which: str) -> str:
    """What `read_result` gives in all its pages."""
    found, offset = "", 0
    while True:
        got = (await client.call("read_result", id=which, offset=offset)).result
        head, _, rest = got["content"][0]["text"].partition("\n")
        found += rest
        if "next: offset=" not in head:
            return found
        offset = int(head.rpartition("offset=")[2].rstrip("]"))


ERAS = pytest.mark.parametrize("era", ["H", "M"])


@ERAS
def test_what_comes_of_a_task_is_held_to_the_budget(era: str) -> None:
    async def play() -> None:
        async with playing(era) as (client, _):
            shown = await of_task(client, "rows")
            text, link = shown["content"]
            assert "array of 400 objects" in text["text"]
            assert link["type"] == "resource_link"
            which = shown["_meta"][NOTE]["id"]
            assert await whole(client, which) == LONG
            read = (await client.begin("resources/read", {"uri": link["uri"]})).result
            assert read["contents"][0]["text"] == LONG
            assert (await of_task(client, "rows"))["_meta"][NOTE]["id"] == which
            if era == "H":
                mine = (await client.call("read_result")).result["content"][0]["text"]
                assert f'{which} rows {{"which":1}}' in mine

    run(play())


@ERAS
def test_what_of_tasks_is_short_failed_or_promised_stays(era: str) -> None:
    async def play() -> None:
        async with playing(era) as (client, _):
            for name in ("short", "failing"):
                assert (await of_task(client, name))["content"] == done(name)["content"]
            promised = await of_task(client, "promised")
            assert promised["structuredContent"] == {"rows": ROWS}
            assert "read_result(" in promised["content"][0]["text"]

    run(play())


@ERAS
def test_tasks_may_be_left_alone(era: str) -> None:
    async def play() -> None:
        async with playing(era, tasks=False) as (client, _):
            assert (await of_task(client, "rows"))["content"] == done("rows")["content"]

    run(play())


@ERAS
def test_a_task_nobody_here_began_goes_out_whole(era: str) -> None:
    async def play() -> None:
        async with playing(era) as (client, _):
            if era == "M":
                found = await got_task(client, "rows")
            else:
                found = (await client.begin("tasks/result", {"taskId": "rows"})).result
            assert found.get("result", found)["content"] == done("rows")["content"]

    run(play())


@ERAS
def test_resources_and_prompts_are_whole_unless_an_endpoint_asks(era: str) -> None:
    async def play() -> None:
        async with playing(era) as (client, _):
            for uri, contents in RESOURCES.items():
                read = (await client.begin("resources/read", {"uri": uri})).result
                assert read["contents"] == contents
            got = (await client.begin("prompts/get", {"name": "sum"})).result
            assert got["messages"] == PROMPT

    run(play())


@ERAS
def test_a_long_resource_is_shown_by_a_preview_and_read_in_pages(era: str) -> None:
    async def play() -> None:
        async with playing(era, resources=True) as (client, _):
            read = (await client.begin("resources/read", {"uri": FILE})).result
            (one,) = read["contents"]
            assert (one["uri"], one["mimeType"], one["x"]) == (FILE, "text/plain", 1)
            assert "array of 400 objects" in one["text"]
            note = one["_meta"][NOTE]
            assert await whole(client, note["id"]) == LONG
            # What a link leads to is all of it, and is not shortened again.
            again = (await client.begin("resources/read", {"uri": note["uri"]})).result
            assert again["contents"] == [
                {"uri": note["uri"], "mimeType": "application/json", "text": LONG}
            ]
            if era == "M":
                # The id is this caller's, so no cache may give the preview to others.
                assert read["cacheScope"] == "private"
                assert read["ttlMs"] <= 60_000
            short = (await client.begin("resources/read", {"uri": "file:///short"})).result
            assert short["contents"] == RESOURCES["file:///short"]

    run(play())


@ERAS
def test_of_several_texts_the_longest_goes_first(era: str) -> None:
    async def play() -> None:
        async with playing(era, resources=True) as (client, _):
            read = (await client.begin("resources/read", {"uri": "file:///two"})).result
            first, second = read["contents"]
            assert first == RESOURCES["file:///two"][0]
            which = second["_meta"][NOTE]["id"]
            assert await whole(client, which) == RESOURCES["file:///two"][1]["text"]

    run(play())


@ERAS
def test_what_is_no_text_comes_back_as_it_was_and_pictures_stay(era: str) -> None:
    async def play() -> None:
        async with playing(era, resources=True) as (client, _):
            read = (await client.begin("resources/read", {"uri": "file:///data.bin"})).result
            (one,) = read["contents"]
            assert "blob" not in one
            assert f"a/b, {len(BYTES)} bytes" in one["text"]
            uri = one["_meta"][NOTE]["uri"]
            (again,) = (await client.begin("resources/read", {"uri": uri})).result["contents"]
            assert (again["mimeType"], base64.b64decode(again["blob"])) == ("a/b", BYTES)
            picture = (await client.begin("resources/read", {"uri": "file:///p.png"})).result
            assert picture["contents"] == RESOURCES["file:///p.png"]

    run(play())


@ERAS
def test_the_long_messages_of_a_prompt_are_shown_by_previews(era: str) -> None:
    async def play() -> None:
        async with playing(era, prompts=True) as (client, _):
            got = (await client.begin("prompts/get", {"name": "sum"})).result["messages"]
            assert got[0] == PROMPT[0]
            embedded, text = got[1]["content"]["resource"], got[2]["content"]
            assert text["annotations"] == {}
            assert embedded["uri"] == FILE
            kept = [one["_meta"][NOTE]["id"] for one in (embedded, text)]
            assert await whole(client, kept[0]) == LONG
            assert await whole(client, kept[1]) == PROMPT[2]["content"]["text"]
            assert counter()(json.dumps(got)) < 2000

    run(play())


def test_who_may_no_longer_read_a_resource_reads_no_more_what_is_kept_of_it() -> None:
    def rules(*more: Json) -> Json:
        every: Json = {"resources": ["s/*"], "prompts": ["s/*"], "tools": ["s/*"]}
        return {"rules": [{"allow": every}, *more]}

    async def play() -> None:
        server = New("s")
        async with server.serving():
            settings: Json = {
                "results": {**ON, "resources": True, "prompts": True},
                "access": rules(),
                "naming": "bare",
            }
            async with gateway({"s": {"url": server.url}}, **settings) as w:
                kept: dict[str, str] = {}
                read = (await w.post("resources/read", {"uri": FILE})).result["contents"][0]
                kept["resource"] = read["_meta"][NOTE]["id"]
                got = (await w.post("prompts/get", {"name": "sum"})).result["messages"][2]
                kept["prompt"] = got["content"]["_meta"][NOTE]["id"]
                assert [await readable(w, one) for one in kept.values()] == [True, True]
                config = w.gateway._config  # pyright: ignore[reportPrivateUsage] - to change a key
                denied = rules({"deny": {"resources": [f"s/{FILE}"]}})
                access = AccessSettings.model_validate(denied)
                await w.gateway.reload(config.with_settings(access=access))
                assert [await readable(w, one) for one in kept.values()] == [False, True]

    run(play())


async def readable(w: World, which: str) -> bool:
    told = (await w.call("read_result", id=which)).json
    return "error" not in told and told["result"].get("isError") is not True


@ERAS
def test_links_of_a_gateway_behind_a_gateway_lead_there(era: str) -> None:
    async def play() -> None:
        async with playing("M", resources=True) as (_, inner):
            entry = {"inner": {"url": f"http://127.0.0.1:{inner.port}/mcp"}}
            async with gateway(entry, results={**ON, "budget": 50_000}) as w:
                client = await Client(w.port, era).open()
                read = (await client.begin("resources/read", {"uri": FILE})).result["contents"]
                uri = read[0]["_meta"][NOTE]["uri"]
                (again,) = (await client.begin("resources/read", {"uri": uri})).result["contents"]
                assert again["text"] == LONG
                gone = await client.begin("resources/read", {"uri": "gw-result://" + "a" * 24})
                assert gone.error
                client.close()

    run(play())
