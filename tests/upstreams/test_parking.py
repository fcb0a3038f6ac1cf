"""Parked calls: whose they are, how many, and for how long."""

from itertools import count
from typing import Any

from lockgate.core.message import Target
from lockgate.upstreams.flights import Flight
from lockgate.upstreams.parking import Parking
from tests.upstreams.calls import call
from tests.upstreams.test_supervisor import Hands


def parking(clock: Hands | None = None, **more: Any) -> Parking:
    numbers = count(1)
    return Parking(clock or Hands(), handle=lambda: f"h{next(numbers)}", **more)


MINE = call(era="handshake", affinity="a", target=Target("s", "tool", "t"))
FLIGHT = Flight(1, MINE)


def test_only_the_same_caller_asking_the_same_takes_it_up_and_only_once() -> None:
    lot = parking()
    handle = lot.park("s", FLIGHT, {}, MINE)
    assert handle == "h1"
    others = [
        call(era="handshake", affinity="a", who="bob", target=MINE.target),
        MINE.replace(affinity="b"),
        MINE.replace(affinity=None),
        MINE.replace(method="prompts/get"),
        MINE.replace(target=Target("s", "tool", "other")),
    ]
    for other in others:
        assert lot.take(handle, other) is None
    for wrong in ("h2", "", None, 7, ["h1"]):
        assert lot.take(wrong, MINE) is None
    taken = lot.take(handle, MINE)
    assert taken is not None
    assert taken.flight is FLIGHT
    assert lot.take(handle, MINE) is None
    assert len(lot) == 0


def test_bounds() -> None:
    lot = parking(total=3, per_session=2)
    assert lot.park("s", FLIGHT, {}, MINE)
    assert lot.park("s", FLIGHT, {}, MINE)
    assert lot.park("s", FLIGHT, {}, MINE) is None
    assert lot.park("t", FLIGHT, {}, MINE)
    assert lot.park("u", FLIGHT, {}, MINE) is None


def test_expiry() -> None:
    clock = Hands()
    lot = parking(clock, lifetime=300.0)
    first = lot.park("s", FLIGHT, {}, MINE)
    clock.now += 200
    second = lot.park("s", FLIGHT, {}, MINE)
    assert lot.next_expiry() == 1300.0
    clock.now += 100
    assert lot.take(first, MINE) is None
    assert len(lot.expired()) == 1
    assert lot.expired() == []
    assert lot.next_expiry() == 1500.0
    assert lot.take(second, MINE) is not None
    assert lot.next_expiry() is None


def test_handles_cannot_be_guessed() -> None:
    lot = Parking(Hands())
    handles = {lot.park(number, FLIGHT, {}, MINE) for number in range(256)}
    assert len(handles) == 256
    assert all(isinstance(handle, str) and len(handle) >= 43 for handle in handles)
