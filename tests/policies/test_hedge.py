"""What is asked a second time, when, how often at most, and whose answer is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.attempts import ELSEWHERE, elsewhere
from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Notification, Reply, Result, Target, drop
from lockgate.core.policy import CallNext, Decision
from lockgate.core.raw import EMPTY, Raw
from lockgate.policies.hedge import Hedge, HedgeSettings
from lockgate.testing import ManualClock
from lockgate.upstreams.refusals import from_error, from_status, lost, timed_out, unavailable
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import ErrorObject
from tests.support.waiting import until

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
FIRST = Result(Raw.of({"by": "first"}))
SECOND = Result(Raw.of({"by": "second"}))
ERROR = from_error(ErrorObject(-32603, "no", None))
ASKING = Result(EMPTY, "input_required")
LOST = lost("s", "gone")


def call(method: str = "resources/read", tool: str = "safe_look", **more: Any) -> Call:
    kind = "tool" if method == "tools/call" else "resource"
    return Call(method=method, client=CLIENT, target=Target("s", kind, tool), **more)


class Attempt:
    """One attempt under way."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.cancelled = False


class Setting:
    """A hedge whose waiting ends when the test says so, before a server that does."""

    def __init__(self, *, spare: bool = True, saved: int = 5, **settings: Any) -> None:
        self.clock = ManualClock()
        self.attempts: list[Attempt] = []
        self.waited: list[float] = []
        self.spare = spare
        self.is_late = True
        self.policy = Hedge(
            HedgeSettings(**{"after": 0.2, "share": 1.0, **settings}),
            lambda tool: tool.startswith("safe_"),
            lambda: self.spare,
            self.clock,
            late=self._late,
        )
        self.policy._saved = float(saved)
        self.chain: CallNext = compose([self.policy], self._send)

    async def _late(self, first: asyncio.Task[Reply], seconds: float) -> None:
        self.waited.append(seconds)
        if self.is_late:
            await asyncio.sleep(0)
            self.clock.advance(seconds)
        else:
            await asyncio.wait({first})

    async def _send(self, call: Call) -> Reply:
        attempt = Attempt(call)
        self.attempts.append(attempt)
        try:
            return await attempt.reply
        except asyncio.CancelledError:
            attempt.cancelled = True
            raise

    async def begin(self, one: Call, attempts: int) -> asyncio.Task[Reply]:
        """The call, with so many attempts under way."""
        task = asyncio.ensure_future(self.chain(one))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(self.attempts) == attempts
        return task


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scene()

    asyncio.run(bounded())


Ends = list[tuple[int, Reply]]


@pytest.mark.parametrize(
    ("ends", "taken"),
    [
        ([(0, FIRST)], FIRST),
        ([(1, SECOND)], SECOND),
        ([(0, ERROR)], ERROR),
        ([(1, ERROR)], ERROR),
        ([(0, LOST), (1, SECOND)], SECOND),
        ([(1, LOST), (0, FIRST)], FIRST),
        ([(1, timed_out("s")), (0, FIRST)], FIRST),
        ([(1, from_status("s", 503)), (0, FIRST)], FIRST),
        ([(1, unavailable("s", UpstreamState(), None)), (0, FIRST)], FIRST),
        ([(1, ASKING), (0, FIRST)], FIRST),
        ([(0, ASKING)], ASKING),
        ([(0, LOST), (1, ASKING)], LOST),
        ([(0, LOST), (1, timed_out("s"))], LOST),
        ([(1, timed_out("s")), (0, LOST)], LOST),
    ],
)
def test_the_first_answer_is_taken_and_the_other_attempt_cancelled(
    ends: Ends, taken: Reply
) -> None:
    async def scene() -> None:
        setting = Setting()
        task = await setting.begin(call(), 2)
        for at, reply in ends:
            assert not task.done()
            setting.attempts[at].reply.set_result(reply)
            for _ in range(20):
                await asyncio.sleep(0)
        assert task.done()
        assert task.result() == taken
        ended = {at for at, _ in ends}
        assert [one.cancelled for one in setting.attempts] == [at not in ended for at in (0, 1)]

    play(scene)


def test_the_second_attempt_goes_elsewhere_and_is_not_heard() -> None:
    async def scene() -> None:
        heard: list[Notification] = []
        setting = Setting()
        task = await setting.begin(call(emit=heard.append), 2)
        first, second = setting.attempts
        assert ELSEWHERE not in first.call.facts
        assert second.call.facts[ELSEWHERE] is True
        assert (first.call.emit, second.call.emit) == (heard.append, drop)
        assert first.call.params is second.call.params
        second.reply.set_result(SECOND)
        await task
        assert (setting.policy.made, setting.policy.won) == (1, 1)

    play(scene)


def test_who_leaves_leaves_both() -> None:
    async def scene() -> None:
        setting = Setting()
        task = await setting.begin(call(), 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [one.cancelled for one in setting.attempts] == [True, True]

    play(scene)


@pytest.mark.parametrize(
    ("one", "settings"),
    [
        (call("tools/call", "pay"), {}),
        (call("tools/call").replace(target=None), {}),
        (call(params=Raw.of({"requestState": "s"})), {}),
        (call(params=Raw.of({"inputResponses": {}})), {}),
        (call("tools/call", params=Raw.of({"task": {}})), {}),
        (call(wants_progress=True), {}),
        (call(affinity="session"), {}),
        (elsewhere(call()), {}),
        (call(), {"spare": False}),
        (call(), {"saved": -1}),
    ],
)
def test_what_is_not_safe_is_never_asked_twice(one: Call, settings: dict[str, Any]) -> None:
    async def scene() -> None:
        setting = Setting(**settings)
        task = await setting.begin(one, 1)
        setting.attempts[0].reply.set_result(FIRST)
        assert await task == FIRST
        assert setting.policy.made == 0

    play(scene)


@pytest.mark.parametrize(
    ("method", "concerned"),
    [
        ("tools/call", True),
        ("resources/read", True),
        ("prompts/get", True),
        ("tools/list", True),
        ("completion/complete", True),
        ("tasks/get", False),
        ("tasks/cancel", False),
        ("logging/setLevel", False),
        ("subscriptions/listen", False),
        ("notifications/initialized", False),
    ],
)
def test_which_methods_are_concerned(method: str, concerned: bool) -> None:
    assert Setting().policy.concerns(method) is concerned


def test_an_answer_in_time_is_asked_for_once() -> None:
    async def scene() -> None:
        setting = Setting()
        setting.is_late = False
        task = await setting.begin(call("tools/call", "safe_look"), 1)
        setting.attempts[0].reply.set_result(LOST)
        assert await task == LOST
        assert setting.waited == [0.2]

    play(scene)


def test_the_same_server_is_asked_again_only_if_told_so() -> None:
    async def scene() -> None:
        setting = Setting(spare=False, same_server=True)
        task = await setting.begin(call(), 2)
        setting.attempts[1].reply.set_result(SECOND)
        assert await task == SECOND

    play(scene)


async def answered(setting: Setting, method: str, seconds: float) -> None:
    """A call that is answered after so long, not hedged."""
    spare, setting.spare = setting.spare, False
    task = asyncio.ensure_future(setting.chain(call(method)))
    await until(lambda: setting.attempts and not setting.attempts[-1].reply.done())
    setting.clock.advance(seconds)
    setting.attempts[-1].reply.set_result(FIRST)
    await task
    setting.spare = spare


def test_late_is_later_than_nearly_all_answers_before() -> None:
    async def scene() -> None:
        setting = Setting(after=None, percentile=0.9, minimum=20)
        setting.is_late = False
        for number in range(19):
            await answered(setting, "resources/read", 1.0 if number == 7 else 0.01)
        assert setting.waited == []
        await answered(setting, "resources/read", 0.01)
        setting.clock.advance(2)
        await answered(setting, "resources/read", 0.01)
        assert 0.01 <= setting.waited[-1] <= 0.0125
        for _ in range(4):
            await answered(setting, "resources/read", 1.0)
        setting.clock.advance(2)
        await answered(setting, "resources/read", 0.01)
        assert 1.0 <= setting.waited[-1] <= 1.25
        waits = len(setting.waited)
        await answered(setting, "prompts/get", 0.01)
        assert len(setting.waited) == waits
        setting.clock.advance(3600)
        await answered(setting, "resources/read", 0.01)
        assert len(setting.waited) == waits

    play(scene)


@given(st.lists(st.booleans(), max_size=120), st.floats(0.01, 1))
def test_never_more_than_the_budget(safe: list[bool], share: float) -> None:
    async def scene() -> None:
        setting = Setting(saved=0, share=share)
        for number, one in enumerate(safe, 1):
            task = asyncio.ensure_future(
                setting.chain(call("tools/call", "safe_look" if one else "pay"))
            )
            before = len(setting.attempts)
            for _ in range(8):
                await asyncio.sleep(0)
            begun = setting.attempts[before:]
            assert len(begun) == 1 or one
            begun[0].reply.set_result(FIRST)
            await task
            assert setting.policy.made <= share * number + 1e-9

    play(scene)


def test_a_decision_is_no_surprise_for_who_observes() -> None:
    async def scene() -> None:
        seen: list[Decision] = []
        setting = Setting()
        chain = compose([setting.policy], setting._send, lambda _, found: seen.append(found))
        task = asyncio.ensure_future(chain(call()))
        await until(lambda: len(setting.attempts) == 2)
        setting.attempts[1].reply.set_result(SECOND)
        await task
        assert seen == []

    play(scene)
