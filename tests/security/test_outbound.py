"""Where requests to servers go: to the configured address alone, with its own credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import JSON, Json, Peer, before

SECRET = "Bearer s3cr3t-of-this-server"


@holds(29)
@holds(25, 46)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("era", ["L", "M"])
def test_a_redirect_is_not_followed(status: int, era: str) -> None:
    """Neither to another host nor to another path: no credential goes where it was not meant."""

    async def play() -> None:
        other = Peer("other")
        [(_, other.port)] = await other.http.start("127.0.0.1", 0)

        async def script(peer: Peer, request: Any, __: Json, responder: Any) -> None:
            place = "/elsewhere" if request.path == "/mcp" and status == 308 else other.url
            responder.send(status, ((b"location", place.encode()),))

        peer = Peer(script=script)
        async with before(peer, server={"headers": {"Authorization": SECRET}}) as w:
            if era == "M":
                error = (await w.call("echo")).error
            else:
                old = await Client(w.port, "L").open()
                error = (await old.call("echo")).error
                old.close()
            assert error["data"]["reason"] == "upstream-redirect"
            assert str(other.port) not in str(error)
            assert {request.path for request in peer.requests} == {"/mcp"}
            assert len(peer.calls) == 1
        assert not other.requests
        await other.die()

    run(play())


@holds(29)
@holds(25)
def test_credentials_of_one_server_reach_no_other() -> None:
    async def play() -> None:
        peers = [Peer(name) for name in ("one", "two")]
        own = {peer.name: f"Bearer credential-of-{peer.name}" for peer in peers}
        for peer in peers:
            [(_, peer.port)] = await peer.http.start("127.0.0.1", 0)
        entries = {
            peer.name: {
                "url": peer.url,
                "era": "modern",
                "headers": {"Authorization": own[peer.name]},
            }
            for peer in peers
        }
        async with before(Peer("three"), more=entries) as w:
            for name in ("one__echo", "two__echo", "three__echo"):
                assert (await w.call(name)).result
            for peer in peers:
                sent = {request.headers[b"authorization"].decode() for request in peer.requests}
                assert sent == {own[peer.name]}
        for peer in peers:
            await peer.die()

    run(play())


@holds(25, 12)
def test_nothing_a_server_says_makes_a_request() -> None:
    """Links, icons and templates in lists and results are text here."""

    async def play() -> None:
        other = Peer("other")
        [(_, other.port)] = await other.http.start("127.0.0.1", 0)
        link = f"http://127.0.0.1:{other.port}/fetched"

        async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
            content = [
                {"type": "resource_link", "uri": link, "name": "a", "icons": [{"src": link}]},
                {"type": "text", "text": f'<img src="{link}">'},
            ]
            result = {"resultType": "complete", "content": content, "_meta": {"next": link}}
            body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            responder.send(200, (JSON, (b"link", f"<{link}>".encode())), json.dumps(body).encode())

        tool = {
            "name": "echo",
            "icons": [{"src": link}],
            "inputSchema": {"$schema": link, "$ref": link, "type": "object"},
        }
        resources = [{"uri": link, "name": "a", "icons": [{"src": link}]}]
        peer = Peer(script=script, tools=[tool], resources=resources)
        # Or the call would be refused: its arguments cannot be checked without fetching something.
        unchecked = {"arguments": {"unusable": "pass"}}
        async with before(peer, guard=unchecked) as w:
            for answer in (
                await w.post("tools/list"),
                await w.post("resources/list"),
                await w.call("echo"),
                await w.post("resources/read", {"uri": link}),
            ):
                assert link.encode() in answer.body
        assert not other.requests
        await other.die()

    run(play())
