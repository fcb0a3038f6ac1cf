"""Would a limit that finds itself beat one that is written down: `python -m bench.adaptive`.

Must not know: the gateway. A simulation without real time: one server that shares itself among
the calls it has (`cores` of them at full speed, and each one more costs all of them something),
callers that give up after `PATIENCE` seconds, and ways to decide how many calls it gets at once.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

CORES = 16
THRASH = 0.02
PATIENCE = 5.0
SECONDS = 120.0
WAITING = 1024


class Fixed:
    """What is written down, as the bulkhead has it."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def learn(self, seconds: float, running: int) -> None:
        """Nothing."""


class Aimd(Fixed):
    """One more for each round of answers in time, a tenth less for each that was late."""

    def __init__(self, late: float) -> None:
        super().__init__(32)
        self._late = late

    def learn(self, seconds: float, running: int) -> None:
        """By one answer."""
        if seconds > self._late:
            self.limit = max(1.0, self.limit * 0.9)
        elif running * 2 >= self.limit:
            self.limit = min(256.0, self.limit + 1 / self.limit)


class Gradient(Fixed):
    """By how the latest answers compare with those of long."""

    def __init__(self) -> None:
        super().__init__(32)
        self._long = 0.0

    def learn(self, seconds: float, running: int) -> None:
        """By one answer."""
        self._long = self._long + (seconds - self._long) / 600 if self._long else seconds
        gradient = max(0.5, min(1.0, 1.5 * self._long / seconds))
        if running * 2 >= self.limit:
            wanted = self.limit * gradient + self.limit**0.5
            self.limit = max(4.0, min(256.0, 0.8 * self.limit + 0.2 * wanted))


def simulate(
    way: Fixed, rate: float, work: Callable[[Random], float], cores: int
) -> tuple[float, float]:
    """Answers in time as a share of what comes in, and their 99th percentile in seconds."""
    chance = Random(11)  # noqa: S311 - a simulation that is the same each time
    now = virtual = 0.0
    comes = chance.expovariate(rate)
    waiting: deque[tuple[float, float]] = deque()
    running: list[tuple[float, float, float]] = []
    times: list[float] = []
    arrived = 0
    while now < SECONDS:
        count = len(running)
        speed = min(1.0, cores / max(1, count)) / (1 + THRASH * max(0, count - cores))
        ends = now + (running[0][0] - virtual) / speed if running else SECONDS * 2
        if comes < ends:
            virtual, now = virtual + (comes - now) * speed, comes
            comes += chance.expovariate(rate)
            arrived += 1
            if len(waiting) < WAITING:
                waiting.append((now, work(chance)))
        else:
            virtual, now = running[0][0], ends
            _, came, began = heapq.heappop(running)
            way.learn(now - began, count)
            if now - came <= PATIENCE:
                times.append(now - came)
        while waiting and len(running) < max(1, int(way.limit)):
            came, needed = waiting.popleft()
            # Whoever has given up is not sent.
            if now - came < PATIENCE:
                heapq.heappush(running, (virtual + needed, came, now))
    times.sort()
    return len(times) / arrived, times[int(0.99 * len(times))] if times else PATIENCE


def alike(chance: Random) -> float:
    """Every tool takes about as long."""
    return chance.expovariate(1 / 0.05)


def mixed(chance: Random) -> float:
    """One call in twenty is of a tool that takes 50 times as long; the mean is near the same."""
    return chance.expovariate(1 / 0.75) if chance.random() < 0.05 else chance.expovariate(1 / 0.015)


WAYS: Sequence[tuple[str, Callable[[], Fixed]]] = (
    ("256, the default", lambda: Fixed(256)),
    (f"{CORES}, told so", lambda: Fixed(CORES)),
    ("32, about right", lambda: Fixed(32)),
    ("AIMD, late is 0.25 s", lambda: Aimd(0.25)),
    ("gradient", Gradient),
)


def main() -> None:
    """Simulate and print."""
    loads, wide = (0.5, 0.9, 1.2, 2.0), (1.0, 4.0, 8.0, 12.0)
    cases = (
        ("tools alike", alike, 0.05, CORES, loads),
        ("tools mixed", mixed, 0.05175, CORES, loads),
        ("mixed, never full", mixed, 0.05175, 100_000, wide),
    )
    for title, work, mean, cores, loads in cases:
        print(f"{title:24}" + "".join(f"{f'load {load:g}':>18}" for load in loads))
        for name, make in WAYS:
            found = [simulate(make(), load * CORES / mean, work, cores) for load in loads]
            print(f"{name:24}" + "".join(f"{good:9.1%}{tail:7.2f} s" for good, tail in found))


if __name__ == "__main__":
    main()
