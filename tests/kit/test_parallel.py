"""Many things are done a few at a time, and come back in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.kit import parallel
from lockgate.kit.errors import TimedOut
from tests.support.waiting import settle


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 9))
def test_the_order_is_that_of_the_items_and_never_too_many_run(turns: list[int], most: int) -> None:
    running = peak = 0

    async def work(turn: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(turn):
            await asyncio.sleep(0)
        running -= 1
        return turn

    assert asyncio.run(parallel.map(work, turns, at_once=most)) == turns
    assert peak <= most


def test_the_first_error_ends_the_rest_and_is_raised_as_it_is() -> None:
    began: list[int] = []
    cancelled: list[int] = []

    async def work(number: int) -> None:
        began.append(number)
        if number == 1:
            raise KeyError("one")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    with pytest.raises(KeyError, match="one"):
        asyncio.run(parallel.map(work, range(100), at_once=2))
    assert began == [0, 1]
    assert cancelled == [0]


def test_an_attempt_has_an_outcome_for_each_item() -> None:
    async def work(number: int) -> int:
        if number % 2:
            raise KeyError(number)
        return number * 10

    found = asyncio.run(parallel.attempt(work, range(5), at_once=2))
    assert [one.item for one in found] == [0, 1, 2, 3, 4]
    assert [one.value for one in found if one.ok] == [0, 20, 40]
    assert all(isinstance(one.error, KeyError) for one in found if not one.ok)


def test_an_endless_source_is_taken_no_faster_than_it_is_worked_on() -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    async def run() -> None:
        async def work(_: int) -> None:
            await asyncio.Event().wait()

        task = asyncio.create_task(parallel.map(work, source(), at_once=3))
        await settle()
        assert taken == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_each_has_its_time_and_a_timeout_of_its_own_is_its_own() -> None:
    async def work(number: int) -> int:
        if number == 1:
            await asyncio.Event().wait()
        if number == 2:
            raise TimeoutError("its own")
        return number

    found = asyncio.run(parallel.attempt(work, range(3), timeout=0.02))
    assert found[0].ok
    assert isinstance(found[1].error, TimedOut)
    assert type(found[2].error) is TimeoutError
    with pytest.raises(TimedOut):
        asyncio.run(parallel.map(work, [0, 1], timeout=0.02))


def test_a_source_that_fails_is_told_and_nothing_at_a_time_is_refused() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    async def work(number: int) -> int:
        return number

    with pytest.raises(KeyError, match="source"):
        asyncio.run(parallel.map(work, source()))
    with pytest.raises(ValueError, match="at a time"):
        asyncio.run(parallel.map(work, [1], at_once=0))
    assert asyncio.run(parallel.map(work, [])) == []
