"""Parked calls: whose they are, how many, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.core.message import Call, Target
from lockgate.core.raw import Raw
from lockgate.testing import ManualClock
from lockgate.upstreams.flights import Flight
from lockgate.upstreams.parking import Parked, Parking
from lockgate.wire.seal import KeyRing
from tests.upstreams.calls import call

MINE = call(era="handshake", affinity="a", target=Target("s", "tool", "t"))
FLIGHT = Flight(1, MINE)


def parked(lot: Parking, mine: Call = MINE, session: object = "s") -> str:
    state = lot.park(session, FLIGHT, {}, mine)
    assert state is not None
    return state


def test_only_the_same_caller_asking_the_same_takes_it_up_and_only_once() -> None:
    lot = Parking(ManualClock())
    state = parked(lot)
    others = [
        call(era="handshake", affinity="a", who="bob", target=MINE.target),
        MINE.replace(affinity="b"),
        MINE.replace(affinity=None),
        MINE.replace(method="prompts/get"),
        MINE.replace(target=Target("s", "tool", "other")),
        MINE.replace(params=Raw.of({"arguments": {"amount": 1000000}})),
    ]
    for other in others:
        assert lot.take(state, other) == "unknown"
    forged = state[:-2] + ("AA" if state[-2:] != "AA" else "BB")
    for wrong in (forged, state[:20], "", None, 7, [state]):
        assert lot.take(wrong, MINE) == "unknown"
    taken = lot.take(state, MINE)
    assert isinstance(taken, Parked)
    assert taken.flight is FLIGHT
    assert lot.take(state, MINE) == "unknown"
    assert len(lot) == 0


def test_the_same_request_may_be_written_anew_and_traced_anew() -> None:
    lot = Parking(ManualClock())
    before = MINE.replace(params=Raw(b'{"arguments":{"a":1,"b":2},"_meta":{"traceparent":"00-1"}}'))
    state = parked(lot, before)
    again = Raw(b'{"requestState":"s","inputResponses":{},"arguments":{"b":2, "a":1}}')
    assert isinstance(lot.take(state, before.replace(params=again)), Parked)


@pytest.mark.parametrize(
    "bounds", [{"total": 2}, {"per_session": 2}, {"per_principal": 2}], ids=lambda b: next(iter(b))
)
def test_bounds(bounds: dict[str, Any]) -> None:
    lot = Parking(ManualClock(), **bounds)
    state = parked(lot)
    parked(lot)
    assert lot.park("s", FLIGHT, {}, MINE) is None
    assert isinstance(lot.take(state, MINE), Parked)
    parked(lot)


def test_expiry() -> None:
    clock = ManualClock(1000)
    lot = Parking(clock, lifetime=300.0)
    first = parked(lot)
    clock.advance(200)
    second = parked(lot)
    assert lot.next_expiry() == 1300.0
    clock.advance(100)
    assert lot.take(first, MINE) == "unknown"
    assert len(lot.expired()) == 1
    assert lot.expired() == []
    assert lot.next_expiry() == 1500.0
    assert isinstance(lot.take(second, MINE), Parked)
    assert lot.next_expiry() is None


def test_another_process_with_the_same_keys_says_that_the_call_is_not_there() -> None:
    keys = KeyRing.generate()
    here, there = Parking(ManualClock(), keys), Parking(ManualClock(), keys)
    state = parked(here)
    assert there.take(state, MINE) == "elsewhere"
    assert Parking(ManualClock()).take(state, MINE) == "unknown"
