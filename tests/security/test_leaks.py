"""A thousand clients that come and break off, at every step: nothing of them stays.

Both eras, in front of servers of both eras over HTTP and of a child process. What is counted after
a first, smaller round is counted again at the end: tasks, descriptors, children, objects of ours.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.testing import ManualClock
from tests.bridge.clients import Client, Stream
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.fronts.served import run
from tests.support.builds import interpreted
from tests.support.waiting import until

HOLDER = Path(__file__).with_name("holder.py")
STEPS = ("connect", "half a head", "half a body", "whole", "working", "streaming", "listening")
CASES: list[tuple[str, str, str, bool]] = [
    (step, era, server, polite)
    for step, era in product(STEPS, "LM")
    for server, polite in product(("new", "old", "child"), (False, True))
]
ROUNDS = 12
PROC = Path("/proc/self")
RSS_MARGIN = 12 * 1024 * 1024


@dataclass
class Stage:
    gateway: Gateway
    clock: ManualClock
    port: int
    servers: dict[str, Any]
    client: Client = field(init=False)
    used: int = 0

    async def of(self, era: str) -> Client:
        """A client of this era; sessions are begun again and again, and left behind."""
        if era == "M":
            return Client(self.port, "M")
        if self.used % 8 == 0:
            self.client = await Client(self.port, "L").open()
            self.client.close()
        self.used += 1
        self.client.streams.clear()
        return self.client

    async def come_and_go(self, step: str, era: str, server: str, politely: bool) -> None:
        """One client, up to this step."""
        if step in {"connect", "half a head", "half a body"}:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            if step != "connect":
                writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Ty")
            if step == "half a body":
                writer.write(b"pe: application/json\r\nContent-Length: 100\r\n\r\n{")
            writer.close() if politely else writer.transport.abort()
            return
        client = await self.of(era)
        stream = await self._begin(client, step, server)
        if politely:
            stream.close()
        else:
            stream._writer.transport.abort()

    async def _begin(self, client: Client, step: str, server: str) -> Stream:
        if step == "listening":
            return await client.listen(toolsListChanged=True)
        if step == "whole":
            begun = await client.call(f"{server}__echo", a=1)
            assert begun.result
            assert begun.stream
            return begun.stream
        said = getattr(self.servers[server], "said", None)
        if said is not None:
            said["at gate"].clear()
        params: dict[str, Any] = {"name": f"{server}__talk"}
        params["arguments"] = {"progress": 1, "wait": "gate"}
        if step == "streaming":
            params["_meta"] = {"progressToken": 1}
        message = {"jsonrpc": "2.0", "id": client.ids(), "method": "tools/call", "params": params}
        stream = await client.post(message, head=False)
        if step == "streaming":
            await (await stream.head()).until("notifications/progress")
        elif said is not None:
            await said["at gate"].wait()
        return stream

    def _nobody(self) -> bool:
        """Whether nobody is here; calls that outlive their client have their time pass."""
        self.clock.advance(400)
        self.gateway._endpoints.served["/mcp"].exchange.pulse.beat()
        stats = self.gateway._server.stats
        return stats.connections == stats.handlers == 0

    def _settled(self) -> bool:
        """Whether every list is known: while one is not, there is less to count."""
        catalog = self.gateway._engine.catalog
        return not catalog._reads._tasks and all(one.tools for one in self.gateway.servers())

    async def quiet(self) -> None:
        """Everybody has gone, and the time has passed for which anything is kept."""
        await until(self._nobody)
        client = Client(self.port, "M")
        held = (await client.call("child__count")).said["held"]
        assert held == 0, f"the child still works on {held} calls"
        client.close()
        await until(lambda: not self.servers["new"].tasks and not self.servers["old"].tasks)
        # What is kept of sessions in case their clients come back is kept for half an hour.
        self.clock.advance(2000)
        self.gateway._endpoints.served["/mcp"].exchange.pulse.beat()
        await until(
            lambda: not self.gateway._endpoints.served["/mcp"].exchange._dialogue._background
        )
        await until(self._nobody)
        await until(self._settled)
        for server in (self.servers["new"], self.servers["old"]):
            server.received.clear()
            server.responders.clear()
            server.runs.clear()

    async def rounds(self, number: int) -> None:
        """Everybody comes and goes, so many times over."""
        for _ in range(number):
            for case in CASES:
                await self.come_and_go(*case)
            await self.quiet()

    def count(self) -> tuple[int, int, set[str], Counter[str], int]:
        """Tasks, descriptors, children, our objects by class, and resident memory."""
        gc.collect()
        ours = Counter(
            f"{type(one).__module__}.{type(one).__qualname__}"
            for one in gc.get_objects()
            if str(type(one).__module__).startswith("lockgate.")
        )
        resident = int((PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        tasks = len(asyncio.all_tasks())
        return tasks, len(list((PROC / "fd").iterdir())), children(), ours, resident


def children() -> set[str]:
    """Children, without the one that watches over the others as long as this process lives."""
    found = (PROC / "task" / str(os.getpid()) / "children").read_text().split()
    return {one for one in found if b"guardian" not in Path(f"/proc/{one}/cmdline").read_bytes()}


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    new, old = NewServer("new"), OldServer("old")
    async with new.serving(), old.serving():
        child = {"command": sys.executable, "args": ["-I", "-S", str(HOLDER)]}
        servers = {"new": {"url": new.url}, "old": {"url": old.url}, "child": child}
        clock = ManualClock()
        gateway = Gateway(Config.model_validate({"servers": servers}), clock)
        try:
            await gateway.start()
            assert await gateway.settled(60)
            [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
            yield Stage(gateway, clock, port, {"new": new, "old": old, "child": None})
        finally:
            await gateway.stop(0.2)


@interpreted
@pytest.mark.skipif(sys.platform != "linux", reason="counts with /proc")
def test_a_thousand_clients_that_break_off_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What is remembered on purpose has a bound of its own; here it is reached at once.
    for place in ("upstreams.bridging", "wire.modern_out"):
        monkeypatch.setattr(f"lockgate.{place}.MOST_CLIENTS", 4)
    for place in ("guard.schemas.known", "policies.places"):
        monkeypatch.setattr(f"lockgate.{place}.MOST_TARGETS", 4)

    async def play() -> None:
        async with stage() as made:
            await made.rounds(2)
            first = made.count()
            await made.rounds(ROUNDS)
            last = made.count()
            # Lists that are being looked at afresh, and connections kept for the next call, may be
            # some more or less. Whatever a client leaves behind there are as many of as rounds.
            few = ROUNDS // 2
            assert last[0] <= first[0] + few, "tasks"
            assert last[1] <= first[1] + few, "descriptors"
            assert last[2] == first[2], "children"
            more = {name: n for name, n in (last[3] - first[3]).items() if n > few}
            assert not more, "objects"
            assert last[4] - first[4] < RSS_MARGIN, "memory"
        gc.collect()
        assert len(asyncio.all_tasks()) == 1
        assert not children() - before

    assert ROUNDS * len(CASES) >= 1000
    before = children()
    run(play())
    assert not [one.getMessage() for one in caplog.records if one.name == "asyncio"]
