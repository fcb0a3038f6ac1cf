"""The clients of a storm that are not done with one request: they listen, or are asked something.

Must not know: how the gateway runs.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.chaos import parkers
from tests.chaos.parkers import Parker, Parkers
from tests.chaos.storm import ENDING, NOT_SENT, OF_TROUBLE, Fleet, eventually
from tests.chaos.watchers import Watcher, Watchers

WATCHERS = 8
PARKERS = 8
RECOVERY = 60.0
ERAS = "ML"
OF_PARKED = OF_TROUBLE | {"unknown-request-state"}
"""A server that ends its session ends the calls that wait there, and their states are no more."""


class Company:
    """Clients of both kinds and both eras."""

    def __init__(
        self, port: int, servers: Fleet, seed: int, leaves: float = 0.05, restless: bool = True
    ) -> None:
        """`leaves`: how often who is asked goes away; `restless`: some close streams."""
        self._restless = restless
        self._port = port
        self._fleet = servers
        self._seed = seed
        self._leaves = leaves
        self.watchers = Watchers([], servers.http, seed)
        self.parkers = Parkers([], list(servers.all), seed)
        self._parkers: list[Parker] = []

    async def arrive(self) -> None:
        """Open all of them; from now on streams are listened to."""
        listening = [
            Watcher(number, ERAS[number % 2], self._port, self._restless and number % 4 >= 2)
            for number in range(WATCHERS)
        ]
        for one in listening:
            await one.open()
        self._parkers = [Parker(n, ERAS[n % 2], self._port) for n in range(PARKERS)]
        for one in self._parkers:
            await one.open()
        self.watchers = Watchers(listening, self._fleet.http, self._seed)
        self.watchers.start()
        await self.streams_deliver()

    def begin(self) -> None:
        """Have calls made that are asked about, until all is well again."""
        self.parkers = Parkers(self._parkers, list(self._fleet.all), self._seed)
        self.parkers.leaves = self._leaves
        self.parkers.start()
        self.watchers.unrest()

    def raise_problems(self) -> None:
        """Raise what a client met that must not be."""
        self.watchers.raise_problems()
        self.parkers.raise_problems()

    async def recovered(self, servers: Collection[str] | None = None) -> None:
        """All is well: streams bring what servers say, and calls that ask are answered.

        `servers`: those whose streams count, if not all do. A gateway with its usual pauses takes
        up streams of a server that was in trouble minutes after that.
        """
        await self.parkers.stop()
        await self.streams_deliver(servers)
        await eventually(self.parkers.all_work, RECOVERY, "every server's question is answered")

    async def streams_deliver(self, servers: Collection[str] | None = None) -> None:
        """Every stream brings what every server, or each of these, says after this."""
        told = self.watchers.told()
        since = {name: told[name] for name in told if servers is None or name in servers}
        missing: list[str] = []

        async def delivered() -> bool:
            self.watchers.raise_problems()
            self.watchers.rest()
            missing[:] = self.watchers.deliver(since)
            return not missing

        try:
            await eventually(delivered, RECOVERY, "every stream brings what every server says")
        except AssertionError:
            raise AssertionError(f"streams that bring nothing: {missing}") from None

    def check(self, interrupted: bool = False, stopped: bool = False) -> None:
        """Everything that holds of them in every storm; see `Verdict`."""
        well = set(self._fleet.well)
        self.watchers.check(well, interrupted)
        runs = self._fleet.runs()
        reasons = OF_PARKED | ({"parked-elsewhere"} if interrupted else set[str]())
        reasons |= ENDING if stopped else set[str]()
        parkers.check(self.parkers.book, runs, well, reasons, NOT_SENT, interrupted, stopped)

    async def leave(self) -> None:
        """End every stream."""
        await self.watchers.stop()

    def summary(self) -> str:
        """For people who look into it."""
        return f"{parkers.summary(self.parkers.book)}; {self.watchers.summary()}"
