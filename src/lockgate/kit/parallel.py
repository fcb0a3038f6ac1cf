"""The same for many things, a few at a time, in their order.

Must not know: what is done. `asyncio.gather` does all at once, which is what makes a server of two
tools a danger to everything it asks; where order and all results at once do not matter, a plain
`asyncio.TaskGroup` and a `Semaphore` are as good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

import msgspec

from lockgate.kit.errors import TimedOut

Item = TypeVar("Item")
Value = TypeVar("Value")

AT_ONCE: Final = 8
Each = Callable[[Item], Awaitable[Value]]


class Outcome(msgspec.Struct, Generic[Item, Value], frozen=True):
    """What became of one item: a value, or an error."""

    item: Item
    value: Value | None = None
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.error is None


async def map(  # noqa: A001 - what everybody calls it
    function: Each[Item, Value],
    items: Iterable[Item],
    *,
    at_once: int = AT_ONCE,
    timeout: float | None = None,  # noqa: ASYNC109 - of each item; the whole is the caller's to bound
) -> list[Value]:
    """What the function gives for each item, in their order.

    The first error ends what is under way, and is raised as it is. An endless iterable is taken no
    faster than it is worked on.

    Args:
        function: async.
        items: taken one by one.
        at_once: how many are worked on at the same time.
        timeout: seconds for each.

    Raises:
        TimedOut: an item took longer than `timeout`.
        ValueError: nothing would ever be done.
    """
    found: dict[int, Value] = {}

    async def one(number: int, item: Item) -> None:
        found[number] = await _within(function, item, timeout)

    await _run(one, items, at_once)
    return [found[number] for number in sorted(found)]


async def attempt(
    function: Each[Item, Value],
    items: Iterable[Item],
    *,
    at_once: int = AT_ONCE,
    timeout: float | None = None,  # noqa: ASYNC109 - of each item; the whole is the caller's to bound
) -> list[Outcome[Item, Value]]:
    """As `map`, but an error ends no other item: it is that item's outcome.

    Raises:
        ValueError: nothing would ever be done.
    """
    found: dict[int, Outcome[Item, Value]] = {}

    async def one(number: int, item: Item) -> None:
        try:
            found[number] = Outcome(item, await _within(function, item, timeout))
        except Exception as error:
            found[number] = Outcome(item, error=error)

    await _run(one, items, at_once)
    return [found[number] for number in sorted(found)]


async def _within(function: Each[Item, Value], item: Item, seconds: float | None) -> Value:
    if seconds is None:
        return await function(item)
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            return await function(item)
    except TimeoutError:
        if not bound.expired():
            raise
        raise TimedOut(f"It took longer than {seconds:g} s") from None


async def _run(
    one: Callable[[int, Item], Awaitable[None]], items: Iterable[Item], at_once: int
) -> None:
    """Workers that take from one iterator: what is not begun needs no memory."""
    if at_once < 1:
        raise ValueError("one has to be worked on at a time at least")
    waiting: Iterator[tuple[int, Item]] = iter(enumerate(items))
    first: list[Exception] = []

    async def work() -> None:
        try:
            for number, item in waiting:
                if first:
                    return
                await one(number, item)
        except Exception as error:
            first.append(error)
            raise

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup:
        raise first[0] from first[0].__cause__
