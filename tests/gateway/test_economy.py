"""Fewer tokens, end to end: what clients of a gateway are sent, and what operators are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.context.tokens import counter
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.policies.repeats import CONVERSATION
from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.gateway.test_admin import fetched, samples
from tests.security.world import META, Json, Peer, World, answer, before

ROWS = [{"identifier": at, "title": f"Issue number {at}", "state": "open"} for at in range(60)]
PRETTY = json.dumps(ROWS, indent=2)
SHORT = json.dumps(ROWS, separators=(",", ":"))
TOOL = {
    "name": "list_issues",
    "description": "Lists issues.\n\n    Of a repository.",
    "inputSchema": {"type": "object", "title": "list_issuesArguments"},
    "annotations": {"readOnlyHint": True},
}


def peer(result: Json) -> Peer:
    async def script(_peer: Peer, _: HttpRequest, message: Json, responder: Responder) -> None:
        answer(responder, message, result)

    return Peer(tools=[TOOL], script=script)


def content(text: str = PRETTY, **more: Any) -> Json:
    return {"content": [{"type": "text", "text": text}], **more}


async def text(w: World, **params: Any) -> str:
    asked = {"name": "list_issues", "arguments": {}, **params}
    return (await w.post("tools/call", asked)).result["content"][0]["text"]


@pytest.mark.parametrize(
    ("mode", "result", "sent"),
    [
        ("auto", content(), SHORT),
        ("auto", content(structuredContent={"content": PRETTY}), PRETTY),
        ("auto", content(structuredContent={"result": ROWS}), SHORT),
        ("minify", content(), SHORT),
        ("off", content(structuredContent={"result": ROWS}), PRETTY),
    ],
)
def test_results_are_written_as_the_configuration_says(mode: str, result: Json, sent: str) -> None:
    async def play() -> None:
        async with before(peer(result), compact={"results": mode}) as w:
            assert await text(w) == sent

    run(play())


def test_each_endpoint_has_results_its_own_way_and_old_clients_too() -> None:
    async def play() -> None:
        endpoints = {"/table": {"compact": {"results": "columnar"}}}
        async with before(peer(content()), endpoints=endpoints) as w:
            assert await text(w) == SHORT
            # A file may be edited by its exact text.
            assert await text(w, arguments={"path": "issues.json"}) == PRETTY
            for era in ("M", "L"):
                client = await Client(w.port, era, path="/table").open()
                try:
                    result = (await client.call("list_issues")).result
                finally:
                    client.close()
                table = json.loads(result["content"][0]["text"])
                assert table["cols"] == ["identifier", "title", "state"]
                assert len(table["rows"]) == 60

    run(play())


def test_what_is_hidden_is_gone_before_a_table_tears_it_from_its_name() -> None:
    async def play() -> None:
        secret = "q8Zr2LmT5vXw9BnK4cYd"
        rows = [{"user": f"u{at}", "password": f"{secret}{at}"} for at in range(60)]
        guard = {"results": {"secrets": "redact"}}
        hidden: list[bool] = []
        for mode in ("off", "columnar"):
            result = content(json.dumps(rows, indent=2))
            async with before(peer(result), compact={"results": mode}, guard=guard) as w:
                hidden.append(secret in await text(w))
        assert hidden[0] == hidden[1]

    run(play())


def test_a_conversation_is_told_that_nothing_has_changed() -> None:
    async def play() -> None:
        named = {"_meta": {**META, CONVERSATION: "c1"}}
        async with before(peer(content()), compact={"repeats": "suppress"}) as w:
            assert [(await text(w, **named))[:9] for _ in range(3)] == [
                SHORT[:9],
                "Unchanged",
                SHORT[:9],
            ]
            # Nobody named a conversation, so nobody is known to have been sent anything.
            assert {await text(w) for _ in range(3)} == {SHORT}
            client = await Client(w.port, "L").open()
            try:
                told = [(await client.call("list_issues")).result for _ in range(2)]
            finally:
                client.close()
            assert [one["content"][0]["text"][:9] for one in told] == [SHORT[:9], "Unchanged"]

    run(play())


def test_operators_are_told_what_models_were_given() -> None:
    async def play() -> None:
        result = content(structuredContent={"result": ROWS})
        async with before(peer(result), admin={"port": 0}, expose="search") as w:
            where = await w.gateway.serve_admin()
            assert where is not None
            for _ in range(3):
                assert await text(w) == SHORT
            _ = (await w.post("tools/list")).result
            _ = (await w.call("find_tools", query="issues")).result
            page = ""
            while "lockgate_tokens_counted_by{" not in page:
                # The first sample is counted in a thread.
                _, page = await fetched(where, "/metrics")
            found = samples(page)

        def of(name: str, **labels: str) -> float:
            written = ",".join(f'{key}="{value}"' for key, value in labels.items())
            return found[f"lockgate_{name}{{{written}}}"]

        tools = of("tool_result_tokens_total", server="peer", tool="list_issues")
        own = of("tool_result_tokens_total", server="", tool="find_tools")
        assert tools == pytest.approx(3 * counter()(SHORT), rel=0.02)
        assert 0 < own < 100
        assert of("client_result_tokens_total", client="unknown") == pytest.approx(
            tools + own, abs=3
        )
        assert of("identity_result_tokens_total", identity="anonymous") > tools
        assert of("listed_tokens_total", client="unknown", identity="anonymous") > 0
        written = of("definition_tokens", server="peer", form="written")
        assert 0 < of("definition_tokens", server="peer", form="shown") < written
        assert of("saved_tokens_total", server="peer", how="minify") > 0

    run(play())
