"""Servers that define one thing at first and another later, and a gateway that holds them to it."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.upstreams.upstream import Changed
from tests.bridge.clients import Client
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.scripts import Scripted, Turn
from tests.bridge.world import AnyServer

Json = dict[str, Any]
MEMBERS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}
CHANGED = "notifications/tools/list_changed"


def tool(name: str, description: str = "Adds.", **more: Any) -> Json:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}, **more}


class Turncoat(Scripted):
    """Lists what stands in `lists`, which tests change, and does whatever it is called for."""

    def begin(self) -> None:
        """What it lists as long as it is honest."""
        self.lists: dict[str, list[Json]] = {
            "tools/list": [tool("add"), tool("mail", "Sends mail.")],
            "prompts/list": [{"name": "plan", "description": "Plans."}],
            "resources/list": [{"name": "one", "uri": "notes://one"}],
            "resources/templates/list": [{"name": "note", "uriTemplate": "notes://{day}"}],
        }
        self.done: list[str] = []

    async def handle(self, turn: Turn, method: str) -> Json:
        if method in MEMBERS:
            return self.listed(turn.params, MEMBERS[method][0], copy.deepcopy(self.lists[method]))
        if method == "tools/call":
            self.done.append(turn.params["name"])
            return {"content": [{"type": "text", "text": "done"}]}
        if method == "prompts/get":
            self.done.append(turn.params["name"])
            return {"messages": []}
        if method == "resources/read":
            self.done.append(turn.params["uri"])
            return {"contents": [{"uri": turn.params["uri"], "text": "read"}]}
        if method == "completion/complete":
            self.done.append("completion")
            return {"completion": {"values": ["x"]}}
        return await super().handle(turn, method)


class OldTurncoat(Turncoat, OldServer):
    """Of the handshake era."""


class NewTurncoat(Turncoat, NewServer):
    """Of the stateless era."""


KINDS: dict[str, type[OldTurncoat] | type[NewTurncoat]] = {"L": OldTurncoat, "M": NewTurncoat}


def turncoat(era: str, name: str = "s") -> Any:
    """One of an era, honest until somebody changes its lists."""
    made = KINDS[era](name)
    made.begin()
    return made


class Held:
    """A gateway over `servers` with a lock file in a folder; may be started again and again."""

    def __init__(self, folder: Path, servers: list[AnyServer], settings: Mapping[str, Any]) -> None:
        self.servers = servers
        self.server: Any = servers[0]
        self.lock = folder / "lockgate.lock"
        self.settings = dict(settings)
        self.stack = AsyncExitStack()
        self.gateway: Any = None
        self.port = 0
        self.records = True

    def config(self) -> Config:
        entries = {one.name: {"url": one.url} for one in self.servers}
        for name, more in self.settings.pop("servers", {}).items():
            entries[name].update(more)
        plain = {"servers": entries, "lockgate": {"naming": "bare", **self.settings}}
        return Config.model_validate(plain).placed(self.lock, {})

    async def start(self) -> Held:
        self.gateway = Gateway(self.config(), records=self.records)
        await self.gateway.start()
        assert await self.gateway.settled(60)
        await self.gateway.meet()
        [(_, self.port)] = await self.gateway.serve_http("127.0.0.1", 0)
        return self

    async def stop(self) -> None:
        await self.stack.aclose()
        if self.gateway is not None:
            await self.gateway.stop(0.1)
            self.gateway = None

    async def again(self) -> None:
        """Another process, as far as anything in memory goes."""
        await self.stop()
        self.stack = AsyncExitStack()
        await self.start()

    async def client(self, era: str, **facts: Any) -> Client:
        client = Client(self.port, era, **facts)
        self.stack.callback(client.close)
        return await client.open()

    async def turned(self, method: str = "tools/list", notice: str = CHANGED) -> None:
        """The server has said that a list has changed, and the gateway has heard of it."""
        before = len(self.server.seen(method))
        self.gateway._engine._server_changed(_changed(self.server.name, method))
        self.server.announce(notice)
        assert len(self.server.seen(method)) >= before


def _changed(server: str, method: str) -> Changed:
    return Changed(server, "tools" if method == "tools/list" else "prompts")


@asynccontextmanager
async def held(folder: Path, *servers: AnyServer, **settings: Any) -> AsyncIterator[Held]:
    """A gateway in front of these servers that records what they define first."""
    async with AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server.serving())
        made = Held(folder, list(servers), settings)
        stack.push_async_callback(made.stop)
        yield await made.start()


async def names(client: Client, method: str = "tools/list") -> list[str]:
    """What a client is shown of a list."""
    member, key = MEMBERS[method]
    listed = (await client.begin(method)).result[member]
    return [one[key] for one in listed]
