"""Callers are held to their rates, each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from lockgate.core.rate import Taken
from lockgate.core.store import Demand, StoreGone
from lockgate.kit import request
from lockgate.kit.errors import RateLimited
from lockgate.kit.limit import Limit, limit
from lockgate.stores.memory import MemoryStore
from lockgate.testing import ManualClock
from tests.kit.servers import called, sdk


def taken(one: Limit, name: str = "x", caller: str | None = None) -> bool:
    try:
        asyncio.run(one.take(name, caller))
    except RateLimited:
        return False
    return True


def test_each_caller_and_each_function_has_its_own_rate() -> None:
    clock = ManualClock()
    one = Limit("2/min", clock=clock)
    assert [taken(one, caller="a") for _ in range(3)] == [True, True, False]
    assert taken(one, caller="b")
    assert taken(one, "y", caller="a")
    clock.advance(60.001)
    assert taken(one, caller="a")


def test_everyone_together_when_that_is_said() -> None:
    one = Limit("1/min", per="everyone", clock=ManualClock())
    assert taken(one, caller="a")
    assert not taken(one, caller="b")


def test_all_rates_have_to_admit_and_the_message_names_the_one_that_does_not() -> None:
    clock = ManualClock()
    one = Limit("10/s burst 2", "3/day", clock=clock)
    for _ in range(3):
        assert taken(one)
        clock.advance(1)
    with pytest.raises(RateLimited, match="3/day") as caught:
        asyncio.run(one.take("x"))
    assert (caught.value.retry_after or 0) > 80_000


def test_waiting_as_long_as_it_says_is_enough() -> None:
    clock = ManualClock()
    one = Limit("3/10s", clock=clock)
    for _ in range(50):
        if not taken(one):
            with pytest.raises(RateLimited) as caught:
                asyncio.run(one.take("x"))
            clock.advance(caught.value.retry_after or 0)
            assert taken(one)


def test_what_is_kept_is_bounded_and_nobody_is_admitted_anew_for_it() -> None:
    one = Limit("1/day", callers=10, clock=ManualClock())
    assert sum(taken(one, caller=str(number)) for number in range(1000)) == 11
    assert len(one._ledger) == 10  # pyright: ignore[reportPrivateUsage] - what is bounded


def test_as_a_decorator_it_counts_the_caller_of_the_request() -> None:
    @limit("1/min")
    async def search(query: str) -> str:
        return query

    async def run() -> None:
        with request.given(caller="a"):
            assert await search("x") == "x"
            with pytest.raises(RateLimited):
                await search("y")
        with request.given(caller="b"):
            assert await search("z") == "z"
        with request.given(peer="192.0.2.1"):
            assert await search("z") == "z"

    asyncio.run(run())


def test_a_store_counts_for_all_who_share_it_and_may_be_away() -> None:
    store = MemoryStore(ManualClock())
    one, other = Limit("1/min", store=store), Limit("1/min", store=store)
    assert taken(one)
    assert not taken(other)

    class Gone:
        async def take(self, demands: Sequence[Demand], /) -> Taken:
            raise StoreGone("away")

    alone = Limit("1/min", store=Gone(), clock=ManualClock())
    assert [taken(alone), taken(alone)] == [True, False]


@pytest.mark.parametrize("rates", [(), ("often",), ("0/s",)])
def test_what_is_no_rate_is_refused_at_once(rates: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="rate"):
        Limit(*rates)


def test_a_sync_function_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="async"):
        limit("1/s")(lambda: 1)  # type: ignore[arg-type,return-value] # pyright: ignore[reportArgumentType] - that is the test


@pytest.mark.parametrize("number", [0, 1])
def test_a_model_is_told_when_to_come_back(number: int) -> None:
    server = sdk(number)

    @limit("1/hour")
    async def search(query: str) -> str:
        return query

    server.tool()(search)

    async def run() -> None:
        assert await called(server, "search", query="x") == (False, "x")
        failed, text = await called(server, "search", query="x")
        assert failed
        assert "No more than 1/hour are admitted. Try again in " in text

    asyncio.run(run())
