"""The store inside the process: nothing is shared, nothing survives, nothing fails.

Must not know: the event loop. Bounded in bytes; what was used longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import MICRO, Ledger, Taken, admit
from lockgate.core.store import Demand, Entry

OVERHEAD: Final = 256
"""What an entry costs beside its own bytes, roughly."""


class _Kept(NamedTuple):
    value: bytes
    expires: float
    groups: Sequence[str]
    size: int


class MemoryStore:
    """See `lockgate.core.store.Store`."""

    def __init__(
        self,
        clock: Clock = SYSTEM,
        *,
        max_bytes: int = 64 * 1024 * 1024,
        max_entry: int = 4 * 1024 * 1024,
        max_journal: int = 10_000,
        max_keys: int = 100_000,
    ) -> None:
        """An empty store.

        Args:
            clock: what ages are measured by.
            max_bytes: all blobs together, with their keys; the same again for the journal.
            max_entry: the largest blob or journal entry that is kept.
            max_journal: entries of one stream; there are at most 1000 streams.
            max_keys: callers that are counted each by themselves.
        """
        self._clock = clock
        self.bounds = max_bytes, max_entry
        self._max_bytes = max_bytes
        self._max_entry = max_entry
        self._max_journal = max_journal
        self._blobs: OrderedDict[str, _Kept] = OrderedDict()
        self._groups: dict[str, dict[str, None]] = {}
        self._streams: OrderedDict[str, deque[Entry]] = OrderedDict()
        self._number = 0
        self._journal_bytes = 0
        self._ledger = Ledger(max_keys)
        self.size = 0

    async def take(self, demands: Sequence[Demand], /) -> Taken:
        """See `Counters.take`."""
        now = int(self._clock.monotonic() * MICRO)
        ledger = self._ledger
        return admit([ledger.of((one.key, one.rates), one.rates, now) for one in demands], now)

    async def get(self, key: str, /) -> bytes | None:
        """See `Blobs.get`."""
        return self.peek(key)

    def peek(self, key: str, /) -> bytes | None:
        """As `get`, for who has no time to wait."""
        kept = self._blobs.get(key)
        if kept is None:
            return None
        if kept.expires <= self._clock.monotonic():
            self._forget(key)
            return None
        self._blobs.move_to_end(key)
        return kept.value

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """See `Blobs.put`."""
        self.keep(key, value, ttl, groups)

    def keep(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """As `put`, for who has no time to wait."""
        self._forget(key)
        size = len(key) + len(value) + sum(map(len, groups)) + OVERHEAD
        if ttl <= 0 or len(value) > self._max_entry or size > self._max_bytes:
            return
        self._blobs[key] = _Kept(value, self._clock.monotonic() + ttl, groups, size)
        for group in groups:
            self._groups.setdefault(group, {})[key] = None
        self.size += size
        while self.size > self._max_bytes:
            self._forget(next(iter(self._blobs)))

    def _forget(self, key: str) -> None:
        kept = self._blobs.pop(key, None)
        if kept is None:
            return
        self.size -= kept.size
        for group in kept.groups:
            members = self._groups.get(group)
            if members is not None:
                members.pop(key, None)
                if not members:
                    del self._groups[group]

    async def delete(self, key: str, /) -> None:
        """See `Blobs.delete`."""
        self._forget(key)

    async def drop(self, group: str, /) -> None:
        """See `Blobs.drop`."""
        for key in tuple(self._groups.get(group, ())):
            self._forget(key)

    async def append(self, stream: str, data: bytes, /) -> int:
        """See `Journal.append`."""
        self._number += 1
        if len(data) <= self._max_entry:
            entries = self._streams.setdefault(stream, deque())
            self._streams.move_to_end(stream)
            entries.append(Entry(self._number, data))
            self._journal_bytes += len(data) + OVERHEAD
            if len(entries) > self._max_journal:
                self._let_go(entries)
            while len(self._streams) > MOST_STREAMS or self._journal_bytes > self._max_bytes:
                self._shorten()
        return self._number

    def _shorten(self) -> None:
        """The oldest entry of the stream nobody has added to for longest."""
        name, entries = next(iter(self._streams.items()))
        self._let_go(entries)
        if not entries:
            del self._streams[name]

    def _let_go(self, entries: deque[Entry]) -> None:
        self._journal_bytes -= len(entries.popleft().data) + OVERHEAD

    async def read(self, stream: str, after: int = 0, most: int = 100, /) -> list[Entry]:
        """See `Journal.read`."""
        found = (entry for entry in self._streams.get(stream, ()) if entry.number > after)
        return [entry for entry, _ in zip(found, range(most), strict=False)]

    async def sweep(self) -> int:
        """See `Store.sweep`."""
        now = self._clock.monotonic()
        over = [key for key, kept in self._blobs.items() if kept.expires <= now]
        for key in over:
            self._forget(key)
        return len(over) + self._ledger.sweep(int(now * MICRO))

    async def close(self) -> None:
        """See `Store.close`."""
        self._blobs.clear()
        self._groups.clear()
        self._streams.clear()
        self.size = 0


MOST_STREAMS: Final = 1000
