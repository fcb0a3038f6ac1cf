"""The state machine of one server, on a clock the tests own."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.crashes import Crashes, CrashRule
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
        waits = one.state.phase in ("backoff", "crash-looping")
        assert waits == (one.state.next_attempt is not None)
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


RULE = CrashRule(deaths=3, within=60.0, pause=30.0, longest=100.0)


def dying(*moments: float, rule: CrashRule = RULE) -> list[float | None]:
    """The waits of a server that becomes ready at once and dies after so many seconds each."""
    clock = Hands()
    one = Supervisor(clock, Backoff(jitter=lambda: 1.0), crashes=rule)
    one.report("start")
    waits: list[float | None] = []
    for stood in moments:
        one.report("connected")
        clock.now += stood
        one.report("lost", "it ended with code 1", died=True)
        looping = one.state.phase == "crash-looping"
        assert looping == (one.state.reason == "crash-looping")
        waits.append(one.retry_after() if looping else None)
        clock.now += one.retry_after() or 0
        one.report("retry")
    return waits


def test_a_crash_loop_is_left_alone_for_longer_each_time_up_to_a_bound() -> None:
    assert dying(1, 1, 1, 1, 1, 1) == [None, None, 30, 60, 100, 100]


def test_deaths_that_are_far_apart_are_no_crash_loop() -> None:
    assert dying(*[31] * 20) == [None] * 20


def test_a_server_that_stays_up_has_recovered() -> None:
    assert dying(1, 1, 1, 60, 1, 1, 1) == [None, None, 30, None, None, 30, 60]


def test_no_deaths_are_ever_a_crash_loop_when_that_is_switched_off() -> None:
    assert dying(*[0] * 20, rule=CrashRule(deaths=0)) == [None] * 20


def test_a_server_that_cannot_be_reached_is_no_crash_loop() -> None:
    one = Supervisor(Hands(), crashes=RULE)
    one.report("start")
    for _ in range(10):
        one.report("failed", "refused")
        assert one.state.phase == "backoff"
        one.report("retry")


def test_what_a_crash_loop_says() -> None:
    clock = Hands()
    one = Supervisor(clock, Backoff(jitter=lambda: 0.0), crashes=RULE)
    one.report("start")
    for _ in range(3):
        one.report("failed", "it ended with code 1", "It last said: boom", died=True)
        clock.now += 7
        one.report("retry")
    assert one.state.phase == "connecting"
    said = "it ended by itself 3 times within 14 s; the last time: it ended with code 1"
    assert one.state.last_error == said
    assert (one.state.remedy or "").endswith("It last said: boom")


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 0.999)), max_size=60))
def test_a_crash_loop_needs_its_deaths_and_its_pauses_have_bounds(
    lives: list[tuple[float, float]],
) -> None:
    clock, share = Hands(), [0.0]
    crashes = Crashes(RULE, lambda: share[0])
    deaths: list[float] = []
    for stood, share[0] in lives:
        clock.now += stood
        deaths.append(clock.now)
        pause = crashes.died(clock.now, stood)
        if pause is not None:
            assert len(deaths) >= RULE.deaths
            assert RULE.pause / 2 <= pause <= RULE.longest
        if stood >= RULE.within:
            assert pause is None
