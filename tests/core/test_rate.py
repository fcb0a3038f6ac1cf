from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.core.rate import MICRO, Ledger, Meter, Rate, admit, meter, packed, parse, restored

RATES = st.builds(
    Rate,
    st.integers(1, 400),
    st.sampled_from([1, 2, 10, 60]),
    st.none() | st.integers(1, 50),
)
# Bursts of calls in the same instant, calls close to each other, and silences.
STEPS = st.lists(
    st.one_of(
        st.just(0), st.integers(0, 20_000), st.integers(0, MICRO), st.integers(0, 100 * MICRO)
    ),
    max_size=300,
)


@pytest.mark.parametrize(
    ("text", "limit", "seconds", "burst"),
    [
        ("10/s", 10, 1, None),
        ("10/s burst 20", 10, 1, 20),
        ("10/s, burst 20", 10, 1, 20),
        (" 100 / min ", 100, 60, None),
        ("1000/day", 1000, 86400, None),
        ("5/10s", 5, 10, None),
        ("5/10 seconds", 5, 10, None),
        ("1/week", 1, 604800, None),
        ("3/2h", 3, 7200, None),
    ],
)
def test_rates_are_read_as_people_write_them(
    text: str, limit: int, seconds: int, burst: int | None
) -> None:
    rate = parse(text)
    assert (rate.limit, rate.seconds, rate.burst) == (limit, seconds, burst)


@pytest.mark.parametrize(
    "text", ["", "10", "10/fortnight", "0/s", "-1/s", "10/s burst", "10/s burst 0", "10/0s", "1/s;"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        parse(text)


def admitted(one: Meter, times: list[int]) -> list[int]:
    found: list[int] = []
    for now in times:
        if not one.wait(now):
            one.take(now)
            found.append(now)
    return found


def moments(steps: list[int], start: int = 10**12) -> list[int]:
    times: list[int] = []
    for step in steps:
        start += step
        times.append(start)
    return times


@settings(max_examples=300)
@given(RATES, STEPS)
def test_no_more_is_admitted_than_the_bound_over_any_window(rate: Rate, steps: list[int]) -> None:
    taken = admitted(meter(rate), moments(steps))
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            span, count = taken[last] - begin, last - first + 1
            if rate.burst is not None:
                assert count <= rate.burst + span * rate.limit / (rate.seconds * MICRO)
            elif span < rate.period:
                assert count <= rate.limit


@settings(max_examples=300)
@given(RATES, STEPS, st.integers(0, 200 * MICRO))
def test_nobody_starves_and_waits_are_exact(rate: Rate, steps: list[int], later: int) -> None:
    one = meter(rate)
    times = moments(steps)
    admitted(one, times)
    now = (times[-1] if times else 10**12) + later
    wait = one.wait(now)
    # However much was asked meanwhile, what was refused counts for nothing.
    assert wait <= max(rate.period, rate.interval)
    if wait:
        assert one.wait(now + wait - 1) == 1
    assert one.wait(now + wait) == 0
    assert one.wait(now + rate.period + rate.interval) == 0


@given(st.integers(1, 100), st.sampled_from([1, 10]), st.integers(1, 200))
def test_a_caller_at_exactly_the_rate_is_never_refused(
    limit: int, seconds: int, calls: int
) -> None:
    for rate in (Rate(limit, seconds), Rate(limit, seconds, 1)):
        times = [10**12 + n * rate.interval for n in range(calls)]
        assert len(admitted(meter(rate), times)) == calls


@given(RATES, STEPS)
def test_a_meter_is_small_and_comes_back_from_its_bytes(rate: Rate, steps: list[int]) -> None:
    one, times = meter(rate), moments(steps)
    for now in times:
        if not one.wait(now):
            one.take(now)
        for ahead in (0, rate.period // 3, rate.period):
            again = restored(rate, packed(one), now)
            assert again.wait(now + ahead) == restored(rate, packed(one), now).wait(now + ahead)
        assert restored(rate, packed(one), now).wait(now) == one.wait(now)
    assert len(one.dump()) <= 3 * 131


@given(st.binary(max_size=50) | st.none() | st.integers())
def test_a_state_that_is_none_is_a_new_meter(state: object) -> None:
    for rate in (Rate(2, 60), Rate(2, 60, 3)):
        assert isinstance(restored(rate, state, 10**12).wait(10**12), int)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400_000)), max_size=200))
def test_a_full_ledger_admits_no_more_than_its_callers_may(asked: list[tuple[int, int]]) -> None:
    rate = Rate(2, 1)
    ledger, now = Ledger(most=5), 10**12
    taken: list[int] = []
    for who, step in asked:
        now += step
        if not admit([ledger.of(who, (rate,), now)], now).wait:
            taken.append(now)
        assert len(ledger) <= 5
    # Five callers of their own and one for everybody else, with some who came after a sweep.
    for begin in taken:
        assert sum(begin <= one < begin + MICRO // 2 for one in taken) <= 2 * (2 * 5 + 1)


def test_waits_are_told_in_milliseconds_that_are_enough() -> None:
    rate = Rate(3, 1)
    one, now = meter(rate), 10**12
    for _ in range(3):
        one.take(now)
    refused = admit([(one,)], now + 1)
    assert refused.wait == 1.0
    assert one.wait(now + 1 + math.ceil(refused.wait * MICRO)) == 0


@given(RATES, STEPS, st.integers(0, 10**9))
def test_a_clock_that_went_back_starves_nobody(rate: Rate, steps: list[int], back: int) -> None:
    one, times = meter(rate), moments(steps)
    admitted(one, times)
    now = (times[-1] if times else 10**12) - back
    assert restored(rate, packed(one), now).wait(now) <= max(rate.period, rate.interval)
