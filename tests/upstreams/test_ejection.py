"""When a replica is left out, for how long, and how many at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.testing import ManualClock
from lockgate.upstreams.ejection import EjectionSettings, Health
from lockgate.upstreams.refusals import (
    busy,
    from_error,
    from_status,
    lost,
    timed_out,
    unavailable,
    unconnected,
)
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import ErrorObject

DONE = Result(EMPTY)
LOST = lost("s", "gone")


class Setting:
    def __init__(self, replicas: int = 2, **settings: Any) -> None:
        self.clock = ManualClock()
        numbers = {"consecutive": 3, "minimum": 1000, "base": 30, "longest": 100, **settings}
        made = EjectionSettings(**numbers)
        self.every = [Health(made, self.clock) for _ in range(replicas)]
        self.one = self.every[0]

    def ask(self, reply: Reply | None, times: int = 1, seconds: float = 0.01, at: int = 0) -> bool:
        """Calls that end so; whether the replica is out then."""
        one = self.every[at]
        for _ in range(times):
            began = self.clock.monotonic()
            self.clock.advance(seconds)
            if one.count(reply, began):
                one.eject(self.every)
        return one.out


@pytest.mark.parametrize(
    ("reply", "seconds", "ejects"),
    [
        (LOST, 0.01, True),
        (timed_out("s"), 0.01, True),
        (unconnected("s", "late"), 0.01, True),
        (from_status("s", 503), 0.01, True),
        (None, 30, True),
        (None, 29, False),
        (lost("s", "gone", sent=False), 0.01, False),
        (unavailable("s", UpstreamState(), 1.0), 0.01, False),
        (busy("s", "full"), 0.01, False),
        (from_error(ErrorObject(-32603, "tool failed", None)), 0.01, False),
        (from_status("s", 404), 0.01, False),
        (DONE, 100, False),
    ],
)
def test_what_counts_as_failed(reply: Reply | None, seconds: float, ejects: bool) -> None:
    assert Setting(base=3600, longest=3600).ask(reply, 10, seconds) is ejects


def test_so_many_in_a_row_eject() -> None:
    setting = Setting(consecutive=3)
    for _ in range(10):
        assert not setting.ask(LOST, 2)
        assert not setting.ask(DONE)
    assert setting.ask(LOST, 3)


def test_the_rate_ejects_without_a_row() -> None:
    setting = Setting(consecutive=100, minimum=10, failure_rate=0.5, window=30)
    for _ in range(4):
        assert not setting.ask(DONE)
        assert not setting.ask(LOST)
    assert not setting.ask(DONE)
    assert setting.ask(LOST)


def test_old_calls_have_no_rate() -> None:
    setting = Setting(consecutive=100, minimum=10, failure_rate=0.5, window=30)
    assert not setting.ask(LOST, 9)
    setting.clock.advance(30)
    assert not setting.ask(LOST, 9)
    assert setting.ask(LOST)


def test_it_rests_longer_each_time_and_never_longer_than_the_longest() -> None:
    setting = Setting(base=30, longest=100)
    for rest in (30, 60, 90, 100, 100):
        assert setting.ask(LOST, 3)
        assert setting.one.rest == rest
        setting.clock.advance(rest - 0.5)
        assert setting.one.out
        setting.clock.advance(0.5)
        assert not setting.one.out
        assert setting.one.rest == 0


def test_doing_well_makes_up_for_earlier_ejections() -> None:
    setting = Setting(base=30, longest=300)
    for _ in range(3):
        setting.ask(LOST, 3)
        setting.clock.advance(setting.one.rest)
        assert not setting.one.out
    setting.clock.advance(61)
    setting.ask(LOST, 3)
    assert setting.one.rest == 60
    setting.clock.advance(60 + 10_000)
    setting.ask(LOST, 3)
    assert setting.one.rest == 30


def test_what_began_before_is_no_news_after() -> None:
    setting = Setting()
    began = setting.clock.monotonic()
    setting.ask(LOST, 3)
    setting.clock.advance(30)
    assert not setting.one.out
    assert not any(setting.one.count(LOST, began) for _ in range(10))
    assert not setting.one.out


@pytest.mark.parametrize(
    ("replicas", "most", "out"),
    [(1, 0.5, 1), (2, 0.5, 1), (2, 0.1, 1), (2, 1, 2), (3, 0.5, 1), (4, 0.5, 2), (5, 0.9, 4)],
)
def test_no_more_than_the_share_are_out(replicas: int, most: float, out: int) -> None:
    setting = Setting(replicas, most=most)
    for at in range(replicas):
        setting.ask(LOST, 5, at=at)
    assert sum(one.out for one in setting.every) == out


def test_one_that_had_to_stay_goes_when_another_returns() -> None:
    setting = Setting(2, base=30)
    assert setting.ask(LOST, 3, at=0)
    assert not setting.ask(LOST, 3, at=1)
    setting.clock.advance(30)
    assert setting.ask(LOST, at=1)


def test_the_least_bad_is_known() -> None:
    setting = Setting(2, most=1, consecutive=5)
    setting.ask(DONE, 10, at=1)
    for at in (0, 1):
        assert setting.ask(LOST, 5, at=at)
    assert setting.every[0].badness == 1
    assert setting.every[1].badness < 0.4


STEPS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([DONE, LOST, None]),
        st.floats(0, 40),
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 5), st.floats(0.01, 1))
def test_never_more_than_the_share_and_never_for_ever(
    steps: list[tuple[int, Reply | None, float]], replicas: int, most: float
) -> None:
    setting = Setting(replicas, most=most, consecutive=2, base=10, longest=50)
    bound = max(1, int(most * replicas))
    for at, reply, seconds in steps:
        setting.ask(reply, 1, seconds, at % replicas)
        assert sum(one.out for one in setting.every) <= bound
        assert all(one.rest <= 50 for one in setting.every)
    setting.clock.advance(50)
    assert not any(one.out for one in setting.every)
