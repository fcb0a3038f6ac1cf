"""Two tenants of one gateway, whose credentials one server cannot tell apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from lockgate.config.model import Config
from lockgate.core.message import Principal
from lockgate.fronts.http import HttpRequest
from lockgate.fronts.identified import Identified
from lockgate.gateway.app import Gateway
from tests.bridge.clients import Client, Json
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.scripts import Scripted, Turn, structured

CELLS = ("LL", "LM", "ML", "MM")
"""The era of the client, then that of the server."""


class Names:
    """Takes whatever follows `Bearer` for who asks. Every request has a principal of its own."""

    def authenticate(self, request: HttpRequest, /) -> Principal:
        given = request.headers[b"authorization"].decode().removeprefix("Bearer ")
        name, _, scopes = given.partition(":")
        return Principal(id=f"https://idp.example#{name}", scopes=frozenset(scopes.split()))


class _Counting(Scripted):
    """Has one more tool, `tick`, that says how often it ran."""

    async def handle(self, turn: Turn, method: str) -> Json:
        if method == "tools/call" and turn.params["name"] == "tick":
            return structured({"ran": self.runs["tick"]})
        return await super().handle(turn, method)


class OldCounting(_Counting, OldServer):
    """Of the handshake era."""


class NewCounting(_Counting, NewServer):
    """Of the stateless era."""


AnyServer = OldCounting | NewCounting


@dataclass
class Tenants:
    """See the module: `ann` and `bob` are clients of the cell's era, opened."""

    gateway: Gateway
    server: Any
    port: int
    era: str
    stack: AsyncExitStack
    ann: Client
    bob: Client

    async def client(self, token: str, **more: Any) -> Client:
        """One more client."""
        client = await self.stranger(token, **more)
        return await client.open()

    async def stranger(self, token: str, **more: Any) -> Client:
        """One that has said nothing yet."""
        client = Client(self.port, self.era, token=token, **more)
        self.stack.callback(client.close)
        return client


def identify(gateway: Gateway) -> None:
    """Have every endpoint know its callers by name."""
    gateway._routes.serve(gateway._endpoints.handlers(lambda _, inner: Identified(inner, Names())))


@asynccontextmanager
async def tenants(
    cell: str, server: AnyServer | None = None, *, entry: Json | None = None, **settings: Any
) -> AsyncIterator[Tenants]:
    """A gateway in front of one server, `entry` are more settings of it, and its two tenants."""
    made = server or (OldCounting("one") if cell[1] == "L" else NewCounting("one"))
    made.extra_tools = [{"name": "tick", "inputSchema": {"type": "object"}}]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.serving())
        config = Config.model_validate(
            {
                "servers": {"one": {"url": made.url, **(entry or {})}},
                "lockgate": {"naming": "bare", **settings},
            }
        )
        gateway = Gateway(config)
        stack.push_async_callback(gateway.stop, 0.1)
        await gateway.start()
        assert await gateway.settled(60)
        [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
        identify(gateway)
        inner = await stack.enter_async_context(AsyncExitStack())
        pair = [Client(port, cell[0], token=name) for name in ("ann", "bob")]
        for client in pair:
            inner.callback(client.close)
            await client.open()
        yield Tenants(gateway, made, port, cell[0], inner, *pair)
