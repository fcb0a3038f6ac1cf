"""The official Python client finds its own way: from a 401 to a real provider, and in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.security.musts import must
from tests.support import running
from tests.support.agent import Agent
from tests.support.provider import APP, REDIRECT, Provider, provider

pytest.importorskip("mcp")

import httpx2
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)


class Person:
    """Keeps what the client is given, and goes through the provider's pages as told."""

    def __init__(self, real: Provider) -> None:
        self.real = real
        self.tokens: OAuthToken | None = None
        self.asked: list[str] = []
        self.client = OAuthClientInformationFull.model_validate({**APP, "issuer": real.issuer})

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def visit(self, url: str) -> None:
        self.asked.append(url)

    async def come_back(self) -> AuthorizationCodeResult:
        def walk() -> dict[str, Any]:
            agent = Agent()
            page = agent.get(self.asked[-1])
            return dict(self.real.answer_pages(agent, page, REDIRECT).query)

        given = await asyncio.to_thread(walk)
        return AuthorizationCodeResult(
            code=given["code"], state=given.get("state"), iss=given.get("iss")
        )


async def tools(url: str, person: Person) -> list[str]:
    metadata = OAuthClientMetadata.model_validate(
        {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    )
    flow = OAuthClientProvider(url, metadata, person, person.visit, person.come_back)
    async with (
        httpx2.AsyncClient(auth=flow, timeout=20) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        return [one.name for one in (await session.list_tools()).tools]


@must("resource-metadata", "resource-metadata-header", "scope-in-challenge", "as-audience")
def test_the_official_client_logs_in_by_what_the_gateway_says(tmp_path: Path) -> None:
    everything = {"*": {"format": "jwt", "scope": "mcp"}}
    with (
        provider(resources=everything, scopes=["mcp"]) as real,
        running.fixture_server("everything") as server,
    ):
        auth = {"issuers": [{"issuer": real.issuer}], "scopes": ["mcp"]}
        config = running.config_of({"ours": {"url": server}}, tmp_path, auth=auth)
        with running.gateway(config) as url:
            person = Person(real)
            found = asyncio.run(asyncio.wait_for(tools(url, person), 60))
            assert "test_simple_text" in found
            [asked] = person.asked
            assert "scope=mcp" in asked
            assert "resource=http" in asked
            assert person.tokens is not None
            # It is known now, and asked for nothing.
            assert asyncio.run(asyncio.wait_for(tools(url, person), 60)) == found
            assert len(person.asked) == 1
