"""What a call comes to: results, errors and lists as the caller's era has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bridge.clients import PREFIX, Client, Json
from tests.bridge.requirements import requirement
from tests.bridge.scripts import ABSENT, NOWHERE, TOOLS, URI
from tests.bridge.world import SERVERS, cell_world, run, world

LISTED = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
CACHED = {
    **{method: {} for method in LISTED},
    "resources/read": {"uri": URI},
    "server/discover": {},
}
CALLS: dict[str, Json] = {
    "tools/call": {"name": "echo", "arguments": {"a": 1}},
    "prompts/get": {"name": "greet"},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "greet"},
        "argument": {"name": "day", "value": "m"},
    },
}
OLD_ONLY = {"resultType", "ttlMs", "cacheScope"}


@requirement("results-plain")
@pytest.mark.parametrize("method", [*LISTED, "resources/read", *CALLS])
def test_old_clients_get_plain_results(cell: str, method: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.ask(method, {**CACHED, **CALLS}[method])

            assert not OLD_ONLY & set(done.result)
            assert PREFIX + "serverInfo" not in done.result.get("_meta", {})

    run(play())


@requirement("results-dressed")
@pytest.mark.parametrize("method", [*CACHED, *CALLS])
def test_new_clients_get_dressed_results(cell: str, method: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.ask(method, {**CACHED, **CALLS}[method])

            assert done.result["resultType"] == "complete"
            if method in CACHED:
                assert done.result["ttlMs"] >= 0
                assert done.result["cacheScope"] in ("private", "public")
            if method == "server/discover":
                assert done.result["_meta"][PREFIX + "serverInfo"]["name"] == w.server.name

    run(play())


@requirement("results-whole")
def test_unknown_members_survive(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            odd: Json = {"é\u2028": [None, 1.5, {"deep": {}}], "n": 2**53 - 1}
            called = await client.run("echo", **odd)
            listed = (await client.ask("tools/list")).result

            assert called.said == odd
            assert called.result["x-unheard-of"] == {"deep": [None, {"é": 1}]}
            assert all(tool["x-unheard-of"] == [1, {"é": None}] for tool in listed["tools"])

    run(play())


@requirement("results-structured")
@pytest.mark.parametrize("value", [[1, 2], "text", 7, None, True])
def test_structured_content_that_is_no_object(cell: str, value: Any) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("value", value=value)

            assert "structuredContent" not in done.result
            assert json.loads(done.result["content"][0]["text"]) == value

    run(play())


@requirement("results-task-support", "tasks-hidden")
def test_tasks_of_the_old_era_are_not_offered(cell: str) -> None:
    async def play() -> None:
        server = SERVERS[cell[1]]()
        server.capabilities["tasks"] = {"list": {}, "requests": {"tools": {"call": {}}}}
        support = {"execution": {"taskSupport": "optional"}}
        server.extra_tools.append({"name": "long", "inputSchema": {"type": "object"}, **support})
        async with world(server) as w:
            client = await w.client(cell[0])
            listed = (await client.ask("tools/list")).result["tools"]

            assert "tasks" not in client.opening["capabilities"]
            [found] = [tool for tool in listed if tool["name"] == "long"]
            assert "execution" not in found

    run(play())


@requirement("error-verbatim")
@pytest.mark.parametrize("code", [-32000, -32050, -32602, -32603, 17])
def test_errors_of_servers_keep_what_they_say(cell: str, code: int) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            data = {"why": ["é", None], "n": 1.5}
            done = await client.run("fail", code=code, message="Nö.", data=data)

            assert done.error == {"code": code, "message": "Nö.", "data": data}

    run(play())


@requirement("not-found")
def test_a_resource_that_is_not_there(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.ask("resources/read", {"uri": ABSENT})

            assert done.error["code"] == (-32002 if cell[0] == "L" else -32602)
            assert done.error["data"]["uri"] == ABSENT
            assert done.status == (200 if cell[0] == "L" else 400)

    run(play())


async def not_found(cell: str, other: str, uri: str) -> None:
    """Read what is not there, beside a server that has no resources at all."""
    bare = SERVERS[other]("bare", capabilities={"tools": {}})
    async with world(SERVERS[cell[1]](), bare) as w:
        client = await w.client(cell[0])
        done = await client.ask("resources/read", {"uri": uri})

        assert done.error["code"] == (-32002 if cell[0] == "L" else -32602)
        assert done.error["data"]["uri"] == uri


@requirement("not-found", "mixed-fleet")
@pytest.mark.parametrize("other", ["L", "M"])
def test_what_a_template_covers_is_asked_of_its_server_alone(cell: str, other: str) -> None:
    run(not_found(cell, other, ABSENT))


@requirement("not-found", "mixed-fleet")
@pytest.mark.parametrize("other", ["L", "M"])
def test_a_second_server_without_resources_changes_nothing(cell: str, other: str) -> None:
    run(not_found(cell, other, NOWHERE))


OTHERS = {
    "L": ["server/discover", "subscriptions/listen", "no/such"],
    "M": [
        "initialize",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "no/such",
    ],
}


@requirement("unknown-method", "log-set-refused", "refused-typed")
def test_methods_of_the_other_era(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            for method in OTHERS[cell[0]]:
                refused = await client.begin(method, {"uri": URI, "level": "info"})
                assert (method, refused.error["code"]) == (method, -32601)
                assert refused.status == (404 if cell[0] == "M" else 200)

    run(play())


@requirement("ping")
def test_ping_is_answered_here(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            assert (await client.begin("ping")).result == {}
            assert not w.server.seen("ping")

    run(play())


@requirement("ping-refused")
def test_ping_is_no_method_any_more(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            refused = await client.begin("ping")

            assert (refused.status, refused.error["code"]) == (404, -32601)
            assert not w.server.seen("ping")

    run(play())


@requirement("ping-server")
def test_a_server_that_pings_is_answered(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{"are you there": ["ping", {}]}])

            assert done.said["answers"] == [{"are you there": {}}]
            assert done.every == []

    run(play())


async def everything(client: Client, method: str) -> list[Json]:
    """All entries of a list, page by page."""
    entries: list[Json] = []
    params: Json = {}
    while True:
        result = (await client.ask(method, params)).result
        entries += result[LISTED[method]]
        if "nextCursor" not in result:
            return entries
        params = {"cursor": result["nextCursor"]}


@requirement("pagination")
@pytest.mark.parametrize("size", [0, 1, 2])
def test_lists_in_pages_come_whole(cell: str, size: int) -> None:
    async def play() -> None:
        async with world(SERVERS[cell[1]](page=size), page_size=3) as w:
            client = await w.client(cell[0])

            assert [one["name"] for one in await everything(client, "tools/list")] == list(TOOLS)
            names = [one["name"] for one in await everything(client, "prompts/list")]
            assert names == ["greet", "asking"]

    run(play())


@requirement("cursor-invalid")
@pytest.mark.parametrize("cursor", ["made up", "\u00e9", "5"])
def test_a_cursor_nobody_gave_out(cell: str, cursor: str) -> None:
    async def play() -> None:
        async with cell_world(cell, page_size=3) as w:
            client = await w.client(cell[0])
            refused = await client.ask("tools/list", {"cursor": cursor})

            assert refused.error["code"] == -32602

    run(play())


@requirement("completion")
@pytest.mark.parametrize(
    "ref",
    [{"type": "ref/prompt", "name": "greet"}, {"type": "ref/resource", "uri": "notes://{day}"}],
)
def test_completion(cell: str, ref: Json) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            argument = {"name": "day", "value": "tu"}
            done = await client.ask("completion/complete", {"ref": ref, "argument": argument})

            assert done.result["completion"]["values"] == ["tuesday"]

    run(play())


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@requirement("trace")
def test_trace_context_reaches_the_server(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            meta = {"traceparent": TRACE, "tracestate": "a=b", "example.com/x": [1, {"é": None}]}
            params = {"name": "meta", "arguments": {}, "_meta": meta}
            said = (await client.ask("tools/call", params)).said["meta"]

            assert said["traceparent"].split("-")[1] == TRACE.split("-")[1]
            assert said["tracestate"] == "a=b"
            assert said["example.com/x"] == [1, {"é": None}]

    run(play())


def annotated(name: str, **properties: Json) -> Json:
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


@requirement("param-headers")
def test_arguments_travel_in_headers(cell: str) -> None:
    async def play() -> None:
        server = SERVERS[cell[1]]()
        where = {"type": "string", "x-mcp-header": "Region"}
        regional = annotated("meta", where=where)
        server.extra_tools.append({**regional, "name": "regional"})
        async with world(server) as w:
            client = await w.client(cell[0])
            await client.ask("tools/list")
            params = {"name": "regional", "arguments": {"where": "Zürich"}}
            encoded = "=?base64?WsO8cmljaA==?="
            more = {"Mcp-Param-Region": encoded} if cell[0] == "M" else None
            await client.begin("tools/call", params, headers=more)

            [headers] = [h for m, p, h in w.server.received if p.get("name") == "regional"]
            assert headers["mcp-param-region"] == encoded

    run(play())


@requirement("param-headers-invalid")
def test_a_tool_with_invalid_annotations_is_not_listed(cell: str) -> None:
    async def play() -> None:
        server = SERVERS[cell[1]]()
        bad = {"type": "object", "x-mcp-header": "Region"}
        server.extra_tools += [annotated("bad", where=bad), annotated("good")]
        async with world(server) as w:
            client = await w.client(cell[0])
            names = [tool["name"] for tool in (await client.ask("tools/list")).result["tools"]]

            assert "good" in names
            assert "bad" not in names

    run(play())


URL = {
    "mode": "url",
    "message": "Visit this",
    "url": "https://page.example/",
    "elicitationId": "e1",
}
PAGE = {key: value for key, value in URL.items() if key != "elicitationId"}


@requirement("url-elicitation", "url-id-dropped", "url-id")
def test_a_page_to_visit(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            asked = URL if cell[1] == "L" else PAGE
            done = await client.run("ask", rounds=[{"page": ["elicitation/create", asked]}])
            [question] = done.every

            assert question["params"]["url"] == URL["url"]
            assert question["params"]["mode"] == "url"
            assert len(done.said["answers"]) == 1
            given = question["params"].get("elicitationId")
            assert (given is not None) == (cell[0] == "L")
            if cell == "LL":
                assert given == "e1"

    run(play())


@requirement("url-id")
def test_the_end_of_a_visit_is_told(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{"page": ["elicitation/create", PAGE]}])
            [question] = done.every

            told = done.notices("notifications/elicitation/complete")
            assert told == [{"elicitationId": question["params"]["elicitationId"]}]

    run(play())


@requirement("url-old-client", "refused-typed", cells="LM")
def test_a_client_that_cannot_visit_pages(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            only_forms = {"elicitation": {}}
            client = await w.client(cell[0], revision="2025-06-18", capabilities=only_forms)
            done = await client.run("ask", rounds=[{"page": ["elicitation/create", PAGE]}])

            assert done.every == []
            assert "URL" in done.error["message"] or "url" in json.dumps(done.error)

    run(play())


REQUIRED = {"code": -32042, "message": "Visit first", "data": {"elicitations": [URL]}}


@requirement("url-required")
def test_the_error_that_asks_for_a_visit(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("fail", **REQUIRED)

            assert done.error == REQUIRED

    run(play())


@requirement("url-required-asked")
def test_the_error_that_asks_for_a_visit_becomes_a_question(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await client.call("fail", **REQUIRED)
            [question] = begun.asked.values()
            shown = f"This opens a page of page.example.\n{PAGE['message']}"
            assert question["params"] == {**PAGE, "message": shown}

            await client.answer(begun)
            assert w.server.runs["fail"] == 2

    run(play())
