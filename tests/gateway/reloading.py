"""A gateway between raw clients and servers of both eras, whose configuration changes."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.gateway.auditing import opened
from lockgate.gateway.worlds import Reloaded
from tests.bridge.clients import Client
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.support.waiting import until

Json = dict[str, Any]
LABELLED = Path(__file__).with_name("labelled_server.py")


def child(label: str, *tools: str, **more: Any) -> Json:
    """A server entry for a process that says who it is."""
    return {"command": sys.executable, "args": ["-I", "-S", str(LABELLED), label, *tools], **more}


def alive(pid: int) -> bool:
    """Whether the process is there, and is no zombie."""
    try:
        os.kill(pid, 0)
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


class Changing:
    """See the module. `servers` is what stands in the configuration now."""

    def __init__(self, old: OldServer, new: NewServer, settings: Json) -> None:
        self.old = old
        self.new = new
        self.settings = settings
        self.servers: dict[str, Json] = {
            "child": child("one"),
            "old": {"url": old.url},
            "new": {"url": new.url},
        }
        self.gateway = Gateway(self.config(), audit=opened(self.config()))
        self.stack = AsyncExitStack()
        self.port = 0

    def config(self) -> Config:
        """The configuration as it stands now."""
        settings = {"naming": "prefix", **self.settings}
        return Config.model_validate({"servers": self.servers, "lockgate": settings})

    async def reload(self, **servers: Json | None) -> Reloaded:
        """Change these servers, None leaves one out, and take the configuration over."""
        changed = {**self.servers, **servers}
        self.servers = {name: one for name, one in changed.items() if one is not None}
        return await self.gateway.reload(self.config())

    async def client(self, era: str, **facts: Any) -> Client:
        """A client of this era, opened."""
        client = Client(self.port, era, **facts)
        self.stack.callback(client.close)
        return await client.open()

    async def drained(self) -> None:
        """Wait until nothing of earlier configurations is left."""
        await until(lambda: not self.gateway._worlds._chores)


async def who(client: Client, server: str = "child") -> Json:
    """What a server of `child` says of itself."""
    begun = await client.call(f"{server}__who")
    if begun.stream is not None:
        begun.stream.close()
    return begun.said


async def tools(client: Client) -> set[str]:
    """The names of all tools."""
    return {one["name"] for one in (await client.begin("tools/list")).result["tools"]}


@asynccontextmanager
async def changing(**settings: Any) -> AsyncIterator[Changing]:
    """A gateway in front of `child` (a process), `old` and `new` (over HTTP), ready."""
    old, new = OldServer("old"), NewServer("new")
    async with old.serving(), new.serving():
        made = Changing(old, new, settings)
        gateway = made.gateway
        try:
            await gateway.start()
            assert await gateway.settled(60)
            [(_, made.port)] = await gateway.serve_http("127.0.0.1", 0)
            async with made.stack:
                yield made
        finally:
            await gateway.stop(0.2)


def census() -> dict[str, int]:
    """Tasks, descriptors, children, and our objects by class.

    Without those of fronts, which keep answers for clients that come back, within bounds of theirs.
    """
    gc.collect()
    ours = Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
        if str(type(one).__module__).startswith("lockgate.")
        and not str(type(one).__module__).startswith("lockgate.fronts.")
    )
    here = Path("/proc/self")
    children = (here / "task" / str(os.getpid()) / "children").read_text().split()
    return {
        **ours,
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(list((here / "fd").iterdir())),
        "children": len(children),
    }
