"""A gateway on loopback between scripted servers and raw clients, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from lockgate.config.model import Config
from lockgate.core.message import Call, ClientFacts, Notification, Principal, Reply
from lockgate.core.raw import Raw
from lockgate.gateway.app import Gateway
from lockgate.testing import ManualClock
from lockgate.wire.envelope import capabilities_key
from tests.bridge.clients import EVERYTHING, MODERN, Client, Json
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.fronts.served import run as bounded
from tests.support.waiting import until as until  # noqa: PLC0414 - part of a world

AnyServer = OldServer | NewServer
SERVERS: dict[str, type[OldServer] | type[NewServer]] = {"L": OldServer, "M": NewServer}


class World:
    """See the module. `server` is the first of `servers`, `clock` the gateway's."""

    def __init__(self, servers: list[AnyServer], gateway: Gateway, clock: ManualClock) -> None:
        self.servers = servers
        self.server: Any = servers[0]
        self.gateway = gateway
        self.clock = clock
        self.port = 0
        self.stack = AsyncExitStack()

    def stack_task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have this go on beside the test, no longer than it."""
        task = asyncio.get_running_loop().create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.stack.push_async_callback(end)
        return task

    async def client(self, era: str, **facts: Any) -> Client:
        """A client of this era, opened."""
        return await (await self.stranger(era, **facts)).open()

    async def stranger(self, era: str, **facts: Any) -> Client:
        """A client of this era that has said nothing yet."""
        client = Client(self.port, era, **facts)
        self.stack.callback(client.close)
        return client

    async def call(
        self,
        method: str,
        params: Json,
        *,
        principal: str,
        affinity: str | None = None,
        era: str = "M",
        heard: list[Notification] | None = None,
        capabilities: Json | None = None,
    ) -> Reply:
        """One call of a principal: who calls is decided before the engine, so it begins there."""
        declared = Raw.of(EVERYTHING if capabilities is None else capabilities)
        facts = ClientFacts(
            era="modern" if era == "M" else "handshake",
            protocol_version=MODERN if era == "M" else "2025-11-25",
            capabilities=declared,
            capabilities_key=capabilities_key(declared),
        )
        call = Call(
            method=method,
            client=facts,
            params=Raw.of(params),
            id=1,
            principal=Principal(id=principal),
            affinity=affinity,
            emit=(heard if heard is not None else []).append,
            wants_progress=True,
        )
        return await self.gateway._engine.handle(call)


@asynccontextmanager
async def world(
    *servers: AnyServer, eras: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A gateway in front of these servers, ready, with bare names unless told otherwise."""
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.serving())
        config = Config.model_validate(
            {
                "servers": {
                    server.name: {"url": server.url, "era": (eras or {}).get(server.name, "auto")}
                    for server in servers
                },
                "lockgate": {"naming": "bare", **settings},
            }
        )
        clock = ManualClock()
        gateway = Gateway(config, clock)
        made = World(list(servers), gateway, clock)
        stack.push_async_callback(gateway.stop, 0.1)
        await gateway.start()
        assert await gateway.settled(60)
        [(_, made.port)] = await gateway.serve_http("127.0.0.1", 0)
        async with made.stack:
            yield made


@asynccontextmanager
async def cell_world(cell: str, **settings: Any) -> AsyncIterator[World]:
    """The world of a cell: one server of the era its second letter names."""
    async with world(SERVERS[cell[1]](), **settings) as made:
        yield made


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run one test, bounded in time."""
    bounded(test)
