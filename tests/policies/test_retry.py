"""What is sent again, when, and how often at most."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.backoff import Budget
from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.policies.retry import Retry, RetrySettings, Which
from lockgate.testing import ManualClock
from lockgate.upstreams.failures import ConnectFailed, ConnectionLost, TimedOut
from lockgate.upstreams.refusals import (
    busy,
    from_error,
    from_http,
    from_status,
    invalid,
    lost,
    timed_out,
    unavailable,
)
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import ErrorObject
from tests.support.asking import asked

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
DONE = Result(EMPTY)
LOST = lost("s", "it went away")
UNSENT = lost("s", "it was gone already", sent=False)


def call(method: str = "resources/read", tool: str = "echo", **more: Any) -> Call:
    kind = "tool" if method == "tools/call" else "resource"
    return Call(method=method, client=CLIENT, target=Target("s", kind, tool), **more)


class Setting:
    """A retry whose pauses are written down and pass at once."""

    def __init__(self, *, jitter: float = 0.5, **settings: Any) -> None:
        self.clock = ManualClock()
        self.pauses: list[float] = []
        self.sent = 0
        self.policy = Retry(
            RetrySettings(**settings),
            lambda tool: tool.startswith("safe_"),
            self.clock,
            jitter=lambda: jitter,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    def ask(self, one: Call, *answers: Reply) -> Reply:
        """Ask a server that answers so, the last one for ever."""

        async def answer(_: Call) -> Reply:
            self.sent += 1
            return answers[min(self.sent, len(answers)) - 1]

        self.sent = 0
        return asked(compose([self.policy], answer)(one))


DOWN = unavailable("s", UpstreamState(phase="backoff"), 0.3)
DOWN_LONG = unavailable("s", UpstreamState(phase="backoff"), 5.0)
STOPPED = unavailable("s", UpstreamState(phase="stopped"), None)
SERVED = from_error(ErrorObject(-32603, "no", {"sent": False, "retry_after": 0}))
REFUSED_CONNECTION = from_http("s", ConnectFailed("no"), 1)
LATE_CONNECTION = from_http("s", TimedOut("no", phase="connect"), 1)
NOT_WRITTEN = from_http("s", ConnectionLost("no", sent=False), 1)


@pytest.mark.parametrize(
    ("failure", "read", "safe", "tool"),
    [
        (LOST, True, True, False),
        (LATE_CONNECTION, True, True, True),
        (UNSENT, True, True, True),
        (REFUSED_CONNECTION, True, True, True),
        (NOT_WRITTEN, True, True, True),
        (DOWN, True, True, True),
        (DOWN_LONG, False, False, False),
        (STOPPED, False, False, False),
        (from_status("s", 503), True, True, False),
        (from_status("s", 503, b"1"), True, True, False),
        (from_status("s", 503, b"120"), False, False, False),
        (from_status("s", 429, b"1"), True, True, False),
        (from_status("s", 502), True, True, False),
        (from_status("s", 504), True, True, False),
        (from_status("s", 500), False, False, False),
        (from_status("s", 404), False, False, False),
        (from_status("s", 401), False, False, False),
        (timed_out("s"), False, False, False),
        (busy("s", "full"), False, False, False),
        (invalid("s", "rubbish"), False, False, False),
        (SERVED, False, False, False),
    ],
    ids=lambda one: getattr(one, "reason", None),
)
def test_what_is_sent_again(failure: Failure, read: bool, safe: bool, tool: bool) -> None:
    for one, repeated in (
        (call(), read),
        (call("tools/call", "safe_look"), safe),
        (call("tools/call", "pay"), tool),
    ):
        setting = Setting()
        reply = setting.ask(one, failure, DONE)
        assert (reply is DONE, setting.sent) == (repeated, 2 if repeated else 1), one.target


@pytest.mark.parametrize(
    "params", [{"inputResponses": {}}, {"requestState": "x"}, {"task": {"ttl": 1}}]
)
def test_a_round_of_a_conversation_is_never_sent_again(params: dict[str, Any]) -> None:
    for failure in (LOST, UNSENT):
        setting = Setting()
        one = call("tools/call", "safe_look", params=Raw.of(params))
        assert setting.ask(one, failure, DONE) is failure


def test_who_follows_the_progress_sees_it_only_grow() -> None:
    assert Setting().ask(call(wants_progress=True), LOST, DONE) is LOST
    assert Setting().ask(call(wants_progress=True), UNSENT, DONE) is DONE


@pytest.mark.parametrize(
    ("method", "concerned"),
    [
        ("tools/list", True),
        ("completion/complete", True),
        ("prompts/get", True),
        ("tasks/get", True),
        ("tasks/update", False),
        ("tasks/cancel", False),
        ("subscriptions/listen", False),
        ("logging/setLevel", False),
        ("notifications/roots/list_changed", False),
    ],
)
def test_methods(method: str, concerned: bool) -> None:
    assert Setting().policy.concerns(method) is concerned


@pytest.mark.parametrize(
    ("tools", "patterns", "tool", "repeated"),
    [
        ("annotated", {}, "safe_look", True),
        ("never", {}, "safe_look", False),
        ("always", {}, "pay", True),
        ("annotated", {"pay*": "always"}, "pay_once", True),
        ("annotated", {"safe_l*": "never", "safe_*": "always"}, "safe_look", False),
        ("never", {"safe_*": "annotated"}, "safe_look", True),
        ("never", {"*": "annotated"}, "pay", False),
    ],
)
def test_trust_in_annotations(
    tools: Which, patterns: dict[str, Which], tool: str, repeated: bool
) -> None:
    setting = Setting(tools=tools, patterns=patterns)
    assert (setting.ask(call("tools/call", tool), LOST, DONE) is DONE) is repeated


def test_pauses_grow_with_jitter_and_end() -> None:
    setting = Setting(attempts=6, first=0.1, longest=0.5, jitter=0.5)
    assert setting.ask(call(), LOST) is LOST
    assert setting.pauses == pytest.approx([0.05, 0.1, 0.2, 0.25, 0.25])
    assert setting.sent == 6


def test_never_sooner_than_the_server_asks() -> None:
    setting = Setting(first=0.1, jitter=0.5)
    assert setting.ask(call(), from_status("s", 429, b"2"), DONE) is DONE
    assert setting.pauses == pytest.approx([2.05])


def test_the_deadline_holds() -> None:
    setting = Setting(jitter=1.0, first=1.0)
    due = setting.clock.monotonic() + 1.5
    assert setting.ask(call(deadline=due), LOST) is LOST
    assert setting.pauses == [1.0]
    assert setting.clock.monotonic() < due


def test_a_refusal_of_our_own_does_not_hide_what_the_server_did() -> None:
    refused = Failure(code=-32000, message="no", origin="policy", reason="breaker-open")
    assert Setting().ask(call(), LOST, refused) is LOST
    assert Setting().ask(call(), UNSENT, LOST) is LOST


def test_a_server_in_trouble_is_not_buried_in_retries() -> None:
    setting = Setting(attempts=3, share=0.2, floor=0.0, first=0.001)
    sent = 0
    for _ in range(1000):
        setting.ask(call(), LOST)
        sent += setting.sent
    assert sent <= 1000 * 1.2 + 10
    assert sent >= 1000 * 1.2


@given(
    st.floats(0, 1),
    st.floats(0, 5),
    st.lists(st.tuples(st.integers(0, 20), st.floats(0, 10), st.integers(0, 20)), max_size=30),
)
def test_the_budget_is_never_exceeded(
    share: float, floor: float, steps: list[tuple[int, float, int]]
) -> None:
    clock = ManualClock(0)
    budget = Budget(share, floor, clock)
    calls = spent = 0
    for arrived, seconds, wanted in steps:
        clock.advance(seconds)
        for _ in range(arrived):
            budget.earn()
        calls += arrived
        spent += sum(budget.spend() for _ in range(wanted))
        assert spent <= 10 + share * calls + floor * clock.monotonic() + 1e-6
