"""The script that counts in the server and the meters that count here, number for number."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.core.rate import Ledger, Rate, Taken, admit
from lockgate.core.store import Demand
from lockgate.stores.redis import RedisStore
from tests.support.valkey import Valkey, valkey

RATES = st.builds(
    Rate,
    st.integers(1, 30) | st.integers(120, 140),
    st.sampled_from([1, 7]),
    st.none() | st.integers(1, 10),
)
_runs = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with valkey() as started:
        yield started


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(RATES, min_size=1, max_size=3),
    st.lists(
        st.tuples(st.booleans(), st.one_of(st.just(0), st.integers(0, 300_000))), max_size=120
    ),
)
def test_both_count_alike(server: Valkey, rates: list[Rate], asked: list[tuple[bool, int]]) -> None:
    # What is over is also forgotten by the server's own clock, which this one stays ahead of.
    now = 4 * 10**15
    all_rates = tuple(
        Rate(rate.limit, rate.seconds, rate.burst, f"{at}") for at, rate in enumerate(rates)
    )
    one, both = Demand("a", all_rates[:1]), Demand("b", all_rates)

    async def run() -> None:
        nonlocal now
        store = RedisStore(server.url, prefix=f"{next(_runs)}:", now=lambda: now, timeout=5.0)
        ledger = Ledger()
        try:
            for together, step in asked:
                now += step
                demands = [one, both] if together else [both]
                here: Taken = admit(
                    [ledger.of(demand.key, demand.rates, now) for demand in demands], now
                )
                assert await store.take(demands) == here
        finally:
            await store.close()

    asyncio.run(run())


def test_a_foreign_or_damaged_counter_counts_as_new(server: Valkey) -> None:
    async def run() -> None:
        store = RedisStore(server.url, prefix="odd:", timeout=5.0)
        client = store._client
        rates = (Rate(2, 60, None, "w"), Rate(2, 60, 2, "b"))
        try:
            for value in (b"junk", b"\x93\x01\xa1x\x02", b"nan", b"\xff" * 9):
                for rate in rates:
                    await client.set(f"odd:rate:who:{rate.text}", value, px=60_000)
                assert (await store.take([Demand("who", rates)])).wait == 0.0
                for rate in rates:
                    await client.unlink(f"odd:rate:who:{rate.text}")
            await store.append("x", b"")
            await client.unlink("odd:rate:who:w")
        finally:
            await store.close()

    asyncio.run(run())


def test_counters_end_by_themselves(server: Valkey) -> None:
    async def run() -> None:
        store = RedisStore(server.url, prefix="ends:", timeout=5.0)
        try:
            await store.take([Demand("who", (Rate(5, 1, None, "w"), Rate(5, 1, 5, "b")))])
            await asyncio.sleep(1.2)
            for kind in "wb":
                assert await store._client.get(f"ends:rate:who:{kind}") is None
        finally:
            await store.close()

    asyncio.run(run())
