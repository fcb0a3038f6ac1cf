"""Arguments of calls through a whole gateway, for clients of either era."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import Json, Peer, World, before

SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "depth": {"type": "integer"}},
    "required": ["path"],
}
META = "io.github.lockgate/error"


def peer(**schema: Any) -> Peer:
    return Peer(tools=[{"name": "echo", "inputSchema": {**SCHEMA, **schema}}])


@holds(31)
@pytest.mark.parametrize("era", ["M", "L"])
def test_a_model_is_told_what_to_correct_and_the_server_sees_nothing(era: str) -> None:
    async def play() -> None:
        one = peer()
        async with before(one) as w:
            client = await Client(w.port, era).open()
            try:
                told = (await client.call("echo", depth="deep")).result
                good = (await client.call("echo", path="/a", depth=2)).result
            finally:
                client.close()
            assert told["isError"] is True
            [said] = told["content"]
            assert said["type"] == "text"
            assert "`path` is missing; `depth` must be an integer, not a string" in said["text"]
            schema = json.loads(said["text"].partition("Its input schema: ")[2])
            assert schema["required"] == ["path"]
            assert schema["properties"]["depth"]["type"] == "integer"
            assert "inputSchema" not in told["_meta"][META]
            assert told["_meta"][META]["code"] == "LG-420"
            assert told["_meta"][META]["policy"] == "arguments"
            assert ("resultType" in told) == (era == "M")
            assert good["structuredContent"] == {"by": "peer"}
            assert one.called() == ["echo"]

    run(play())


@holds(31)
def test_a_changed_schema_is_the_one_that_counts() -> None:
    async def play() -> None:
        one = peer()
        async with before(one, pins="off") as w:
            assert (await w.call("echo", path="a")).result["structuredContent"]
            one.lists["tools"] = [
                {"name": "echo", "inputSchema": {"type": "object", "required": ["other"]}}
            ]
            engine = w.gateway._engine  # pyright: ignore[reportPrivateUsage] - as its server says
            engine.catalog.changed("peer", "tools")
            await w.tools()
            assert (await w.call("echo", path="a")).result["isError"]
            assert (await w.call("echo", other="a")).result["structuredContent"]

    run(play())


@holds(31)
def test_duplicate_members_mean_one_thing_to_the_check_and_to_the_server() -> None:
    async def play() -> None:
        one = peer()
        async with before(one) as w:
            twice = b'{"name":"echo","arguments":{"path":1,"path":"/a"},"_meta":%b}' % META_BYTES
            assert (await w.post("tools/call", twice)).result["structuredContent"]
            assert one.calls[0].body.count(b'"path"') == 1

    run(play())


META_BYTES = (
    b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}'
)


async def outcomes(w: World) -> list[Json]:
    return [(await w.call("echo", **one)).result for one in ({}, {"path": "a", "more": 1})]


@pytest.mark.parametrize(
    ("gateway", "server", "refused"),
    [
        ({}, {}, [True, False]),
        ({"mode": "warn"}, {}, [False, False]),
        ({"mode": "off"}, {}, [False, False]),
        ({"mode": "off"}, {"mode": "enforce"}, [True, False]),
        ({"strict": True}, {}, [True, True]),
        ({"strict": True}, {"mode": "enforce"}, [True, True]),
        ({"strict": True}, {"strict": False}, [True, False]),
    ],
)
def test_a_server_has_settings_of_its_own(gateway: Json, server: Json, refused: list[bool]) -> None:
    async def play() -> None:
        own = {"guard": {"arguments": server}}
        async with before(peer(), server=own, guard={"arguments": gateway}) as w:
            assert [one.get("isError", False) for one in await outcomes(w)] == refused

    run(play())


def test_a_schema_nothing_can_be_checked_by_is_the_servers_fault() -> None:
    async def play() -> None:
        async with before(peer(properties=[])) as w:
            error = (await w.call("echo", path="a")).error
            assert error["data"]["code"] == "LG-421"
            assert "'peer'" in error["message"]
        own = {"guard": {"arguments": {"unusable": "pass"}}}
        async with before(peer(properties=[]), server=own) as w:
            assert (await w.call("echo", path="a")).result["structuredContent"]

    run(play())


def test_nothing_is_fetched_for_a_schema() -> None:
    async def play() -> None:
        asked = 0

        async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            writer.close()

        trap = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = trap.sockets[0].getsockname()[1]
        async with before(peer(**{"$ref": f"http://127.0.0.1:{port}/schema.json"})) as w:
            error = (await w.call("echo", path="a")).error
            assert error["data"]["why"] == "reference"
        trap.close()
        assert asked == 0

    run(play())


def lister(tmp: Path) -> Json:
    """Settings that keep `path` in a folder, and `url` on the public internet."""
    rules = {"*": {"path": {"under": [str(tmp)]}, "url": {"public": True}}}
    return {"arguments": {"rules": rules}}


@holds(32)
def test_paths_and_urls_lead_where_they_may_and_models_are_told(tmp_path: Path) -> None:
    async def play() -> None:
        one = peer()
        async with before(one, guard=lister(tmp_path)) as w:
            outside = (await w.call("echo", path=f"{tmp_path}-evil/a")).result
            assert outside["isError"]
            assert outside["_meta"][META]["code"] == "LG-423"
            assert "must be a path in" in outside["content"][0]["text"]
            for url in ("http://127.0.0.1/", "http://localhost/", "file:///etc/passwd"):
                answer = await w.call("echo", path=str(tmp_path), url=url)
                assert answer.result["isError"], url
            benign = f"{tmp_path}/a; rm -rf $HOME && `x` | y.txt"
            assert "isError" not in (await w.call("echo", path=benign)).result
            assert len(one.calls) == 1

    run(play())


@holds(32)
def test_metadata_addresses_are_refused_where_a_schema_says_url() -> None:
    async def play() -> None:
        one = peer(properties={"path": {"type": "string", "format": "uri"}})
        async with before(one) as w:
            assert (await w.call("echo", path="http://0xa9fea9fe/")).result["isError"]
            assert "isError" not in (await w.call("echo", path="http://localhost:3000/")).result

    run(play())
