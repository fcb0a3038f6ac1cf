"""Results too long for a model: shown, kept, read in parts and passed on, in both eras."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lockgate.context.body import NOTE
from lockgate.context.tokens import counter
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.gateway.telling import META
from tests.bridge.clients import Client, Json
from tests.fronts.served import run
from tests.gateway.reloading import changing, tools
from tests.security.world import SCHEMA, Peer, World, answer, before, gateway

ERAS = ("H", "M")
ROWS = [{"id": number, "name": f"name {number}", "note": "words " * 5} for number in range(400)]
LONG = json.dumps(ROWS, separators=(",", ":"))
ON: Json = {"enabled": True}
PICTURE = {"type": "image", "mimeType": "image/png", "data": base64.b64encode(b"p" * 900).decode()}


def said(text: str, **more: Any) -> Json:
    return {"content": [{"type": "text", "text": text}], **more}


RESULTS: dict[str, Json] = {
    "rows": said(LONG),
    "log": said("\n".join(f"line {number}: all is well" for number in range(2000))),
    "small": said("short"),
    "failing": said("x y " * 5000, isError=True),
    "promised": said(LONG, structuredContent={"rows": ROWS}),
    "unpromised": said(LONG, structuredContent={"rows": ROWS}),
    "mixed": {"content": [*said("first " * 3000)["content"], PICTURE, *said("last")["content"]]},
    "pictures": {"content": [{**PICTURE, "data": "QUJD" * 9000}]},
    "captioned": {
        "content": [*said("words " * 900)["content"], {**PICTURE, "data": "QUJD" * 9000}]
    },
    "unknown": {"content": [{"type": "hologram", "rays": "x" * 30_000}], "later": 1},
}
TOOLS: list[Json] = [
    {
        "name": name,
        "inputSchema": SCHEMA,
        **({"outputSchema": SCHEMA} if name == "promised" else {}),
    }
    for name in RESULTS
] + [
    {
        "name": "take",
        "inputSchema": {
            "type": "object",
            "properties": {
                "rows": {"type": "array", "items": {"type": "object"}, "maxItems": 500},
                "text": {"type": "string", "maxLength": 100_000},
                "ids": {"type": "array", "items": {"type": "integer"}},
            },
            "additionalProperties": False,
        },
    }
]


async def script(peer: Peer, _request: HttpRequest, message: Json, responder: Responder) -> None:
    del peer
    asked = message["params"]
    if asked.get("name") == "take":
        given = {key: len(value) for key, value in asked.get("arguments", {}).items()}
        answer(responder, message, said(json.dumps(given), structuredContent=given))
    elif "name" in asked:
        answer(responder, message, RESULTS[asked["name"]])
    else:
        answer(responder, message, {"contents": []})


def peer(name: str = "data") -> Peer:
    return Peer(name, script, tools=TOOLS)


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[tuple[World, Peer]]:
    one = peer()
    async with before(one, **{"results": ON, **settings}) as w:
        yield w, one


async def result(w: World, name: str, /, **arguments: Any) -> Json:
    return (await w.call(name, **arguments)).result


async def lent(w: World, name: str) -> str:
    """The id of what a tool answered."""
    return (await result(w, name))["_meta"][NOTE]["id"]


async def page(w: World, **arguments: Any) -> tuple[str, str]:
    """What `read_result` says: its first line, and the rest."""
    (one,) = (await result(w, "read_result", **arguments))["content"]
    first, _, rest = one["text"].partition("\n")
    return first, rest


async def refused(w: World, /, **arguments: Any) -> str:
    """Why `take` does not take these arguments; models are told."""
    told = await result(w, "take", **arguments)
    assert told["isError"] is True
    return told["_meta"][META]["reason"]


def playing(play: Callable[[World, Peer], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with world(**settings) as (w, one):
            await play(w, one)

    run(main())


# What is shown.


def test_a_long_result_is_shown_by_a_preview_a_link_and_an_id() -> None:
    async def play(w: World, _: Peer) -> None:
        shown = await result(w, "rows")
        text, link = shown["content"]
        note = shown["_meta"][NOTE]
        assert "array of 400 objects" in text["text"]
        assert f'read_result(id="{note["id"]}")' in text["text"]
        assert counter()(text["text"]) <= 420
        assert link == {
            "type": "resource_link",
            "uri": f"gw-result://{note['id']}",
            "name": "rows",
            "mimeType": "application/json",
            "size": len(LONG),
        }
        assert note["bytes"] == len(LONG)
        # The same again is the same again, for whoever keeps prompts.
        assert (await result(w, "rows")) == shown

    playing(play)


@pytest.mark.parametrize("name", ["small", "failing", "pictures", "captioned"])
def test_what_is_short_failed_or_seen_goes_out_as_it_is(name: str) -> None:
    async def play(w: World, _: Peer) -> None:
        assert (await result(w, name))["content"] == RESULTS[name]["content"]

    playing(play)


def test_what_a_tool_promises_stays_whole() -> None:
    async def play(w: World, _: Peer) -> None:
        promised, free = await result(w, "promised"), await result(w, "unpromised")
        assert promised["structuredContent"] == {"rows": ROWS}
        assert "structuredContent" not in free
        for one in (promised, free):
            assert one["content"][0]["text"].startswith("[Too long")

    playing(play, guard={"outputs": {"mode": "enforce"}})


def test_pictures_stay_where_they_can_be_seen() -> None:
    async def play(w: World, _: Peer) -> None:
        shown = await result(w, "mixed")
        assert shown["content"][2] == PICTURE
        assert "image/png, 900 bytes" in shown["content"][0]["text"]
        which = shown["_meta"][NOTE]["id"]
        assert (await page(w, id=which, path="/content/2/text"))[1] == "last"
        (contents,) = (await w.post("resources/read", {"uri": f"gw-result://{which}"})).result[
            "contents"
        ]
        assert json.loads(contents["text"]) == RESULTS["mixed"]

    playing(play)


def test_pictures_may_be_kept_as_well() -> None:
    async def play(w: World, _: Peer) -> None:
        assert [one["type"] for one in (await result(w, "mixed"))["content"]] == [
            "text",
            "resource_link",
        ]

    playing(play, results={**ON, "images": "store"})


@pytest.mark.parametrize(("revision", "links"), [("2025-03-26", 0), ("2025-06-18", 1)])
def test_clients_of_revisions_without_links_are_given_none(revision: str, links: int) -> None:
    async def play() -> None:
        async with world() as (w, _):
            client = await Client(w.port, "H", revision=revision).open()
            shown = (await client.call("rows")).result
            assert [one["type"] for one in shown["content"]] == ["text", *["resource_link"] * links]
            assert (await client.call("read_result", id=shown["_meta"][NOTE]["id"])).result
            client.close()

    run(play())


def test_what_nobody_here_knows_is_kept_too() -> None:
    async def play(w: World, _: Peer) -> None:
        shown = await result(w, "unknown")
        assert shown["later"] == 1
        assert "hologram" in shown["content"][0]["text"]
        which = shown["_meta"][NOTE]["id"]
        assert (await page(w, id=which, path="/content/0/rays", limit=3))[1] == "xxx"

    playing(play)


def test_nothing_is_shown_or_listed_where_it_is_off() -> None:
    async def play(w: World, _: Peer) -> None:
        assert "read_result" not in await w.tools()
        assert (await result(w, "rows"))["content"] == RESULTS["rows"]["content"]
        assert (await w.call("read_result", id="x")).error
        given = {"$result": "a" * 24}
        assert await refused(w, rows=given) == "invalid-arguments"

    playing(play, results={})


def test_budgets_are_those_of_endpoints_and_servers() -> None:
    async def play() -> None:
        one, other = peer("one"), peer("other")
        async with one.serving(), other.serving():
            servers: dict[str, Json] = {
                "one": {"url": one.url},
                "other": {"url": other.url, "results": {"budget": 100_000}},
            }
            ends = {"/off": {"results": {"enabled": False}}, "/tight": {"results": {"budget": 100}}}
            async with gateway(servers, results=ON, endpoints=ends) as w:
                client = Client(w.port, "M")
                assert (await (await client.open()).call("one__rows")).result["_meta"][NOTE]
                assert NOTE not in (await client.call("other__rows")).result.get("_meta", {})
                client.close()
                off = await Client(w.port, "M", path="/off").open()
                assert "read_result" not in await tools(off)
                assert NOTE not in (await off.call("one__rows")).result.get("_meta", {})
                off.close()

    run(play())


def test_whoever_runs_the_gateway_is_given_all_of_it() -> None:
    async def play(w: World, _: Peer) -> None:
        asked = {"name": "rows", "arguments": {}}
        assert (await w.gateway.request("tools/call", asked))["content"] == RESULTS["rows"][
            "content"
        ]

    playing(play)


# What is read.


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ["rows", "log", "mixed"])
def test_whatever_is_kept_is_read_back_whole_in_pages(era: str, name: str) -> None:
    async def play() -> None:
        async with world() as (w, _):
            client = await Client(w.port, era).open()
            which = (await client.call(name)).result["_meta"][NOTE]["id"]
            whole, offset = "", 0
            while True:
                (one,) = (await client.call("read_result", id=which, offset=offset)).result[
                    "content"
                ]
                head, _, rest = one["text"].partition("\n")
                assert counter()(rest) <= 2000
                whole += rest
                if "next: offset=" not in head:
                    break
                offset = int(head.rpartition("offset=")[2].rstrip("]"))
            read = await client.begin("resources/read", {"uri": f"gw-result://{which}"})
            assert read.result["contents"][0]["text"] == whole
            if name == "mixed":
                assert json.loads(whole) == RESULTS[name]
            else:
                assert whole == RESULTS[name]["content"][0]["text"]
            client.close()

    run(play())


def test_parts_are_read_by_path_by_grep_and_by_uri() -> None:
    async def play(w: World, _: Peer) -> None:
        which = await lent(w, "rows")
        head, rest = await page(w, id=which, path="/", offset=398, limit=9)
        assert (head, json.loads(rest)) == ("[items 398 to 399 of 400]", ROWS[398:])
        assert (await page(w, id=which, grep="NAME 77"))[1] == "/77/name: name 77"
        # As some models write numbers, and ids.
        assert (await page(w, id=f"gw-result://{which}", offset="2", limit="3"))[1] == LONG[2:5]
        uri = f"gw-result://{which}?path=%2F7%2Fid"
        (contents,) = (await w.post("resources/read", {"uri": uri})).result["contents"]
        assert contents["text"] == "7"
        for wrong in ({"path": "/nowhere"}, {"limit": 0}, {"grep": "x" * 300}, {"offset": "x"}):
            assert (await result(w, "read_result", **{"id": which, **wrong}))["isError"] is True
        assert (await w.post("resources/read", {"uri": uri + "0&limit=-1"})).error

    playing(play)


@pytest.mark.parametrize("era", ERAS)
def test_the_tool_and_the_template_are_listed_and_offered(era: str) -> None:
    async def play() -> None:
        async with changing(results=ON) as w:
            client = await w.client(era)
            listed = await tools(client)
            assert "read_result" in listed
            _ = (await client.call("new__echo")).result
            assert await tools(client) == listed
            templates = (await client.begin("resources/templates/list")).result
            assert "gw-result://{id}{?offset,limit,grep,path}" in {
                one["uriTemplate"] for one in templates["resourceTemplates"]
            }

    run(play())


def test_what_only_the_gateway_offers_is_offered() -> None:
    async def play() -> None:
        async with changing(results=ON) as w:
            await w.reload(old=None, new=None)
            client = await w.client("M")
            facts = (await client.begin("server/discover")).result["capabilities"]
            assert "resources" in facts
            assert "tools" in facts
            assert (await client.begin("resources/list")).response is not None

    run(play())


def test_the_tool_gives_way_to_one_of_the_same_name() -> None:
    async def play() -> None:
        own = {"name": "Read_Result", "inputSchema": SCHEMA}
        one = Peer("data", script, tools=[*TOOLS, own])
        RESULTS["Read_Result"] = said("theirs")
        async with before(one, results=ON) as w:
            assert "lockgate_read_result" in await w.tools()
            text = (await result(w, "rows"))["content"][0]["text"]
            assert "lockgate_read_result(id=" in text
            which = await lent(w, "rows")
            assert (await result(w, "Read_Result"))["content"] == said("theirs")["content"]
            (shown,) = (await result(w, "lockgate_read_result", id=which, limit=3))["content"]
            assert shown["text"].endswith("\n" + LONG[:3])

    run(play())


def test_found_tools_are_within_the_budget_as_well() -> None:
    async def play(w: World, _: Peer) -> None:
        assert set(await w.tools()) == {"find_tools", "describe_tools", "call_tool", "read_result"}
        shown = await result(w, "call_tool", name="rows")
        which = shown["_meta"][NOTE]["id"]
        taken = await result(w, "call_tool", name="take", arguments={"rows": {"$result": which}})
        assert taken["structuredContent"] == {"rows": 400}

    playing(play, expose="search")


# What is passed on.


@pytest.mark.parametrize("era", ERAS)
def test_results_are_passed_on_without_passing_through_the_model(era: str) -> None:
    async def play() -> None:
        async with world() as (w, _):
            client = await Client(w.port, era).open()
            rows = (await client.call("rows")).result["_meta"][NOTE]["id"]
            log = (await client.call("log")).result["_meta"][NOTE]["id"]
            given: Json = {
                "rows": {"$result": rows},
                "text": f"$result:{log}",
                "ids": {"$result": rows, "path": "/*/id"},
            }
            taken = (await client.call("take", **given)).result["structuredContent"]
            assert taken == {
                "rows": 400,
                "text": len(RESULTS["log"]["content"][0]["text"]),
                "ids": 400,
            }
            part = (await client.call("take", text=f"$result:{rows}/7/name")).result
            assert part["structuredContent"] == {"text": len("name 7")}
            client.close()

    run(play())


def test_what_is_passed_on_is_judged_by_the_schema_of_its_tool() -> None:
    async def play(w: World, one: Peer) -> None:
        which = await lent(w, "rows")
        reached = len(one.calls)
        for given in (
            {"rows": {"$result": which, "path": "/0"}},
            {"text": {"$result": which}},
            {"ids": {"$result": which}},
            {"rows": [{"$result": which}]},
            {"other": {"$result": which}},
        ):
            assert await refused(w, **given) == "invalid-arguments"
        assert len(one.calls) == reached

    playing(play)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"rows": {"$result": "a" * 24}}, "reference-gone"),
        ({"text": "$result:" + "a" * 24}, "reference-gone"),
        ({"rows": {"$result": "ID", "path": "/nowhere"}}, "reference-path"),
        ({"rows": [{"$result": "ID"}] * 17}, "reference-size"),
    ],
)
def test_references_that_lead_nowhere_are_refused(given: Json, reason: str) -> None:
    async def play(w: World, one: Peer) -> None:
        which = await lent(w, "rows")
        reached = len(one.calls)
        asked = json.loads(json.dumps(given).replace("ID", which))
        assert await refused(w, **asked) == reason
        assert len(one.calls) == reached

    playing(play)


def test_what_is_passed_on_is_no_larger_than_what_a_client_may_send() -> None:
    async def play(w: World, _: Peer) -> None:
        which = await lent(w, "rows")
        assert await refused(w, rows={"$result": which}) == "reference-size"

    playing(play, limits={"body_bytes": len(LONG)})


@pytest.mark.parametrize(
    "text", ["$result:short", "$result", "x $result:" + "a" * 24, "$result:" + "a" * 25]
)
def test_what_merely_looks_like_a_reference_is_a_text(text: str) -> None:
    async def play(w: World, _: Peer) -> None:
        assert (await result(w, "take", text=text))["structuredContent"] == {"text": len(text)}

    playing(play)


def test_references_may_be_left_alone() -> None:
    async def play(w: World, one: Peer) -> None:
        which = await lent(w, "rows")
        assert (await result(w, "take", text=f"$result:{which}"))["structuredContent"] == {
            "text": len(which) + 8
        }
        assert json.loads(one.calls[-1].body)["params"]["arguments"]["text"].endswith(which)

    playing(play, results={**ON, "references": False})


def test_calls_at_once_do_not_mix() -> None:
    async def play(w: World, _: Peer) -> None:
        every = await asyncio.gather(*(lent(w, name) for name in ("rows", "log", "mixed") * 5))
        assert len(set(every)) == 3

    playing(play)
