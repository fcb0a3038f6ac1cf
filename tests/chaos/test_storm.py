"""A gateway in the test's own process through a storm, so that nothing can be left unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.core.cached import Counts
from lockgate.gateway.app import Gateway
from tests.chaos.callers import Caller, Load
from tests.chaos.company import Company
from tests.chaos.http_server import TroubledServer
from tests.chaos.keepers import KEYS, Ask, Keepers, as_client, as_principal
from tests.chaos.schedule import chosen_seconds, chosen_seed
from tests.chaos.storm import (
    OF_TROUBLE,
    TIMEOUT,
    Child,
    Fleet,
    Verdict,
    callers,
    eventually,
    fleet,
)
from tests.fronts.served import run
from tests.gateway.reloading import census
from tests.support.valkey import valkey

pytestmark = pytest.mark.xdist_group("chaos")
STORM = 3.0
RECOVERY = 80.0
"""Seconds: a server that died again and again is tried after pauses of up to half of this."""
LEFT = ("tasks", "descriptors", "children")
Json = dict[str, Any]
Beside = Callable[[], Awaitable[object]]


class Weather:
    """A gateway, its servers and its clients."""

    def __init__(
        self, servers: Fleet, gateway: Gateway, port: int, clients: list[Caller], seed: int
    ) -> None:
        self.servers = servers
        self.gateway = gateway
        self.port = port
        self.clients = clients
        self.others: list[Caller] = []
        self.seed = seed
        self.company = Company(port, servers, seed)
        self._direct: list[float] = []

    async def blow(self, beside: Beside | None = None, seconds: float = STORM) -> Verdict:
        """Calm, storm, and back; `beside` goes on during the storm."""
        self._direct.clear()
        load = Load(self.clients, list(self.servers.all), self.seed)
        load.start()
        self.company.begin()
        probes = [asyncio.ensure_future(self._past(one)) for one in self.servers.http[:2]]
        other = asyncio.ensure_future(beside()) if beside else None
        await self.servers.play(self.seed, chosen_seconds(seconds))
        load.check()
        self.company.raise_problems()
        if other is not None:
            await other
        for one in probes:
            one.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
        await eventually(self._recovered, RECOVERY, "all servers ready, all breakers closed")
        await load.stop()
        await self.company.recovered()
        await eventually(self._lists_are_whole, RECOVERY, "every client sees every tool")
        await eventually(self._everything_works, RECOVERY, "every tool of every server answers")
        verdict = Verdict(load, self.servers)
        past = sorted(self._direct)
        took = [round(past[int(len(past) * share)] * 1e3, 1) for share in (0.5, 0.9, 0.99)]
        print(f"seed {self.seed}: {verdict.summary()}; without the gateway {took}")
        print(self.company.summary())
        verdict.all()
        self.company.check()
        verdict.healthy_are_not_slower(self._direct)
        return verdict

    def counts(self, server: str) -> Counts:
        """What came of looking up answers of this server."""
        [found] = [one.cache for one in self.gateway.servers() if one.name == server]
        assert found is not None
        return found

    def found(self) -> int:
        """How many answers came out of the store."""
        cache = self.gateway.status().cache
        assert cache is not None
        return cache.hits["shared"]

    async def _past(self, server: TroubledServer) -> None:
        """Call a healthy server without the gateway, again and again."""
        client = Caller(0, server.era, server.port)
        loop = asyncio.get_running_loop()
        try:
            await client.open()
            while True:
                began = loop.time()
                await client.call(server.name, "act")
                self._direct.append(loop.time() - began)
                await asyncio.sleep(0.03)
        finally:
            client.close()

    async def _recovered(self) -> bool:
        states = self.gateway.servers()
        return all(one.phase == "ready" and one.breaker == "closed" for one in states)

    async def _lists_are_whole(self) -> bool:
        tools = {f"{name}__act" for name in self.servers.all}
        return all([tools <= await one.list_tools() for one in self.clients[:8]])

    async def _everything_works(self) -> bool:
        asked = [(one, server) for one in self.clients[:8] for server in self.servers.all]
        return all([(await one.call(server, "act")).kind == "result" for one, server in asked])


def _open_files() -> list[str]:
    found = [one for one in Path("/proc/self/fd").iterdir() if one.exists() or one.is_symlink()]
    return sorted(f"{one.name} {one.readlink()}" for one in found if one.is_symlink())


def config_of(servers: Fleet, **settings: Any) -> Config:
    """A configuration of these servers."""
    return Config.model_validate(
        {"servers": servers.entries(), "lockgate": {"naming": "prefix", **settings}}
    )


async def _guarded(folder: Path) -> None:
    """Have what watches over children started: there is one for each process, until it ends."""
    gateway = Gateway(Config.model_validate({"servers": {"first": Child("first", folder).entry}}))
    await gateway.start()
    assert await gateway.settled(60)
    await gateway.stop(1)


Play = Callable[[Weather], Awaitable[None]]


async def weather(folder: Path, play: Play, seed: int, **settings: Any) -> None:
    """A gateway with everything around it, from nothing to nothing."""
    await _guarded(folder)
    before = census()
    async with fleet(folder) as servers:
        gateway = Gateway(config_of(servers, **settings))
        clients: list[Caller] = []
        others: list[Caller] = []
        try:
            await gateway.start()
            assert await gateway.settled(60)
            [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
            clients += await callers(port)
            storm = Weather(servers, gateway, port, clients, seed)
            others = storm.others
            await storm.company.arrive()
            await play(storm)
            await storm.company.leave()
        finally:
            for client in [*clients, *others]:
                client.close()
            await gateway.stop(1)
    del gateway, clients, others, storm

    async def nothing_left() -> bool:
        now = census()
        return all(now[key] <= before[key] for key in LEFT)

    try:
        await eventually(nothing_left, 5, "nothing is left behind")
    except AssertionError:
        now = census()
        assert {k: now[k] for k in LEFT} == {k: before[k] for k in LEFT}, _open_files()


def test_a_storm() -> None:
    async def play(w: Weather) -> None:
        await w.blow()

    storm(play, 1)


def test_storms_leave_nothing_that_grows() -> None:
    async def play(w: Weather) -> None:
        kept: list[dict[str, int]] = []
        for _ in range(3):
            await w.blow(seconds=1.5)
            await asyncio.sleep(0.2)
            kept.append(census())
        # The first fills pools and caches; from then on it is the same again and again.
        for name in kept[2]:
            most = max(kept[0].get(name, 0), kept[1].get(name, 0))
            assert kept[2][name] <= most * 1.5 + 64, (name, kept)

    storm(play, 2)


def test_a_storm_while_the_store_is_killed_and_comes_back() -> None:
    """Rates are counted and answers are kept there; memory before it holds but a few of those."""
    with valkey() as store:

        async def play(w: Weather) -> None:
            kept = Keepers(await asking(w), list(w.servers.all), w.seed)

            async def beside() -> None:
                for number in range(2):
                    await asyncio.sleep(1)
                    store.kill()
                    await asyncio.sleep(0.2)  # for what it has said already
                    await misses_are_calls(w, kept, f"outage {number}")
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(store.start)

            kept.start()
            await w.blow(beside, seconds=3.5)
            await eventually(lambda: hits_again(w, kept), RECOVERY, "the store gives what it keeps")
            await kept.stop()
            kept.check(w.servers.well, OF_TROUBLE)
            for server in w.servers.http[:2]:
                # Nothing was asked of a server that is not counted as a miss, or twice for one.
                asked = sum(n for key, n in server.runs.items() if key.startswith(KEPT))
                assert asked == w.counts(server.name).misses

        cache = {"memory_bytes": 16 * 1024, "entry_bytes": 4096}
        storm(play, 3, store=store.url, rate={"total": ["1000000/min"]}, cache=cache)


KEPT = ("key ", "outage ")


async def asking(w: Weather) -> list[tuple[str, Ask]]:
    """Callers in contexts of their own, but for two who are nobody and share what is kept."""
    old = [await Caller(2001 + n, "handshake", w.port).open() for n in range(4)]
    new = [Caller(2101 + n, "modern", w.port) for n in range(2)]
    w.others += [*old, *new]
    each: list[tuple[str, Ask]] = [(f"session {one.number}", as_client(one)) for one in old]
    each += [("nobody", as_client(one)) for one in new]
    return each + [(who, as_principal(w.gateway, who)) for who in ("ann", "bob")]


async def misses_are_calls(w: Weather, kept: Keepers, word: str) -> None:
    """While the store is away: what is not in memory is asked of the server, and succeeds."""
    names = [one.name for one in w.servers.http[:2]]
    before = {name: w.counts(name).misses for name in names}
    found = w.found()
    for name in names:
        for number in range(len(kept.asking)):
            told = await kept.ask(number, name, f"{word} {number}")
            assert told.kind == "result", told
        assert w.counts(name).misses >= before[name] + len(kept.asking)
    assert w.found() == found, "found where nothing is"


async def hits_again(w: Weather, kept: Keepers) -> bool:
    """Whether, now that it is back, answers come out of the store."""
    found = w.found()
    for number in range(len(kept.asking)):
        for key in range(KEYS):
            await kept.ask(number, w.servers.well[-1], f"key {key}")
    return w.found() > found


def test_a_storm_while_the_configuration_changes_each_second() -> None:
    async def play(w: Weather) -> None:
        async def beside() -> None:
            for number in range(5):
                await asyncio.sleep(1)
                entries = w.servers.entries()
                # One that is in trouble is told something else, and one is new or gone.
                entries["wild-modern2"]["timeout"] = TIMEOUT + number / 10
                if number % 2:
                    entries["more"] = w.servers.more.entry
                await w.gateway.reload(
                    Config.model_validate({"servers": entries, "lockgate": {"naming": "prefix"}})
                )

        await w.blow(beside)

    storm(play, 4)


def storm(play: Play, seed: int, **settings: Any) -> None:
    """One test: a world of its own, in a folder of its own, bounded in time."""
    seed = chosen_seed(seed)
    print(f"to have the same storm again: LOCKGATE_CHAOS_SEED={seed}")
    with TemporaryDirectory() as folder, quiet():
        run(weather(Path(folder), play, seed, **settings), 220 + chosen_seconds(0))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log, whose records pytest would format and keep by the thousand."""
    log = logging.getLogger("lockgate")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
