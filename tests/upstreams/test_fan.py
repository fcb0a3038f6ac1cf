"""One notification to many: everybody, in order, and not all in one turn of the loop."""

from __future__ import annotations

import asyncio

from lockgate.core.message import Emit, Notification
from lockgate.upstreams.fan import MOST_WAITING, SLICE, Fan

MANY = 10 * SLICE


class Crowd:
    """Hears everything; `heard` by number of the listener."""

    def __init__(self, size: int) -> None:
        self.heard: list[list[str]] = [[] for _ in range(size)]
        self.emits = [self._emit(number) for number in range(size)]

    def _emit(self, number: int) -> Emit:
        def emit(notification: Notification) -> None:
            self.heard[number].append(notification.method)

        return emit

    @property
    def told(self) -> int:
        return sum(map(bool, self.heard))


async def all_told(crowd: Crowd, times: int) -> None:
    for _ in range(times * len(crowd.heard)):
        if all(len(heard) >= times for heard in crowd.heard):
            return
        await asyncio.sleep(0)
    raise AssertionError("somebody was never told")


def test_few_are_told_at_once() -> None:
    async def test() -> None:
        crowd = Crowd(SLICE - 1)
        Fan().out(crowd.emits, Notification("a"))
        assert crowd.told == len(crowd.emits)

    asyncio.run(test())


def test_many_are_told_in_slices_and_in_order() -> None:
    async def test() -> None:
        crowd, fan = Crowd(MANY), Fan()
        fan.out(crowd.emits, Notification("a"))
        fan.out(crowd.emits, Notification("b"))
        assert crowd.told == SLICE
        await asyncio.sleep(0)
        assert SLICE < crowd.told < MANY
        await all_told(crowd, 2)
        assert all(heard == ["a", "b"] for heard in crowd.heard)
        fan.out(crowd.emits[:1], Notification("c"))
        assert crowd.heard[0] == ["a", "b", "c"]

    asyncio.run(test())


def test_finish_leaves_nobody_out() -> None:
    async def test() -> None:
        crowd, fan = Crowd(MANY), Fan()
        fan.out(crowd.emits, Notification("a"))
        fan.finish()
        assert crowd.told == MANY
        await asyncio.sleep(0)
        assert all(heard == ["a"] for heard in crowd.heard)

    asyncio.run(test())


def test_what_waits_is_bounded() -> None:
    async def test() -> None:
        crowd, fan = Crowd(MANY), Fan()
        for _ in range(3 * MOST_WAITING):
            fan.out(crowd.emits, Notification("a"))
        assert len(crowd.heard[-1]) >= 2 * MOST_WAITING - 1
        await all_told(crowd, 3 * MOST_WAITING)
        assert all(len(heard) == 3 * MOST_WAITING for heard in crowd.heard)

    asyncio.run(test())
