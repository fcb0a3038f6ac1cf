"""Changes of lists, gathered: many become one, and nobody hears of what they do not see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.message import ClientFacts
from lockgate.testing import ScriptedServer
from tests.gateway.world import HANDSHAKE, MODERN, World, tool
from tests.support.waiting import until

TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"


class Heard(list[Any]):
    """What was heard; whoever waits for more of it can."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def append(self, one: Any) -> None:
        super().append(one)
        self._more.set()

    async def reach(self, length: int) -> None:
        while len(self) < length:
            self._more.clear()
            await self._more.wait()


async def hearing(world: World, client: ClientFacts, heard: list[Any], **more: Any) -> Any:
    flags = {"toolsListChanged": True, "promptsListChanged": True}
    call = world.call("subscriptions/listen", client, heard=heard, notifications=flags, **more)
    listening = asyncio.ensure_future(world.router(call))
    await until(lambda: heard)
    return listening


@pytest.mark.parametrize(
    ("client", "affinity"), [(MODERN, None), (HANDSHAKE, "s1")], ids=["stream", "session"]
)
def test_many_changes_are_told_once(client: ClientFacts, affinity: str | None) -> None:
    async def play() -> None:
        world = World([ScriptedServer(name, tools=[tool("x")]) for name in ("a", "b")])
        world.subscriptions.gather = 0.05
        heard = Heard()
        listening = await hearing(world, client, heard, affinity=affinity)
        for _ in range(5):
            for server in world.servers:
                server.tell(TOOLS)
                world.catalog.changed(server.name, "tools")
            world.catalog.changed("b", "prompts")
        assert len(heard) == 1
        async with asyncio.timeout(60):
            await heard.reach(3 - (affinity is not None))
        told = [one.method for one in heard[1:]]
        # A session hears of prompts from its servers, and these said nothing.
        assert told == ([PROMPTS, TOOLS] if affinity is None else [TOOLS])
        world.subscriptions.close()
        await listening

    asyncio.run(play())


def test_nothing_is_told_after_the_end() -> None:
    async def play() -> None:
        world = World([ScriptedServer("a", tools=[tool("x")])])
        world.subscriptions.gather = 0.01
        heard: list[Any] = []
        listening = await hearing(world, MODERN, heard)
        world.catalog.changed("a", "tools")
        world.subscriptions.close()
        await listening
        timer = world.subscriptions._timer
        assert timer is not None
        assert timer.cancelled()
        assert len(heard) == 1

    asyncio.run(play())
