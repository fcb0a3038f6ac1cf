"""What models are given, in tokens: of definitions and results, by tool, client and identity.

Must not know: how anything is shown, or what is made shorter and why.

On the path of a call bytes are added up, and nothing else. How many tokens those bytes are is found
by samples: the first result of each tool, and after that the one that is under way whenever another
256 KiB of the tool's results have passed, so that large ones count for what they are. Samples are
counted in a thread, each once, at most 64 KiB of it. Counts of bytes are exact; those of tokens are
as good as the samples, and as what counts them (`Ledger.exact`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from lockgate.context.spent import list_text, result_text
from lockgate.context.tokens import Count, counter
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.policy import Stage

MOST_CELLS: Final = 20_000
MOST_WAITING: Final = 64
EVERY: Final = 256 * 1024
LARGEST: Final = 64 * 1024
MOST_SAMPLES: Final = 1000
"""Of one tool; what is sampled later takes the place of an old half."""
OTHER: Final = "other"
LISTS: Final = ("", "tools/list")
GUESS: Final = 0.28
"""Tokens of a byte of JSON, before anything was counted."""

Thing = tuple[str, str]
"""A server and its tool, or `LISTS`."""

SAVED: Final[Counter[tuple[str, str]]] = Counter()
"""Bytes of results that were not sent, by server and by what saved them. Bounded by both."""


def saved(server: str, how: str, size: int) -> None:
    """So many bytes of a result were not sent."""
    SAVED[server, how] += size


class Cell(msgspec.Struct):
    """What one caller was given by one thing: how often, and how many bytes."""

    times: int = 0
    size: int = 0


class Rate(msgspec.Struct):
    """How many tokens a byte of one thing is. A sample counts for what it stands for."""

    passed: int = 0
    due: int = 0
    weight: float = 0.0
    total: float = 0.0

    @property
    def tokens(self) -> float | None:
        """Of a byte; None: nothing was counted yet."""
        return self.total / self.weight if self.weight else None

    def add(self, tokens: int, size: int, weight: float) -> None:
        """A sample was counted that stands for so many."""
        if self.weight >= MOST_SAMPLES:
            self.weight /= 2
            self.total /= 2
        self.weight += weight
        self.total += weight * tokens / max(size, 1)


class Ledger:
    """Everything that was given to models since the process began. Bounded."""

    def __init__(self, make: Callable[[], Count] = counter) -> None:
        """`make` gives what counts, once something is to be counted; it may take a moment."""
        self._make = make
        self._count: Count | None = None
        self.cells: dict[tuple[Thing, str, str], Cell] = {}
        self.rates: dict[Thing, Rate] = {}
        self._waiting: list[tuple[Thing, bytes, int]] = []
        self._counting: asyncio.Future[None] | None = None

    @property
    def exact(self) -> bool | None:
        """Whether tokens are counted by a vocabulary, not estimated; None: none were counted."""
        return None if self._count is None else self._count.exact

    def add(self, thing: Thing, call: Call, data: bytes) -> None:
        """Something was given to a caller."""
        key = thing, call.client.name, call.principal.id
        cell = self.cells.get(key)
        if cell is None:
            thing, cell = self._new(key)
        size = len(data)
        cell.times += 1
        cell.size += size
        rate = self.rates[thing]
        rate.passed += size
        if rate.passed >= rate.due and len(self._waiting) < MOST_WAITING:
            missed = (rate.passed - rate.due) // EVERY if rate.due else 0
            rate.due = rate.passed - rate.passed % EVERY + EVERY
            self._sample(thing, data, 1 + missed)

    def answered(self, role: str, call: Call, reply: Reply) -> None:
        """A tool of the gateway's own answered a caller."""
        if isinstance(reply, Result):
            self.add(("", role), call, reply.raw.received)

    def spared(self, call: Call, size: int) -> None:
        """So many bytes of a result that was added are not sent after all, but kept."""
        target = call.target
        if target is None:
            return
        saved(target.server, "preview", size)
        key = (target.server, target.name), call.client.name, call.principal.id
        cell = self.cells.get(key)
        if cell is not None:
            cell.size -= size

    def _new(self, key: tuple[Thing, str, str]) -> tuple[Thing, Cell]:
        thing, client, who = key
        if len(self.cells) >= MOST_CELLS:
            # Whoever makes up names costs nobody else a count.
            client, who = OTHER, OTHER
            if thing not in self.rates:
                thing = OTHER, OTHER
        self.rates.setdefault(thing, Rate())
        return thing, self.cells.setdefault((thing, client[:128], who), Cell())

    def _sample(self, thing: Thing, data: bytes, weight: int) -> None:
        self._waiting.append((thing, data, weight))
        self._begin()

    def _begin(self) -> asyncio.Future[None]:
        if self._counting is None or self._counting.done():
            loop = asyncio.get_running_loop()
            self._counting = loop.run_in_executor(None, self.settle)
        return self._counting

    async def settled(self) -> None:
        """Everything that was sampled is counted."""
        while self._waiting or not (self._counting is None or self._counting.done()):
            await self._begin()

    def settle(self) -> None:
        """Count what was sampled; in whatever thread."""
        count = self._count
        if count is None:
            count = self._count = self._make()
        while self._waiting:
            thing, data, weight = self._waiting.pop()
            text = list_text(data) if thing == LISTS else result_text(data)
            part = text[:LARGEST]
            tokens = round(count(part) * len(text) / len(part)) if part else 0
            self.rates[thing].add(tokens, len(data), weight)

    def rate(self, thing: Thing) -> float:
        """Tokens of a byte of a thing; where nothing was counted, of everything, or a guess."""
        known = self.rates.get(thing)
        if known is not None and known.tokens is not None:
            return known.tokens
        every = [one.tokens for one in self.rates.values() if one.tokens is not None]
        return sum(every) / len(every) if every else GUESS

    def tokens(self) -> dict[tuple[Thing, str, str], float]:
        """The tokens of every cell: by thing, client and identity."""
        rates = {thing: self.rate(thing) for thing in self.rates}
        return {key: cell.size * rates.get(key[0], GUESS) for key, cell in self.cells.items()}


class ResultLedger:
    """Adds up what tools answer, as it is sent. A lens that changes nothing."""

    name: ClassVar[str] = "ledger"
    stage: ClassVar[Stage] = Stage.PRESENT

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def inward(self, call: Call, /) -> Call | Failure:
        """See `lockgate.core.policy.Lens`."""
        return call

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See `lockgate.core.policy.Lens`."""
        target = call.target
        if isinstance(reply, Result) and target is not None:
            self._ledger.add((target.server, target.name), call, reply.raw.received)
        return reply

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"


class ListLedger:
    """Adds up the lists of tools that are sent. A lens of the edge that changes nothing."""

    name: ClassVar[str] = "ledger"
    stage: ClassVar[Stage] = Stage.ADMIT

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def inward(self, call: Call, /) -> Call | Failure:
        """See `lockgate.core.policy.Lens`."""
        return call

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See `lockgate.core.policy.Lens`."""
        if isinstance(reply, Result):
            self._ledger.add(LISTS, call, reply.raw.received)
        return reply

    def concerns(self, method: str) -> bool:
        """Lists of tools."""
        return method == "tools/list"
