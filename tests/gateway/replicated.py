"""A gateway in front of replicas over loopback HTTP, which die and come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from lockgate.config.model import Config
from lockgate.fronts.server import HttpServer
from lockgate.gateway.app import Gateway
from lockgate.upstreams.replicas import Replicas
from tests.bridge.clients import Client
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.scripted_http import OverHttp
from tests.bridge.world import AnyServer, until

Json = dict[str, Any]


class Replicated:
    """See the module. `server` is what the entry holds beside `urls`."""

    def __init__(self, servers: Sequence[AnyServer], server: Json, settings: Json) -> None:
        self.servers = list(servers)
        self.server = server
        self.settings = settings
        self.stack = AsyncExitStack()
        self.gateway = Gateway(self.config())
        self.port = 0

    def config(self) -> Config:
        """The configuration as it stands now."""
        entry = {"urls": [one.url for one in self.servers], **self.server}
        return Config.model_validate({"servers": {"s": entry}, "lockgate": self.settings})

    @property
    def replicas(self) -> Replicas:
        """What the gateway has made of the entry."""
        found = self.gateway._worlds.current.standing["s"].upstream
        assert isinstance(found, Replicas)
        return found

    def active(self) -> int:
        """Which one takes the calls, counted from 0."""
        return [one.active for one in self.replicas.states()].index(True)

    async def settled(self, phases: str) -> None:
        """Wait until the replicas stand so: `ready backoff`."""
        await until(lambda: [one.phase for one in self.replicas.states()] == phases.split())

    async def client(self, era: str) -> Client:
        """A client of this era, opened."""
        client = Client(self.port, era)
        self.stack.callback(client.close)
        return await client.open()

    def runs(self, tool: str = "echo") -> list[int]:
        """How often each replica was told to run a tool."""
        return [
            sum(one["name"] == tool for one in server.seen("tools/call")) for server in self.servers
        ]


async def come_back(server: OverHttp) -> None:
    """Listen again where it did before."""
    server.http = HttpServer(server._received)
    await server.http.start("127.0.0.1", server.port)


def made_of(eras: str) -> list[AnyServer]:
    """A replica for each letter, by name `a`, `b` and so on."""
    kinds: dict[str, Any] = {"L": OldServer, "M": NewServer}
    return [kinds[era]("abc"[number]) for number, era in enumerate(eras)]


@asynccontextmanager
async def replicated(
    eras: str, server: Json | None = None, **settings: Any
) -> AsyncIterator[Replicated]:
    """The gateway, with every replica ready; `eras` is a letter for each."""
    servers = made_of(eras)
    async with AsyncExitStack() as stack:
        for one in servers:
            await stack.enter_async_context(one.serving())
        w = Replicated(servers, server or {}, settings)
        stack.push_async_callback(w.gateway.stop, 0.1)
        await w.gateway.start()
        assert await w.gateway.settled(60)
        await w.settled(" ".join(["ready"] * len(eras)))
        await until(lambda: w.active() == 0)
        [(_, w.port)] = await w.gateway.serve_http("127.0.0.1", 0)
        async with w.stack:
            yield w
