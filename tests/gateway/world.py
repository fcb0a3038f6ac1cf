"""The gateway's inside around scripted servers: what the tests of this folder build on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from lockgate.core.credentials import Credentials
from lockgate.core.message import Call, ClientFacts, Notification, Principal, Reply
from lockgate.core.names import Naming
from lockgate.core.policy import CallNext, Decision
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything, SightOf
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.chains import Way
from lockgate.gateway.facts import Facts
from lockgate.gateway.handles import Handles
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.router import Router
from lockgate.gateway.sights import Judgement, Sights
from lockgate.gateway.subscriptions import Subscriptions
from lockgate.gateway.tasks import TaskIds
from lockgate.gateway.unlisted import Unlisted
from lockgate.testing import ManualClock, ScriptedServer
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.seal import KeyRing

MODERN = ClientFacts(era="modern", protocol_version="2026-07-28")
HANDSHAKE = ClientFacts(era="handshake", protocol_version="2025-11-25", capabilities_key="none")
READY = UpstreamState(phase="ready")


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **more}


@dataclass
class World:
    servers: list[ScriptedServer]
    naming: Naming = "prefix"
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    sight_of: SightOf | None = None
    credentials: dict[str, Credentials] = field(default_factory=dict[str, Credentials])

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        send: dict[str, CallNext] = {server.name: server.send for server in self.servers}
        everything = Everything(servers=tuple(send), naming=self.naming)
        if "page_size" in self.settings:
            everything = replace(everything, page_size=self.settings["page_size"])
        sights = Sights(everything, self.sight_of, self.credentials)
        self.handles = Handles(KeyRing.generate(), self.clock, restricted=sights.restricted)
        ids = TaskIds(tuple(send), self.handles)
        self.decisions: list[Decision] = []
        self.announced: list[tuple[str, str]] = []
        self.catalog = Catalog(
            self.servers,
            CatalogSettings(naming=self.naming, **self.settings),
            self.clock,
            self._announce,
            observe=lambda _call, decision: self.decisions.append(decision),
            sights=sights,
        )
        self.facts = Facts(send, self.clock, wait=0.05, retry=5, partition=sights.partition)
        self.subscriptions = Subscriptions(
            send, ids, self.catalog.changed, ack_wait=0.05, sights=sights
        )
        gates = [Judgement(sights.of)] if sights.restricted else []
        ways = {name: Way(gates, one, lambda *_: None) for name, one in send.items()}
        unlisted = Unlisted(self.catalog, self._state, self.clock)
        self.router = Router(
            ways, self.catalog, self.facts.ask, ids, self.subscriptions, unlisted, self.handles
        )
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
        endpoint: str = "",
        heard: list[Notification] | None = None,
        **params: Any,
    ) -> Call:
        return Call(
            method=method,
            client=client,
            params=Raw.of(params),
            affinity=affinity,
            principal=Principal(id=principal),
            facts={"endpoint": endpoint},
            emit=(heard if heard is not None else []).append,
        )
