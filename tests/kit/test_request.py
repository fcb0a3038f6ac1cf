"""Who is calling is known in each kind of server, and two calls are never mixed up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.kit import request
from tests.kit.servers import called, sdk


def test_outside_of_a_request_nothing_is_known() -> None:
    assert request.current() == request.NOBODY
    assert request.caller() == ""
    assert request.current().whose == ""


def test_what_is_given_holds_inside_and_not_outside() -> None:
    async def one(name: str) -> str:
        with request.given(caller=name, tool="t"):
            await asyncio.sleep(0)
            with request.given(id="7"):
                assert request.current().id == "7"
                return request.caller()

    async def run() -> list[str]:
        return await asyncio.gather(*(one(name) for name in "abc"))

    assert asyncio.run(run()) == ["a", "b", "c"]
    assert request.caller() == ""
    with pytest.raises(TypeError, match="no 'colour'"), request.given(colour="red"):
        pass
    with request.given(caller="x" * 10_000) as made:
        assert len(made.caller) == request.LONGEST


@pytest.mark.parametrize("number", [0, 1])
def test_both_sdks_say_which_request_it_is(number: int) -> None:
    options: dict[str, Any] = {} if number else {"middleware": [request.noted]}
    from fastmcp import FastMCP
    from mcp.server.mcpserver import MCPServer

    server: Any = FastMCP("x") if number else MCPServer("x", **options)
    seen: list[request.Request] = []

    @server.tool()
    async def look() -> str:
        seen.append(request.current())
        return "seen"

    assert look is not None
    asyncio.run(called(server, "look"))
    (one,) = seen
    assert (one.tool, one.method, one.caller) == ("look", "tools/call", "")
    assert one.id
    assert request.current() == request.NOBODY


def token(**facts: Any) -> SimpleNamespace:
    named = {"client_id": "app", "subject": None, "claims": None}
    return SimpleNamespace(**{**named, **facts})


@pytest.mark.parametrize(
    ("facts", "caller"),
    [
        ({}, "app"),
        ({"subject": "alice"}, "alice app"),
        ({"claims": {"iss": "https://id", "sub": "alice"}}, "https://id alice app"),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_caller_is_issuer_subject_and_client_of_the_token(
    facts: dict[str, Any], caller: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = sdk(0), sdk(1)
    names = ("mcp.server.auth.middleware.auth_context", "fastmcp.server.dependencies")
    import fastmcp.server.dependencies as theirs
    import mcp.server.auth.middleware.auth_context as sdks

    assert {sdks.__name__, theirs.__name__} == set(names)
    monkeypatch.setattr(theirs, "get_access_token", lambda: token(**facts) if number else None)
    monkeypatch.setattr(sdks, "get_access_token", lambda: None if number else token(**facts))
    assert request.caller() == caller


def test_over_http_with_tokens_each_request_has_its_own_caller() -> None:
    import httpx2
    from mcp.server.auth.provider import AccessToken
    from mcp.server.auth.settings import AuthSettings
    from mcp.server.mcpserver import MCPServer
    from pydantic import AnyHttpUrl

    class Known:
        async def verify_token(self, token: str) -> AccessToken | None:
            return AccessToken(token=token, client_id="app", scopes=[], subject=token)

    url = AnyHttpUrl("http://127.0.0.1:8000")
    auth = AuthSettings(
        issuer_url=url, resource_server_url=url, required_scopes=[], validate_token_resource=False
    )
    server: Any = MCPServer("x", token_verifier=Known(), auth=auth, middleware=[request.noted])

    @server.tool()
    async def who() -> str:
        await asyncio.sleep(0)
        return f"{request.caller()} {request.current().peer}"

    assert who is not None
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "who", "arguments": {}, "_meta": meta},
    }  # fmt: skip

    async def run() -> list[str]:
        app = server.streamable_http_app(json_response=True)
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
        ):

            async def one(name: str) -> str:
                headers = {
                    "authorization": f"Bearer {name}",
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": "tools/call",
                    "mcp-name": "who",
                }
                reply = await client.post("/mcp", json=body, headers=headers)
                return str(reply.json()["result"]["content"][0]["text"])

            return await asyncio.gather(*(one(name) for name in ("alice", "bob")))

    assert asyncio.run(run()) == ["alice app 127.0.0.1", "bob app 127.0.0.1"]
