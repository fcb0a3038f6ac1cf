"""A hardened server within other applications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from mcp import Client
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import lockgate
from lockgate.hosts import Hardened, beside
from tests.hosts.serving import ERAS, Serving, said, served


class Shop:
    """A server with a life of its own."""

    def __init__(self) -> None:
        self.life: list[str] = []

        @asynccontextmanager
        async def lifespan(server: Any) -> AsyncGenerator[None]:
            self.life.append("began")
            yield
            self.life.append("ended")

        self.server = MCPServer("shop", lifespan=lifespan)
        self.server.tool()(echo)

    def hardened(self) -> Hardened:
        return lockgate.harden(self.server)


def echo(text: str) -> str:
    """Give it back."""
    return text


async def home(request: Any) -> PlainTextResponse:
    return PlainTextResponse("home")


def mounted(shop: Shop) -> tuple[Any, str]:
    """Below a path of a Starlette application."""
    hardened = shop.hardened()
    routes = [Route("/", home), Route("/health", home), Mount("/tools", app=hardened)]
    return Starlette(routes=routes, lifespan=hardened.lifespan), "/tools/mcp"


def mounted_last(shop: Shop) -> tuple[Any, str]:
    """Where nothing else of a FastAPI application is."""
    hardened = shop.hardened()
    app = FastAPI(lifespan=hardened.lifespan)
    app.add_route("/", home)
    app.add_route("/health", home)
    app.mount("/", hardened)
    return app, "/mcp"


def next_to(shop: Shop) -> tuple[Any, str]:
    """Beside any application."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[dict[str, Any]]:
        shop.life.append("app began")
        yield {"made": "home"}
        shop.life.append("app ended")

    async def state(request: Any) -> PlainTextResponse:
        return PlainTextResponse(request.state.made)

    app = Starlette(routes=[Route("/", state), Route("/health", home)], lifespan=lifespan)
    return beside(app, shop.hardened()), "/mcp"


@pytest.mark.parametrize("within", [mounted, mounted_last, next_to])
def test_both_are_served_and_live_once(within: Any) -> None:
    async def run() -> None:
        shop = Shop()
        app, path = within(shop)
        async with served(app) as serving:
            for era in ERAS:
                async with Client(f"{serving.base}{path}", mode=era) as one:
                    assert said(await one.call_tool("echo", {"text": "hi"})) == "hi"
            async with httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http:
                assert [(await http.get(one)).text for one in ("/", "/health")] == ["home", "home"]
        assert [one for one in shop.life if "app" not in one] == ["began", "ended"]
        if within is next_to:
            assert shop.life == ["began", "app began", "app ended", "ended"]

    asyncio.run(run())


def test_beside_an_application_without_a_lifespan() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await PlainTextResponse("plain")(scope, receive, send)

    async def run() -> None:
        async with served(beside(app, Shop().hardened())) as serving:
            await answers(serving)

    async def answers(serving: Serving) -> None:
        async with httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http:
            assert (await http.get("/anything")).text == "plain"
            assert (await http.get("/mcp")).json()["error"]["code"]

    asyncio.run(run())
