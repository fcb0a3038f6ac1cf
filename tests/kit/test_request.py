"""Who is calling is known in each kind of server, and two calls are never mixed up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.kit import request
from tests.examples.loading import over_http
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
    with request.given(caller="x" * 10_000) as made, request.given(caller="x" * 9_999) as other:
        assert len(made.caller) == len(other.caller) == request.LONGEST
        assert made.caller != other.caller


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
        ({}, "client=app"),
        ({"subject": "a b"}, "subject=a%20b client=app"),
        (
            {"claims": {"iss": "https://id", "sub": "alice"}},
            "issuer=https://id subject=alice client=app",
        ),
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


def with_tokens(number: int) -> Any:
    """A server of either SDK that takes any token for that of whom it names."""
    if number:
        from fastmcp import FastMCP
        from fastmcp.server.auth import AccessToken, TokenVerifier

        class Known(TokenVerifier):
            async def verify_token(self, token: str) -> AccessToken | None:
                return AccessToken(token=token, client_id="app", scopes=[], claims={"sub": token})

        return FastMCP("x", auth=Known())
    from mcp.server.auth.provider import AccessToken as Official
    from mcp.server.auth.settings import AuthSettings
    from mcp.server.mcpserver import MCPServer
    from pydantic import AnyHttpUrl

    class Verifier:
        async def verify_token(self, token: str) -> Official | None:
            return Official(token=token, client_id="app", scopes=[], subject=token)

    url = AnyHttpUrl("http://127.0.0.1:8000")
    auth = AuthSettings(
        issuer_url=url, resource_server_url=url, required_scopes=[], validate_token_resource=False
    )
    return MCPServer("x", token_verifier=Verifier(), auth=auth, middleware=[request.noted])


@pytest.mark.parametrize("number", [0, 1])
def test_over_http_each_request_has_its_own_caller_in_both_eras(number: int) -> None:
    import httpx2
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    server = with_tokens(number)

    @server.tool()
    async def who() -> str:
        await asyncio.sleep(0)
        assert request.current().peer == "127.0.0.1"
        return request.caller()

    @server.tool()
    def in_a_thread() -> str:
        return request.caller()

    assert who is not None
    assert in_a_thread is not None

    async def one(url: str, name: str, mode: str) -> None:
        headers = {"authorization": f"Bearer {name}"}
        async with (
            httpx2.AsyncClient(headers=headers) as plain,
            Client(streamable_http_client(f"{url}/mcp", http_client=plain), mode=mode) as client,
        ):
            for tool in ("who", "in_a_thread"):
                said: Any = await client.call_tool(tool)
                assert said.content[0].text == f"subject={name} client=app"

    async def run() -> None:
        app = server.http_app() if number else server.streamable_http_app()
        async with over_http(app) as url:
            whole = [(name, mode) for name in ("ada", "bob") for mode in ("legacy", "2026-07-28")]
            await asyncio.gather(*(one(url, name, mode) for name, mode in whole))

    asyncio.run(run())
