"""Who calls a hardened server: known by Lockgate, and known to the server's own handlers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import FastMCP
from fastmcp.server.auth import require_scopes
from fastmcp.server.dependencies import get_http_headers
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer

import lockgate
from lockgate.core.message import ANONYMOUS, Principal
from lockgate.errors import PolicyUncovered
from lockgate.hosts.callers import HEADER, Callers
from lockgate.identity.keys import new_key, write_keys
from lockgate.upstreams.identity import GATEWAY
from tests.hosts.serving import ERAS, Serving, call, headers, said, served


class Keys:
    """A file of keys: one for reading, one for writing too."""

    def __init__(self, folder: Path) -> None:
        self.text: dict[str, str] = {}
        made: list[Any] = []
        for name, scopes in (("reader", ["read"]), ("writer", ["read", "write"])):
            self.text[name], kept = new_key(name, time.time(), scopes=scopes)
            made.append(kept)
        self.path = folder / "keys.json"
        self.path.write_bytes(write_keys(made))


def config(keys: Keys, serving_at: str = "http://127.0.0.1:1", **settings: Any) -> dict[str, Any]:
    auth = {"keys_file": str(keys.path)}
    return {"lockgate": {"auth": auth, "public_url": serving_at, **settings}}


def whoami() -> str:
    """Who calls."""
    token = get_access_token()
    return "nobody" if token is None else f"{token.client_id} {' '.join(token.scopes)}"


def made(kind: str) -> Any:
    server: Any = MCPServer("shop") if kind == "sdk" else FastMCP("shop")
    server.tool()(whoami)
    if kind == "fastmcp":
        server.tool(lambda: "written", name="write", auth=require_scopes("write"))
    return server


@asynccontextmanager
async def known(serving: Serving, era: str, key: str) -> AsyncGenerator[Client]:
    bearer = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=bearer, trust_env=False) as http,
        Client(streamable_http_client(serving.url, http_client=http), mode=era) as one,
    ):
        yield one


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_handlers_see_who_calls(kind: str, era: str, tmp_path: Path) -> None:
    keys = Keys(tmp_path)

    async def run() -> None:
        async with served(lockgate.harden(made(kind), config(keys))) as serving:
            async with httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http:
                strange = await http.post(
                    "/mcp", json=call("whoami", {}), headers=headers("whoami")
                )
                assert strange.status_code == 401
                # What is inside the process cannot be said from outside of it.
                forged = {**headers("whoami"), HEADER.decode(): "1"}
                assert (
                    await http.post("/mcp", json=call("whoami", {}), headers=forged)
                ).status_code == 401
            async with (
                known(serving, era, keys.text["reader"]) as reader,
                known(serving, era, keys.text["writer"]) as writer,
            ):
                for _ in range(2):
                    assert said(await reader.call_tool("whoami", {})) == "reader read"
                    assert said(await writer.call_tool("whoami", {})) == "writer read write"
                if kind == "fastmcp":
                    seen = [
                        {t.name for t in (await one.list_tools()).tools} for one in (reader, writer)
                    ]
                    assert seen == [{"whoami"}, {"whoami", "write"}]
                    assert said(await writer.call_tool("write", {})) == "written"

    asyncio.run(run())


def test_headers_that_are_let_through_come_along(tmp_path: Path) -> None:
    keys, server = Keys(tmp_path), made("fastmcp")

    @server.tool
    def tenant() -> str:
        """Say what came along."""
        return f"{get_http_headers().get('x-tenant')} {whoami()}"

    async def run() -> None:
        configured = {
            **config(keys),
            "servers": {"shop": {"forward_headers": {"x-org": "x-tenant"}}},
        }
        async with (
            served(lockgate.harden(server, configured)) as serving,
            httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
        ):
            for org in ("one", "two", "one"):
                bearer = f"Bearer {keys.text['reader']}"
                asked = headers("tenant", authorization=bearer, x_org=org)
                answer = await http.post("/mcp", json=call("tenant", {}), headers=asked)
                assert f"{org} reader read" in answer.text

    asyncio.run(run())


def test_rules_of_access_hold(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    rules = [{"allow": "shop/whoami", "scopes": "write"}]

    async def run() -> None:
        configured = config(keys, access={"rules": rules})
        async with (
            served(lockgate.harden(made("sdk"), configured)) as serving,
            httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
        ):
            status = {}
            for name, key in keys.text.items():
                asked = headers("whoami", authorization=f"Bearer {key}")
                answer = await http.post("/mcp", json=call("whoami", {}), headers=asked)
                status[name] = answer.status_code
            assert status == {"reader": 403, "writer": 200}

    asyncio.run(run())


def test_where_it_is_called_has_to_be_known(tmp_path: Path) -> None:
    auth = {"auth": {"keys_file": str(Keys(tmp_path).path)}}

    async def run() -> None:
        with pytest.raises(PolicyUncovered, match="web server"):
            async with lockgate.harden(made("sdk"), {"lockgate": auth}).lifespan():
                pass

    asyncio.run(run())


def test_callers_are_told_apart_by_what_they_may_see() -> None:
    callers = Callers()
    one = Principal(id="a", client="c", scopes=frozenset(("x",)))
    assert callers.partition(one) != callers.partition(Principal(id="a", client="c"))
    assert callers.partition(ANONYMOUS) == callers.partition(GATEWAY) == ""
    shown = callers.headers(one)
    assert callers.headers(one) is shown
    # The same caller with a newer token is shown anew, and the number of before is forgotten.
    newer = Principal(id="a", client="c", scopes=frozenset(("x",)), claims={"n": 1})
    again = callers.headers(newer)
    assert again != shown
    for lines, known_again in ((shown, False), (again, True)):
        scope: dict[str, Any] = {"headers": [(b"a", b"b"), *lines]}
        callers.take(scope)
        assert scope["headers"] == [(b"a", b"b")]
        assert ("user" in scope) is known_again
