"""The state machine of one server, on a clock the tests own."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.supervisor import (
    TABLE,
    Backoff,
    Event,
    Phase,
    Supervisor,
    UpstreamState,
    one_line,
)


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def test_the_ordinary_life_of_a_server() -> None:
    clock, seen = Hands(), list[UpstreamState]()
    one = Supervisor(clock, Backoff(jitter=lambda: 1.0), seen.append)
    assert one.report("start")
    assert one.report("failed", "refused\nmore")
    assert one.state.last_error == "refused"
    assert one.retry_after() == 0.5
    clock.now += 0.2
    assert one.retry_after() == 0.3 or abs((one.retry_after() or 0) - 0.3) < 1e-9
    assert one.report("retry")
    assert one.report("failed", "refused")
    assert one.retry_after() == 1.0
    assert one.report("retry")
    assert one.report("connected")
    assert one.state.last_error is None
    assert one.report("stop")
    assert [state.phase for state in seen] == [
        "connecting", "backoff", "connecting", "backoff", "connecting", "ready", "stopped"
    ]  # fmt: skip


def test_a_server_that_dies_at_once_is_tried_less_and_less_often() -> None:
    clock = Hands()
    one = Supervisor(clock, Backoff(jitter=lambda: 1.0))
    one.report("start")
    waits: list[float | None] = []
    for _ in range(9):
        one.report("connected")
        one.report("lost", "died")
        waits.append(one.retry_after())
        one.report("retry")
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    one.report("connected")
    clock.now += 11
    one.report("lost", "died")
    assert one.retry_after() == 0.5


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_stay_within_their_bounds(attempt: int, share: float) -> None:
    wait = Backoff(jitter=lambda: share).wait(attempt)
    assert 0 <= wait < min(0.5 * 2 ** min(attempt - 1, 32), 60.0)


@given(st.lists(st.sampled_from(get_args(Event))))
def test_every_event_in_every_phase_keeps_the_state_consistent(events: list[Event]) -> None:
    one = Supervisor(Hands())
    for event in events:
        before = one.state
        taken = one.report(event)
        assert taken == ((before.phase, event) in TABLE)
        if not taken:
            assert one.state is before
        assert (one.state.phase == "backoff") == (one.state.next_attempt is not None)
        if one.state.phase == "ready":
            assert one.state.last_error is None


def test_the_table_names_known_phases_and_can_always_be_stopped() -> None:
    phases = set(get_args(Phase))
    assert {step.phase for step in TABLE.values()} | {phase for phase, _ in TABLE} == phases
    assert TABLE["ready", "rest"].phase == "idle"
    for phase in phases - {"stopped"}:
        assert TABLE[phase, "stop"].phase == "stopped"


def test_one_line() -> None:
    assert one_line("\n  a b \nc") == "a b"
    assert len(one_line("x" * 500)) == 200
