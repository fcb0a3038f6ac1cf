"""A real gateway that asks callers who they are, between an issuer and a server that counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fronts.served import run as run  # noqa: PLC0414 - part of a world
from tests.identity.issuer import Issuer
from tests.security.world import Answer, Peer, World, answer, before

Json = dict[str, Any]


@dataclass
class Guarded:
    """The gateway, what it guards, and who it believes."""

    world: World
    peer: Peer
    issuer: Issuer

    @property
    def resource(self) -> str:
        return f"http://127.0.0.1:{self.world.port}/mcp"

    def token(self, **options: Any) -> str:
        return self.issuer.token(options.pop("audience", self.resource), **options)

    async def call(
        self, token: str | None = None, *, scheme: str = "Bearer", **fields: Any
    ) -> Answer:
        """A tool call with this token."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if token is not None:
            headers["Authorization"] = f"{scheme} {token}"
        params = {"name": "echo", "arguments": {}}
        return await self.world.post("tools/call", params, fields=headers)

    async def refused(self, token: str | None, **options: Any) -> Answer:
        """The answer to a call with this token, which the server saw nothing of."""
        seen = len(self.peer.requests)
        answer = await self.call(token, **options)
        assert len(self.peer.requests) == seen
        return answer


async def echo(peer: Peer, request: Any, message: Json, responder: Any) -> None:
    del peer, request
    answer(responder, message, {"content": [{"type": "text", "text": "hello"}]})


@asynccontextmanager
async def guarded(
    *, issuer: Issuer | None = None, told: Json | None = None, auth: Json | None = None, **more: Any
) -> AsyncIterator[Guarded]:
    """A gateway with one issuer; `told` is added to its entry, `auth` to all beside it."""
    issuer = issuer or Issuer()
    await issuer.start()
    peer = Peer(script=echo)
    entry = {"issuer": issuer.url, **(told or {})}
    settings = {"auth": {"issuers": [entry], **(auth or {})}, **more}
    try:
        async with before(peer, **settings) as world:
            yield Guarded(world, peer, issuer)
    finally:
        await issuer.die()
