"""What each server says of itself, asked once and kept until the server comes back anew.

Must not know: how what they say is merged.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from lockgate import __version__
from lockgate.core.clock import Clock
from lockgate.core.message import (
    ANONYMOUS,
    Call,
    ClientFacts,
    Era,
    Failure,
    Principal,
    Reply,
    Result,
)
from lockgate.core.raw import Raw
from lockgate.wire.envelope import capabilities_key
from lockgate.wire.jsonrpc import INTERNAL_ERROR
from lockgate.wire.revisions import LATEST_HANDSHAKE, LATEST_MODERN

_INFO: Final = Raw.of({"name": "lockgate", "title": "Lockgate", "version": __version__})

OWN_CLIENT: Final[Mapping[Era, ClientFacts]] = {
    "handshake": ClientFacts(
        era="handshake", protocol_version=LATEST_HANDSHAKE, name="lockgate", info=_INFO
    ),
    "modern": ClientFacts(
        era="modern", protocol_version=LATEST_MODERN, name="lockgate", info=_INFO
    ),
}
"""Who the gateway is when it asks on its own behalf."""

_ABLE: Final = Raw.of(
    {
        "elicitation": {"form": {}, "url": {}},
        "roots": {"listChanged": True},
        "sampling": {"tools": {}, "context": {}},
    }
)
ABLE_CLIENT: Final[Mapping[Era, ClientFacts]] = {
    era: one.replace(capabilities=_ABLE, capabilities_key=capabilities_key(_ABLE))
    for era, one in OWN_CLIENT.items()
}
"""The same as a client that can be asked everything: some servers list more to those. What they ask
when they are merely listing is answered by nobody."""


MOST_KEPT: Final = 4096
_Key = tuple[str, Era, str]


class Facts:
    """Each server's discover result, per era and whose credentials it was shown."""

    def __init__(
        self,
        servers: Mapping[str, Callable[[Call], Awaitable[Reply]]],
        clock: Clock,
        *,
        wait: float,
        retry: float,
        partition: Callable[[str, Principal], str] = lambda _server, _principal: "",
    ) -> None:
        """Nothing is asked yet.

        Args:
            servers: the way to each, by name.
            clock: what ages are measured by.
            wait: how long to wait for a slow server.
            retry: how long a failure is kept.
            partition: whose credentials a server is shown for a principal.
        """
        self._partition = partition
        self._servers = servers
        self._clock = clock
        self._wait = wait
        self._retry = retry
        self._grace_until = 0.0
        self._kept: OrderedDict[_Key, tuple[float, Reply]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[Reply]] = {}

    def wait_for_start(self, seconds: float) -> None:
        """Until this many seconds from now, wait for servers that are still starting."""
        self._grace_until = self._clock.monotonic() + seconds

    def peek(self, server: str, era: Era) -> Reply | None:
        """What is known without asking."""
        kept = self._kept.get((server, era, ""))
        return kept[1] if kept else None

    async def ask(self, call: Call, server: str) -> Reply:
        """What `server` says of itself in the caller's era."""
        key = (server, call.client.era, self._partition(server, call.principal))
        kept = self._kept.get(key)
        now = self._clock.monotonic()
        if kept is not None and (isinstance(kept[1], Result) or now < kept[0]):
            return kept[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(key, call))
            self._asking[key] = task
        await asyncio.wait([task], timeout=max(self._wait, self._grace_until - now))
        if task.done() and not task.cancelled():
            return task.result()
        slow = _slow(server, self._retry)
        self._keep(key, slow)
        return slow

    def _keep(self, key: _Key, reply: Reply) -> None:
        self._kept[key] = (self._clock.monotonic() + self._retry, reply)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def _ask(self, key: _Key, call: Call) -> Reply:
        server, era, partition = key
        # What everybody is told alike is asked for on nobody's behalf.
        asked = Call(
            method="server/discover",
            client=OWN_CLIENT[era],
            principal=call.principal if partition else ANONYMOUS,
        )
        try:
            reply = await self._servers[server](asked)
            if era == "handshake" and isinstance(reply, Result):
                reply = await self._with_subscriptions(reply, asked, server)
            self._keep(key, reply)
            return reply
        finally:
            self._asking.pop(key, None)

    async def _with_subscriptions(self, reply: Result, asked: Call, server: str) -> Result:
        """Sessions may subscribe as well to what a server tells of in its other era alone."""
        offered = _resources(reply)
        if not offered or offered.get("subscribe") is True:
            return reply
        other = await self._servers[server](asked.replace(client=OWN_CLIENT["modern"]))
        if not isinstance(other, Result) or _resources(other).get("subscribe") is not True:
            return reply
        capabilities = reply.raw.object("capabilities")
        capabilities = capabilities.replace(resources={**offered, "subscribe": True})
        return reply.replace(raw=reply.raw.replace(capabilities=capabilities))

    def inherit(self, before: Facts, servers: Collection[str]) -> None:
        """Take over what `before` was told by these servers, where nothing is known here yet."""
        for key, kept in before._kept.items():
            if key[0] in servers and isinstance(kept[1], Result):
                self._kept.setdefault(key, kept)

    def forget(self, server: str) -> None:
        """The server has come, gone or changed: ask again."""
        for key in [key for key in self._kept if key[0] == server]:
            del self._kept[key]

    async def close(self) -> None:
        """Stop asking."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _resources(reply: Result) -> Raw:
    return reply.raw.object("capabilities").object("resources")


def _slow(server: str, retry_after: float) -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message=f"{server} has not said who it is yet.",
        origin="upstream",
        reason="server-slow",
        data={"server": server, "retry_after": retry_after},
        remedy="It is still being asked; try again in a few seconds.",
    )
