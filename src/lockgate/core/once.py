"""What may be used once: numbers given out by a process, and names among all who share a store.

Must not know: what they stand for. Both callers and their numbers are bounded, so whoever takes
many loses the oldest of its own first; a number that is gone is as good as used.
"""

from __future__ import annotations

from itertools import count
from os import urandom
from typing import Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import Rate
from lockgate.core.store import Counters, Demand

PER_OWNER: Final = 64
TOTAL: Final = 4096


async def first(counters: Counters, name: str, seconds: float) -> bool:
    """Whether nobody has used `name` before; it counts as used from now on, for so many seconds.

    Counted, which every store does atomically for all who share it; so it needs no more than that.

    Raises:
        StoreGone: nobody can tell.
    """
    rate = Rate(1, int(seconds) + 1)
    return (await counters.take((Demand(name, (rate,)),))).wait == 0


class Once:
    """Numbers of one process; `process` tells them from another's.

    With a store, what was used is known to all who share it, and each takes the others' numbers;
    nothing is kept here. Without one, a process takes none but its own.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM,
        store: Counters | None = None,
        *,
        per_owner: int = PER_OWNER,
        total: int = TOTAL,
    ) -> None:
        self.process: Final = urandom(8)
        self._store = store
        self._now = clock.monotonic
        self._per_owner = per_owner
        self._total = total
        self._numbers = count(1)
        self._given: dict[int, tuple[str, float]] = {}

    def __len__(self) -> int:
        """How many are neither used nor gone."""
        return len(self._given)

    def give(self, owner: str, seconds: float) -> int:
        """A number that `owner` may use within so many seconds.

        With a store, whoever gives it has to see to the time and to the owner.
        """
        if self._store is not None:
            return next(self._numbers)
        now = self._now()
        mine = [number for number, (whose, _) in self._given.items() if whose == owner]
        gone = [number for number, (_, until) in self._given.items() if until <= now]
        gone += mine[: max(0, len(mine) - self._per_owner + 1)]
        gone += list(self._given)[: max(0, len(self._given) - self._total + 1)]
        for number in gone:
            self._given.pop(number, None)
        number = next(self._numbers)
        self._given[number] = owner, now + seconds
        return number

    async def use(self, process: bytes, number: int, seconds: float) -> bool:
        """Use it up; False: it was never given here, is used, or its time is over.

        Args:
            process: whose it is.
            number: what `give` gave there.
            seconds: how long it can have been good for.

        Raises:
            StoreGone: nobody can tell.
        """
        if self._store is not None:
            return await first(self._store, f"once:{process.hex()}:{number}", seconds)
        if process != self.process:
            return False
        given = self._given.pop(number, None)
        return given is not None and self._now() < given[1]
