"""What a stranger names is asked only where strangers may send us."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.identity.fetch import Fetched, FetchFailed
from lockgate.identity.outbound.discovery import Discovery
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.trouble import Trouble
from tests.identity.outbound.provider import ISSUER, PRM, SERVER, World, metadata, resource
from tests.security.musts import must

LOCAL = "http://127.0.0.1:9000/mcp"
PRIVATE = "https://10.0.0.5/mcp"


class Asked:
    """A `Fetch` that only says that it was it."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def __call__(self, method: str, url: str, **more: Any) -> Fetched:
        self.seen.append(self.name)
        return Fetched(200, {}, b"")


@must("https-endpoints")
@pytest.mark.parametrize(
    ("server", "named", "url", "by"),
    [
        (SERVER, [], SERVER, "known"),
        (SERVER, [], ISSUER, "strange"),
        (SERVER, [ISSUER], f"{ISSUER}/token", "known"),
        (SERVER, [], "http://login.example.com/token", None),
        (SERVER, [], "http://localhost/token", None),
        (SERVER, [], "ftp://login.example.com", None),
        (SERVER, [], "https://user:hunter2@login.example.com", None),
        (LOCAL, [], "http://localhost:9001/token", "known"),
        (LOCAL, [], "http://login.example.com/token", None),
        (PRIVATE, [], "https://10.0.0.6/token", "known"),
        (PRIVATE, [], "http://10.0.0.6/token", None),
    ],
)
def test_who_is_asked_and_how(server: str, named: list[str], url: str, by: str | None) -> None:
    seen: list[str] = []
    reach = Reach(Asked("known", seen), Asked("strange", seen), server, named)

    if by is not None:
        asyncio.run(reach("GET", url, "it"))
        assert seen == [by]
        return
    with pytest.raises(Trouble) as refused:
        asyncio.run(reach("GET", url, "it"))
    assert refused.value.reason == "oauth-address"
    assert "hunter2" not in str(refused.value)
    assert not seen


@pytest.mark.parametrize(
    ("cause", "reason"),
    [("forbidden", "oauth-address"), ("unreachable", "token-unavailable")],
)
def test_why_there_is_no_answer(cause: Any, reason: str) -> None:
    world = World()
    world.documents[PRM] = FetchFailed("no", cause)
    discovery = Discovery(Reach(world, world, SERVER), SERVER)

    with pytest.raises(Trouble) as refused:
        asyncio.run(discovery.find())

    assert refused.value.reason == reason


def test_servers_that_describe_themselves_otherwise() -> None:
    async def scenario() -> None:
        world = World()
        discovery = Discovery(Reach(world, world, SERVER), SERVER)
        root = "https://mcp.example.com/.well-known/oauth-protected-resource"
        del world.documents[PRM]
        world.documents[root] = resource(resource="https://mcp.example.com")
        assert (await discovery.find()).resource == "https://mcp.example.com"

        # One of revision 2025-03-26 is its own authorization server.
        del world.documents[root]
        own = "https://mcp.example.com"
        world.documents[f"{own}/.well-known/oauth-authorization-server"] = metadata(own)
        found = await discovery.find()
        assert (found.server.issuer, found.resource) == (own, SERVER)

        # What is configured outlives what it says.
        pinned = Discovery(Reach(world, world, SERVER), SERVER, issuer=ISSUER)
        assert (await pinned.find()).server.issuer == ISSUER
        world.documents[PRM] = resource(authorization_servers=["https://evil.example"])
        with pytest.raises(Trouble):
            await pinned.find()

    asyncio.run(scenario())
