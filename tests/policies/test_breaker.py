"""When a server is no longer asked, when it is asked again, and how little is let through."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.policies.breaker import TABLE, Breaker, BreakerSettings
from lockgate.testing import ManualClock
from lockgate.upstreams.refusals import (
    busy,
    from_error,
    from_status,
    invalid,
    lost,
    timed_out,
    unavailable,
)
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import ErrorObject

CALL = Call(method="tools/call", client=ClientFacts(era="modern", protocol_version="2026-07-28"))
DONE = Result(EMPTY)
TIMED_OUT = timed_out("s")
LOST = lost("s", "gone")


class Setting:
    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.phases: list[str] = []
        self.breaker = Breaker(
            "s",
            BreakerSettings(**{"minimum": 4, "rest": 5, **settings}),
            self.clock,
            self.phases.append,
        )

    def ask(self, reply: Reply | None, seconds: float = 0.01, times: int = 1) -> int:
        """Calls that end so; how many were let in."""
        entered = 0
        for _ in range(times):
            ticket = self.breaker.enter(CALL)
            self.clock.advance(seconds)
            if not isinstance(ticket, Failure):
                entered += 1
                self.breaker.left(CALL, ticket, reply)
        return entered

    def refusal(self) -> Failure:
        found = self.breaker.enter(CALL)
        assert isinstance(found, Failure)
        return found


@pytest.mark.parametrize(
    ("reply", "seconds", "opens"),
    [
        (LOST, 0.01, True),
        (TIMED_OUT, 0.01, True),
        (from_status("s", 500), 0.01, True),
        (from_status("s", 503), 0.01, True),
        (None, 30, True),
        (None, 29, False),
        (lost("s", "gone", sent=False), 0.01, False),
        (unavailable("s", UpstreamState(), 1.0), 0.01, False),
        (busy("s", "full"), 0.01, False),
        (from_error(ErrorObject(-32603, "tool failed", None)), 0.01, False),
        (from_status("s", 404), 0.01, False),
        (from_status("s", 429), 0.01, False),
        (from_status("s", 401), 0.01, False),
        (invalid("s", "rubbish"), 0.01, False),
        (DONE, 100, False),
    ],
)
def test_what_counts_as_failed(reply: Reply | None, seconds: float, opens: bool) -> None:
    setting = Setting(window=3600)
    setting.ask(reply, seconds, times=20)
    assert setting.breaker.phase == ("open" if opens else "closed")


def test_few_calls_say_nothing_and_old_ones_are_forgotten() -> None:
    setting = Setting(minimum=4, window=30)
    setting.ask(LOST, times=3)
    setting.clock.advance(30)
    setting.ask(LOST, times=3)
    assert setting.breaker.phase == "closed"
    setting.ask(LOST)
    assert setting.breaker.phase == "open"


def test_the_rate_counts_and_not_the_number() -> None:
    setting = Setting(failure_rate=0.5)
    for _ in range(20):
        setting.ask(DONE, times=3)
        setting.ask(LOST, times=2)
    assert setting.breaker.phase == "closed"
    setting.ask(LOST, times=20)
    assert setting.breaker.phase == "open"


def test_slow_answers_count_where_slow_is_defined() -> None:
    setting = Setting(slow_after=1.0, slow_rate=0.75, window=60)
    setting.ask(DONE, 1.0, times=4)
    assert setting.breaker.phase == "closed"
    setting.ask(DONE, 1.1, times=11)
    assert setting.breaker.phase == "closed"
    setting.ask(DONE, 1.1)
    assert setting.breaker.phase == "open"


def test_a_refusal_says_who_and_when() -> None:
    setting = Setting()
    setting.ask(LOST, times=4)
    setting.clock.advance(2)
    refusal = setting.refusal()
    assert (refusal.reason, refusal.origin, refusal.policy) == ("breaker-open", "policy", "breaker")
    assert refusal.data == {"server": "s", "state": "open", "retry_after": 3.001}
    assert "'s'" in refusal.message


def test_probes_close_it_again_and_the_past_is_forgotten() -> None:
    setting = Setting(probes=2)
    setting.ask(LOST, times=4)
    setting.clock.advance(5)
    assert setting.ask(DONE) == 1
    assert setting.breaker.phase == "half-open"
    assert setting.ask(DONE) == 1
    assert setting.breaker.phase == "closed"
    setting.ask(LOST, times=3)
    assert setting.phases == ["open", "half-open", "closed"]


def test_a_failed_probe_makes_the_rest_longer_up_to_a_bound() -> None:
    setting = Setting(rest=5, longest_rest=12, probes=1)
    setting.ask(LOST, times=4)
    for rest in (5.0, 10.0, 12.0, 12.0):
        assert setting.refusal().data["retry_after"] == pytest.approx(rest, abs=0.0011)
        setting.clock.advance(rest)
        assert setting.ask(LOST, 0) == 1
    setting.clock.advance(12)
    setting.ask(DONE)
    setting.ask(LOST, 0, times=4)
    assert setting.refusal().data["retry_after"] == 5.001


def test_only_so_many_probes_and_silent_ones_do_not_block() -> None:
    setting = Setting(probes=2)
    setting.ask(LOST, times=4)
    setting.clock.advance(5)
    tickets: list[Any] = [setting.breaker.enter(CALL) for _ in range(2)]
    assert not any(isinstance(one, Failure) for one in tickets)
    assert setting.refusal().data == {"server": "s", "state": "half-open", "retry_after": 5.001}
    setting.clock.advance(5)
    assert setting.ask(DONE, times=2) == 2
    assert setting.breaker.phase == "closed"
    for ticket in tickets:
        setting.breaker.left(CALL, ticket, LOST)
    assert setting.breaker.phase == "closed"


def test_a_probe_that_was_called_off_frees_its_place() -> None:
    setting = Setting(probes=1)
    setting.ask(LOST, times=4)
    setting.clock.advance(5)
    assert setting.ask(None, 0.1) == 1
    assert setting.ask(DONE) == 1
    assert setting.breaker.phase == "closed"


def test_calls_from_before_are_no_news() -> None:
    setting = Setting(probes=1)
    early: Any = setting.breaker.enter(CALL)
    setting.ask(LOST, times=4)
    setting.clock.advance(5)
    probe: Any = setting.breaker.enter(CALL)
    setting.breaker.left(CALL, early, LOST)
    assert setting.breaker.phase == "half-open"
    setting.breaker.left(CALL, probe, DONE)
    assert setting.breaker.phase == "closed"


def test_streams_and_notifications_pass_by() -> None:
    breaker = Setting().breaker
    assert not breaker.concerns("subscriptions/listen")
    assert not breaker.concerns("notifications/roots/list_changed")
    assert breaker.concerns("tools/call")


class Life(RuleBasedStateMachine):
    """Whatever happens: an open breaker admits nobody, a half-open one no more than its probes."""

    def __init__(self) -> None:
        super().__init__()
        self.setting = Setting(probes=2, minimum=3, rest=1, longest_rest=4, window=10)
        self.running: list[Any] = []
        self.admitted = 0
        self.since = self.setting.clock.monotonic()
        self.seen = "closed"

    @rule()
    def enter(self) -> None:
        breaker, clock = self.setting.breaker, self.setting.clock
        wait, before = breaker.retry_after, breaker.phase
        ticket = breaker.enter(CALL)
        if before == "closed":
            assert not isinstance(ticket, Failure)
        if before == "open":
            assert isinstance(ticket, Failure) == (wait is not None and wait > 0)
        if breaker.phase == "half-open" and not isinstance(ticket, Failure):
            if before == "open" or (wait is not None and wait <= 0):
                self.admitted, self.since = 0, clock.monotonic()
            self.admitted += 1
        if not isinstance(ticket, Failure):
            self.running.append(ticket)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), reply=st.sampled_from([DONE, LOST, TIMED_OUT]))
    def leave(self, data: st.DataObject, reply: Reply) -> None:
        ticket = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.setting.breaker.left(CALL, ticket, reply)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.setting.clock.advance(seconds)

    @invariant()
    def probes_are_bounded(self) -> None:
        if self.setting.breaker.phase == "half-open":
            assert self.admitted <= 2

    @invariant()
    def only_the_table_moves_it(self) -> None:
        phases = ["closed", *self.setting.phases]
        allowed = {(phase, step.phase) for (phase, _), step in TABLE.items()}
        assert set(pairwise(phases)) <= allowed


TestLife = Life.TestCase
