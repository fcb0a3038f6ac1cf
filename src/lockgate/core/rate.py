"""Rates, and the meters that hold to them: how much, how often, and when again.

Must not know: who is metered, where meters are kept, event loops.

    | written        | meter  | admits                                                           |
    |----------------|--------|------------------------------------------------------------------|
    | `1000/day`     | Window | never more than 1000 in any 24 hours, wherever these begin       |
    | `10/s burst 20`| Bucket | 20 at once, then 10 a second: in any t seconds at most 20 + 10 t |

A meter is asked `wait` and told `take`, both with the time in whole microseconds: whole numbers are
exact here, in SQLite and in the scripts of a Redis server, so that one call is judged alike in all.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

MICRO: Final = 1_000_000
GRAINS: Final = 128
"""In a window of more than 128 calls, those that come closer than a 128th of it are remembered as
one moment, their last: so it needs little memory, and errs toward refusing, by less than one
percent of its length. A window of fewer is exact.
"""
UNITS: Final = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "week": 7 * 86400,
}
PATTERN: Final = (
    r"^\s*\d{1,9}\s*/\s*\d{0,4}\s*(s|sec|second|m|min|minute|h|hour|d|day|week)s?"
    r"(\s*,?\s*burst\s+\d{1,9})?\s*$"
)
_written: Final = re.compile(r"(\d+)/(\d*)([a-z]+?)s?(?:,?burst(\d+))?")


class Rate(msgspec.Struct, frozen=True):
    """At most `limit` in `seconds`; with `burst`, a bucket that holds so many.

    text  as it was written, for messages.
    """

    limit: int
    seconds: int
    burst: int | None = None
    text: str = ""

    @property
    def interval(self) -> int:
        """Microseconds between two admissions of a bucket that is empty, rounded up."""
        return -(-self.seconds * MICRO // self.limit)

    @property
    def period(self) -> int:
        """The window's length in microseconds."""
        return self.seconds * MICRO


def parse(text: str) -> Rate:
    """A rate as people write it: `10/s`, `10/s burst 20`, `1000/day`, `5/10s`.

    Raises ValueError for anything else.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError("write a rate as 10/s, 100/min, 1000/day, or 10/s burst 20")
    found = _written.fullmatch(re.sub(r"\s+", "", text))
    if found is None or found[3] not in UNITS:
        raise ValueError("write a rate as 10/s, 100/min, 1000/day, or 10/s burst 20")
    limit, seconds = int(found[1]), int(found[2] or 1) * UNITS[found[3]]
    burst = None if found[4] is None else int(found[4])
    if limit < 1 or seconds < 1 or burst == 0:
        raise ValueError("a rate of nothing admits nobody; disable what nobody may call")
    return Rate(limit, seconds, burst, " ".join(text.split()))


class Meter(Protocol):
    """One rate applied to one caller."""

    def wait(self, now: int, /) -> int:
        """Microseconds until one more is admitted if nobody comes in between; 0: now."""
        ...

    def take(self, now: int, /) -> None:
        """One was admitted."""
        ...

    def idle(self, now: int, /) -> bool:
        """Whether a new meter would behave as this one does from now on."""
        ...

    def dump(self) -> list[int]:
        """The state, for `restored`."""
        ...


class Bucket:
    """Fills at its rate up to `burst`; the generic cell rate algorithm, so one number is kept."""

    __slots__ = ("_due", "_interval", "_room")

    def __init__(self, rate: Rate) -> None:
        self._interval = rate.interval
        self._room = self._interval * ((rate.burst or 1) - 1)
        self._due = 0

    def wait(self, now: int, /) -> int:
        """See `Meter.wait`."""
        over = self._due - now - self._room
        return max(0, over)

    def take(self, now: int, /) -> None:
        """See `Meter.take`."""
        self._due = (max(now, self._due)) + self._interval

    def idle(self, now: int, /) -> bool:
        """See `Meter.idle`."""
        return self._due <= now

    def dump(self) -> list[int]:
        """See `Meter.dump`."""
        return [self._due]

    def load(self, state: Sequence[int], now: int) -> None:
        """Take over what `dump` gave; no fuller than it can be now, in case a clock went back."""
        (due,) = state
        self._due = min(due, now + self._room + self._interval)


class Window:
    """A sliding window: what was admitted, as at most 130 moments with their counts.

    Each moment is [its first, its last, how many], flat in one list, the oldest first.
    """

    __slots__ = ("_grain", "_limit", "_log", "_period", "_total")

    def __init__(self, rate: Rate) -> None:
        self._limit = rate.limit
        self._period = rate.period
        self._grain = rate.period // GRAINS if rate.limit > GRAINS else 0
        self._log: list[int] = []
        self._total = 0

    def wait(self, now: int, /) -> int:
        """See `Meter.wait`."""
        if self._total < self._limit:
            return 0
        self._forget(now)
        if self._total < self._limit:
            return 0
        return self._log[1] + self._period - now

    def _forget(self, now: int) -> None:
        log, gone = self._log, 0
        while gone < len(log) and log[gone + 1] + self._period <= now:
            self._total -= log[gone + 2]
            gone += 3
        if gone:
            del log[:gone]

    def take(self, now: int, /) -> None:
        """See `Meter.take`."""
        log = self._log
        self._total += 1
        if log and now - log[-3] < self._grain:
            log[-2] = max(log[-2], now)
            log[-1] += 1
        else:
            self._forget(now)
            log += (now, now, 1)

    def idle(self, now: int, /) -> bool:
        """See `Meter.idle`."""
        self._forget(now)
        return not self._log

    def dump(self) -> list[int]:
        """See `Meter.dump`."""
        return self._log

    def load(self, state: Sequence[int], now: int) -> None:
        """Take over what `dump` gave; nothing of it later than now, in case a clock went back."""
        if len(state) % 3 or any(count < 1 for count in state[2::3]):
            raise ValueError("not the state of a window")
        self._log = list(state)
        self._log[1::3] = [min(last, now) for last in self._log[1::3]]
        self._total = sum(self._log[2::3])


def meter(rate: Rate) -> Bucket | Window:
    """A new meter for a rate."""
    return Window(rate) if rate.burst is None else Bucket(rate)


_state: Final = msgspec.msgpack.Decoder(list[int]).decode
_pack: Final = msgspec.msgpack.Encoder().encode


def restored(rate: Rate, state: object, now: int) -> Bucket | Window:
    """The meter `packed` gave the state of; a new one when that state is none."""
    made = meter(rate)
    if isinstance(state, bytes):
        try:
            made.load(_state(state), now)
        except (msgspec.MsgspecError, ValueError):
            return meter(rate)
    return made


def packed(one: Meter) -> bytes:
    """A meter's state as bytes."""
    return _pack(one.dump())


class Taken(NamedTuple):
    """What asking to be admitted came to.

    wait    seconds until it would be admitted, if nobody comes in between; 0.0: it was.
    demand  which of the demands it has to wait for longest, and
    rate    which of that demand's rates.
    """

    wait: float
    demand: int = 0
    rate: int = 0


ADMITTED: Final = Taken(0.0)


def seconds(wait: int) -> float:
    """A wait in microseconds as clients are told it; see `lockgate.core.clock.enough`."""
    return (wait // 1000 + 1) / 1000 if wait else 0.0


class Ledger:
    """Meters of many callers, at most `most` of them.

    When there are more, those that are idle are forgotten; callers there is still no room for share
    one set of meters, for forgetting a busy one would admit its caller anew.
    """

    __slots__ = ("_meters", "_most", "_shared", "_swept")

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._meters: dict[Hashable, tuple[Meter, ...]] = {}
        self._shared: dict[tuple[Rate, ...], tuple[Meter, ...]] = {}
        self._swept = 0

    def __len__(self) -> int:
        """How many callers have meters of their own."""
        return len(self._meters)

    def of(self, key: Hashable, rates: tuple[Rate, ...], now: int) -> tuple[Meter, ...]:
        """The meters of one caller, one for each rate."""
        found = self._meters.get(key)
        return self._new(key, rates, now) if found is None else found

    def _new(self, key: Hashable, rates: tuple[Rate, ...], now: int) -> tuple[Meter, ...]:
        made = tuple(meter(rate) for rate in rates)
        if len(self._meters) >= self._most:
            # Not for each of very many callers: looking at all costs as much as there are.
            if now - self._swept >= MICRO:
                self.sweep(now)
            if len(self._meters) >= self._most:
                return self._shared.setdefault(rates, made)
        self._meters[key] = made
        return made

    def sweep(self, now: int) -> int:
        """Forget whoever is as good as new; returns how many these were."""
        self._swept = now
        idle = [key for key, held in self._meters.items() if all(one.idle(now) for one in held)]
        for key in idle:
            del self._meters[key]
        return len(idle)


def admit(demands: Sequence[tuple[Meter, ...]], now: int) -> Taken:
    """All the meters let one more in, and count it; or none of them does."""
    worst, which = 0, (0, 0)
    for position, held in enumerate(demands):
        for number, one in enumerate(held):
            wait = one.wait(now)
            if wait > worst:
                worst, which = wait, (position, number)
    if worst:
        return Taken(seconds(worst), *which)
    for held in demands:
        for one in held:
            one.take(now)
    return ADMITTED


__all__ = [
    "ADMITTED",
    "Bucket",
    "Ledger",
    "Meter",
    "Rate",
    "Taken",
    "Window",
    "admit",
    "meter",
    "packed",
    "parse",
    "restored",
    "seconds",
]
