"""`lockgate up` in storms: what memory it keeps, and how it ends when told to in one."""

from __future__ import annotations

import asyncio
import json
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.callers import Caller, Load
from tests.chaos.company import Company
from tests.chaos.process import Memory, children, gone, memory, up, whole
from tests.chaos.schedule import chosen_seconds, chosen_seed
from tests.chaos.storm import Fleet, Verdict, callers, eventually, fleet
from tests.fronts.served import run
from tests.gateway.reloading import alive
from tests.support.running import free_port

pytestmark = pytest.mark.xdist_group("chaos")
STORM = 1.0
GRACE = 2.0
BLOCKS = 1.0
"""Blocks a call that may be there afterwards; a block has some 100 bytes, seldom more."""
SLACK = 1500
"""Blocks by which one state of things differs from another: connections that are open, lists that
were just read, windows of breakers. All of them are bounded, none goes by calls."""
ALLOWANCE = 1024
"""The same in KiB, and for pages that are not given back."""


class Process:
    """A gateway with its servers and clients."""

    def __init__(self, folder: Path, servers: Fleet, seed: int, *, restless: bool) -> None:
        self.servers = servers
        self.seed = seed
        self.measured = folder / "memory"
        self.port = free_port()
        self.clients: list[Caller] = []
        self.calls = 0
        self.company = Company(self.port, servers, seed, leaves=0.0, restless=restless)
        self._config = folder / "mcp.json"

    async def start(self, clients: int = 64, **settings: object) -> None:
        """Up, with every client there."""
        said = {"naming": "prefix", **settings}
        config = {"mcpServers": self.servers.entries(), "lockgate": said}
        self._config.write_text(json.dumps(config))
        self.tools = {f"{name}__act" for name in self.servers.all}
        self.process = up(self._config, self.port, measured=self.measured)
        await self.ready()
        self.clients += await callers(self.port, clients)
        await self.company.arrive()

    async def ready(self) -> None:
        """Every server is there."""
        assert self.process.poll() is None
        await eventually(lambda: whole(self.port, self.tools), 40, "every server is there")

    async def blow(self) -> None:
        """One storm, and back."""
        load = Load(self.clients, list(self.servers.all), self.seed)
        load.leaves, load.pause = 0.0, 0.04
        load.start()
        self.company.begin()
        # The longer a server was dead, the longer it is left alone: that would be most of the time.
        await self.servers.play(self.seed, chosen_seconds(STORM), deaths=False)
        load.check()
        self.company.raise_problems()
        await self.ready()
        await load.stop()
        await self.company.recovered(self.servers.well)
        verdict = Verdict(load, self.servers)
        print(f"seed {self.seed}: {verdict.summary()}; {self.company.summary()}")
        verdict.all()
        self.company.check()
        self.calls += len(load.book) + len(self.company.parkers.book)

    async def told_to_stop(self) -> None:
        """A storm, and in the middle of it the signal."""
        load = Load(self.clients, list(self.servers.all), self.seed)
        load.start()
        self.company.begin()
        ends, endless = self.servers.http[:2]
        waiting = [Caller(3000 + n, ("modern", "handshake")[n % 2], self.port) for n in range(8)]
        for one in waiting:
            await one.open()
        long = [
            asyncio.create_task(one.call((ends, endless)[n // 4].name, "wait"))
            for n, one in enumerate(waiting)
        ]
        storm = asyncio.create_task(self.servers.play(self.seed, chosen_seconds(3 * STORM)))
        await asyncio.sleep(STORM)
        await eventually(self._all_wait, 10, "the long calls are at their servers")
        left = children(self.process.pid)
        assert len(left) >= 2
        self.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(GRACE / 4)
        ends.gate.set()
        assert await asyncio.to_thread(self.process.wait, 60 + GRACE) == 0

        async def alone() -> bool:
            return not any(map(alive, left))

        await eventually(alone, 5, "no child outlives the gateway")
        await load.stop()
        await self.company.parkers.stop()
        self.company.raise_problems()
        await self.company.leave()
        await storm
        for number, told in enumerate([await one for one in long]):
            if number // 4 == 0:
                assert told.kind == "result", told
            else:
                assert (told.kind, told.reason) == ("error", "gateway-stopped"), told
                assert told.data["code"] == "LG-505", told
        verdict = Verdict(load, self.servers, stopped=True)
        print(f"{verdict.summary()}; {self.company.summary()}")
        verdict.all()
        self.company.check(stopped=True)
        assert not any(one.streams[-1].end == "open" for one in self.company.watchers.clients)
        for one in waiting:
            one.close()

    async def _all_wait(self) -> bool:
        return all(one.waiting == 4 for one in self.servers.http[:2])

    def close(self) -> None:
        """Clients go, and the process with them."""
        for one in self.clients:
            one.close()
        gone(self.process)


def test_memory_does_not_grow_from_storm_to_storm(tmp_path: Path) -> None:
    """What is looked for is something kept of each call, stream or connection.

    So the bound goes by the calls that were made in between, however many the machine managed, and
    not by a share of the whole: the code alone is most of that. The first storm fills pools, caches
    and the buffers of open streams; of those after it one has to keep to the bound, as what leaks
    does so in each. What the gateway keeps on purpose, within bounds of its own, is left out:
    answers and streams that a client may come back to, so nobody goes away here and they are kept
    for a second only. What is kept of a call by mistake takes two blocks at least, a key and a
    value.
    """

    async def play() -> None:
        async with fleet(tmp_path) as servers:
            it = Process(tmp_path, servers, chosen_seed(8), restless=False)
            try:
                await it.start()
                kept: list[tuple[int, Memory]] = []
                for _ in range(4):
                    await it.blow()
                    await asyncio.sleep(2.1)  # see above: two beats of the front, after a second
                    kept.append((it.calls, await memory(it.process, it.measured)))
                print("memory", kept)
                await it.company.leave()
            finally:
                it.close()
        # What leaks does so in every storm; what merely differs is less, too, after one of them.
        steps = list(pairwise(kept))
        blocks = [(b.blocks - a.blocks - SLACK) / (n - m) for (m, a), (n, b) in steps]
        assert min(blocks) < BLOCKS, kept
        pages = [(b.kibibytes - a.kibibytes - ALLOWANCE) / (n - m) for (m, a), (n, b) in steps]
        assert min(pages) < BLOCKS / 4, kept

    run(play(), 150 + chosen_seconds(0))


def test_it_is_told_to_stop_in_a_storm(tmp_path: Path) -> None:
    seed = chosen_seed(9)
    print(f"to have the same storm again: LOCKGATE_CHAOS_SEED={seed}")

    async def play() -> None:
        async with fleet(tmp_path) as servers:
            it = Process(tmp_path, servers, seed, restless=True)
            try:
                await it.start(shutdown_grace=GRACE)
                await it.told_to_stop()
            finally:
                it.close()

    run(play(), 120 + chosen_seconds(0))
