"""Clients that listen through a storm: to a listen stream, or to a session's GET stream.

Must not know: the gateway's inside, schedules. Every server numbers what it tells; each watcher
writes down which numbers it heard on which stream, and how each stream ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

from lockgate.core.codes import ENTRIES
from tests.bridge.clients import Client, Stream
from tests.chaos.http_server import UPDATED, TroubledServer

Json = dict[str, Any]
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
AGAIN = 0.5
"""Seconds after which a client that lacks something asks again."""
EVERY = 0.1
"""Seconds between two things a server tells."""


@dataclass
class Heard:
    """One stream: what was told, by server, and how it ended.

    end  `open`; `left`, by the client; `ended`, with what says so; `cut`.
    """

    numbers: dict[str, list[int]] = field(default_factory=dict)
    end: str = "open"


class Watcher:
    """One client; a restless one closes its stream now and then, and opens another."""

    def __init__(self, number: int, era: str, port: int, restless: bool) -> None:
        self.number = number
        self.restless = restless
        self.streams: list[Heard] = []
        self.refused: Counter[str] = Counter()
        self.lacks = False
        self._client = Client(port, era)
        self._subscribed: set[str] = set()
        self._stream: Stream | None = None
        self._since = 0.0

    async def open(self) -> Watcher:
        """Shake hands, where the era has that."""
        await self._client.open()
        self._hang_up()
        return self

    # `lacks`: the stream was opened without some of what it was to be told of, and says so.

    @property
    def age(self) -> float:
        """How long the newest stream has been open."""
        return asyncio.get_running_loop().time() - self._since

    def latest(self, server: str) -> int:
        """The last number heard of a server, on the stream that is open."""
        if not self.streams or self.streams[-1].end != "open":
            return -1
        return max(self.streams[-1].numbers.get(server, [-1]))

    async def listen(self, uris: Sequence[str]) -> None:
        """Open a stream and hear it to its end."""
        try:
            stream = await self._begin(uris)
        except (OSError, EOFError):
            self.refused["gone"] += 1
            self._subscribed.clear()
            self._hang_up()
            await asyncio.sleep(0.05)
            return
        if stream is None:
            await asyncio.sleep(0.05)
            return
        heard = Heard()
        self.streams.append(heard)
        self._stream = stream
        self._since = asyncio.get_running_loop().time()
        last: Json = {}
        while (message := await stream.next()) is not None:
            last = message
            if message.get("method") == ACKNOWLEDGED:
                honoured = message["params"]["notifications"].get("resourceSubscriptions", [])
                self.lacks = set(honoured) < set(uris)
            if message.get("method") == UPDATED and "n" in message["params"]:
                server = message["params"]["uri"].removeprefix("note://")
                heard.numbers.setdefault(server, []).append(message["params"]["n"])
        if heard.end == "open":
            heard.end = self._end(stream, last)
        self._stream = None
        self._hang_up()

    def _end(self, stream: Stream, last: Json) -> str:
        if stream.cut:
            self._subscribed.clear()
            return "cut"
        if self._client.modern:
            if "error" in last:
                self._typed(last["error"])
            elif last.get("result", {}).get("resultType") != "complete":
                return f"without a result: {last}"
        return "ended"

    def leave(self) -> None:
        """Close the stream that is open."""
        if self._stream is not None and self.streams[-1].end == "open":
            self.streams[-1].end = "left"
            self._stream.close()

    async def _begin(self, uris: Sequence[str]) -> Stream | None:
        client = self._client
        self.lacks = False
        if client.modern:
            params = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": [*uris]}}
            message = {"id": client.ids(), "method": "subscriptions/listen", "params": params}
            stream = await client.post({"jsonrpc": "2.0", **message})
            if stream.headers.get("content-type", "").startswith("text/event-stream"):
                return stream
            await self._refused(stream)
            return None
        stream = await client.exchange("GET", b"", {"Accept": "text/event-stream"})
        if stream.status != 200:
            await self._refused(stream)
            return None
        for uri in set(uris) - self._subscribed:
            begun = await client.begin("resources/subscribe", {"uri": uri})
            if begun.response is not None and "error" in begun.response:
                self._typed(begun.error)
            elif begun.response is not None:
                self._subscribed.add(uri)
            if begun.stream is not None:
                begun.stream.close()
                client.streams.remove(begun.stream)
        self.lacks = not set(uris) <= self._subscribed
        return stream

    async def _refused(self, stream: Stream) -> None:
        message = await stream.next()
        if stream.cut:
            raise EOFError
        assert message is not None, f"refused without a word: {stream.status} {stream.headers}"
        if message.get("result", {}).get("resultType") == "complete":
            self.refused["ended at once"] += 1  # as streams end that a gateway ends
            return
        assert "error" in message, f"{stream.status} {stream.headers} {message}"
        self._typed(message["error"])

    def _typed(self, error: Json) -> None:
        reason = error["data"]["reason"]
        assert error["data"]["code"] == ENTRIES[reason].code, error
        self.refused[reason] += 1

    def _hang_up(self) -> None:
        self._client.close()
        self._client.streams.clear()


class Watchers:
    """Some such clients, and servers that tell them something all the time."""

    def __init__(
        self, clients: Sequence[Watcher], servers: Sequence[TroubledServer], seed: int
    ) -> None:
        self.clients = clients
        self._servers = servers
        self._uris = [one.uri for one in servers]
        self._seed = seed
        self._stopping = False
        self._restless = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        work = [self._listen(one) for one in self.clients]
        work += [self._fidget(one) for one in self.clients if one.restless]
        self._tasks = [asyncio.create_task(one) for one in [*work, self._tell()]]

    def raise_problems(self) -> None:
        """Raise what a client met that must not be."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Leave."""
        self._stopping = True
        for one in self.clients:
            one.leave()
        await asyncio.gather(*self._tasks)

    async def _listen(self, watcher: Watcher) -> None:
        while not self._stopping:
            await watcher.listen(self._uris)

    async def _fidget(self, watcher: Watcher) -> None:
        chance = Random(f"{self._seed} watcher {watcher.number}")  # noqa: S311 - no secret
        while not self._stopping:
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            if self._restless:
                watcher.leave()

    def unrest(self) -> None:
        """Restless clients are so from now on."""
        self._restless = True

    def rest(self) -> None:
        """All stay where they are, or open one more stream if that one lacks something."""
        self._restless = False
        for one in self.clients:
            if one.lacks and one.age > AGAIN:
                one.leave()

    async def _tell(self) -> None:
        while not self._stopping:
            for one in self._servers:
                one.publish()
            await asyncio.sleep(EVERY)

    def deliver(self, since: dict[str, int]) -> list[str]:
        """Which streams have not told what these servers said after those numbers."""
        return [
            f"{one.number} {server}"
            for one in self.clients
            for server, number in since.items()
            if one.latest(server) <= number
        ]

    def told(self) -> dict[str, int]:
        """The number of what each server told last."""
        return {one.name: one.published for one in self._servers}

    def check(self, well: Collection[str], interrupted: bool = False) -> None:
        """What holds of streams in every storm."""
        for one in self.clients:
            for heard in one.streams:
                allowed = {"open", "left", "ended", *(["cut"] if interrupted else [])}
                assert heard.end in allowed, (one.number, heard.end)
                for server, numbers in heard.numbers.items():
                    odd = [pair for pair in pairwise(numbers) if pair[0] >= pair[1]]
                    assert not odd, f"twice, or late: {server} {odd}"
                    if server in well:
                        every = list(range(numbers[0], numbers[-1] + 1))
                        assert numbers == every, f"{one.number} lost some of {server}: {numbers}"

    def summary(self) -> str:
        """For people who look into it."""
        ends = Counter(heard.end for one in self.clients for heard in one.streams)
        refused = sum((one.refused for one in self.clients), Counter[str]())
        heard = sum(len(n) for one in self.clients for h in one.streams for n in h.numbers.values())
        return f"streams {dict(ends)}, refused {dict(refused)}, {heard} events"
