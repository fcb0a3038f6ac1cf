"""The gateway's inside around scripted servers: what the tests of this folder build on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lockgate.core.message import Call, ClientFacts, Notification, Principal, Reply
from lockgate.core.names import Naming
from lockgate.core.policy import CallNext, Decision
from lockgate.core.raw import Raw
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.chains import Way
from lockgate.gateway.facts import Facts
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.router import Router
from lockgate.gateway.subscriptions import Subscriptions
from lockgate.gateway.tasks import TaskIds
from lockgate.gateway.unlisted import Unlisted
from lockgate.testing import ManualClock, ScriptedServer
from lockgate.upstreams.supervisor import UpstreamState

MODERN = ClientFacts(era="modern", protocol_version="2026-07-28")
HANDSHAKE = ClientFacts(era="handshake", protocol_version="2025-11-25", capabilities_key="none")
READY = UpstreamState(phase="ready")


async def until(ready: Callable[[], object]) -> None:
    """Let other tasks run until `ready()`."""
    for _ in range(10_000):
        if ready():
            return
        await asyncio.sleep(0)
    raise AssertionError("never happened")


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


@dataclass
class World:
    servers: list[ScriptedServer]
    naming: Naming = "prefix"
    settings: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        send: dict[str, CallNext] = {server.name: server.send for server in self.servers}
        ids = TaskIds(tuple(send))
        self.decisions: list[Decision] = []
        self.announced: list[tuple[str, str]] = []
        self.catalog = Catalog(
            self.servers,
            CatalogSettings(naming=self.naming, **self.settings),
            self.clock,
            self._announce,
            observe=lambda _call, decision: self.decisions.append(decision),
        )
        self.facts = Facts(send, self.clock, wait=0.05, retry=5)
        self.subscriptions = Subscriptions(send, ids, self.catalog.changed, ack_wait=0.05)
        ways = {name: Way([], one, lambda *_: None) for name, one in send.items()}
        unlisted = Unlisted(tuple(ways), self.catalog, self._state, self.clock)
        self.router = Router(ways, self.catalog, self.facts.ask, ids, self.subscriptions, unlisted)
        self.subscriptions.locate = self.router.server_of

    def _announce(self, method: str, server: str) -> None:
        self.announced.append((method, server))
        self.subscriptions.announce(method, server)

    def _state(self, name: str) -> UpstreamState:
        server = next(one for one in self.servers if one.name == name)
        away = server.down is not None and server.down.reason == "server-unavailable"
        due = self.clock.monotonic() + 3.0
        return UpstreamState(phase="backoff", next_attempt=due) if away else READY

    async def ask(self, method: str, client: ClientFacts = MODERN, **params: Any) -> Reply:
        return await self.router(self.call(method, client, **params))

    def call(
        self,
        method: str,
        client: ClientFacts = MODERN,
        *,
        affinity: str | None = None,
        principal: str = "anonymous",
        heard: list[Notification] | None = None,
        **params: Any,
    ) -> Call:
        return Call(
            method=method,
            client=client,
            params=Raw.of(params),
            affinity=affinity,
            principal=Principal(id=principal),
            emit=(heard if heard is not None else []).append,
        )
