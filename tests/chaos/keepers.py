"""Callers of a tool whose results are kept for each of them: who was given which run of it.

Must not know: tiers, stores, schedules. Servers number the runs of `kept`, so that an answer says
which run it is of, however often it is given.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from random import Random
from typing import Any

from lockgate.core.message import Call, ClientFacts, Failure, Principal
from lockgate.core.raw import Raw
from lockgate.gateway.app import Gateway
from lockgate.wire.envelope import capabilities_key
from tests.chaos.callers import MODERN, Caller, Told

Json = dict[str, Any]
KEYS = 6
Ask = Callable[[str, str], Awaitable[Told]]
"""Call `kept` of a server with a key."""


def as_principal(gateway: Gateway, who: str) -> Ask:
    """Calls of a principal of its own: who calls is decided before the engine, so they start there.

    They look like those of the stateless clients, which are all nobody in particular.
    """
    declared = Raw.of({})
    facts = ClientFacts(
        era="modern",
        protocol_version=MODERN,
        capabilities=declared,
        capabilities_key=capabilities_key(declared),
    )

    async def ask(server: str, key: str) -> Told:
        params = Raw.of({"name": f"{server}__kept", "arguments": {"nonce": key}})
        call = Call(
            method="tools/call", client=facts, params=params, id=1, principal=Principal(id=who)
        )
        reply = await gateway._engine.handle(call)
        if isinstance(reply, Failure):
            body: Json = {"code": reply.code, "data": {"reason": reply.reason}}
            return Told(server, "kept", key, "error", 0.0, 0.0, body=body)
        said = reply.raw.object("structuredContent")
        body = {"structuredContent": {name: said[name] for name in said}}
        return Told(server, "kept", key, "result", 0.0, 0.0, body=body)

    return ask


def as_client(caller: Caller) -> Ask:
    """Calls of a client."""

    async def ask(server: str, key: str) -> Told:
        return await caller.call(server, "kept", nonce=key)

    return ask


class Keepers:
    """Callers by whose answers they may be given: a session's, a principal's, nobody's."""

    def __init__(
        self, asking: Sequence[tuple[str, Ask]], servers: Sequence[str], seed: int
    ) -> None:
        self.asking = asking
        self.book: list[tuple[str, Told]] = []
        self._servers = servers
        self._seed = seed
        self._turns = [asyncio.Lock() for _ in asking]
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._work(n)) for n in range(len(self.asking))]

    async def stop(self) -> None:
        """Let every caller finish its call."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _work(self, number: int) -> None:
        chance = Random(f"{self._seed} keeper {number}")  # noqa: S311 - no secret
        while not self._stopping:
            await asyncio.sleep(chance.uniform(0, 0.06))
            await self.ask(number, chance.choice(self._servers), f"key {chance.randrange(KEYS)}")

    async def ask(self, number: int, server: str, key: str) -> Told:
        """One call, written down."""
        whose, ask = self.asking[number]
        async with self._turns[number]:  # a client has one connection
            told = await ask(server, key)
        self.book.append((whose, told))
        return told

    def check(self, well: Collection[str], reasons: Collection[str]) -> None:
        """Nobody was given what was kept for another, and no healthy server's call failed."""
        given: defaultdict[str, set[str]] = defaultdict(set)
        for whose, told in self.book:
            if told.kind == "result":
                said = told.body["structuredContent"]
                assert (said["server"], said["nonce"]) == (told.server, told.nonce), told
                given[said["run"]].add(whose)
            else:
                assert told.kind == "error", told
                assert told.server not in well, f"a healthy server's call failed: {told}"
                assert told.reason in {*reasons, "own", "upstream-error"}, told
        shared = {run: who for run, who in given.items() if len(who) > 1}
        assert not shared, f"kept for one caller, given to another: {shared}"
        results = sum(told.kind == "result" for _, told in self.book)
        assert results >= len(given) + 20, "hardly anything was kept"
