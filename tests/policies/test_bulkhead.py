"""Who works on a server at once, who waits, for how long, and who is next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result
from lockgate.core.policy import CallNext
from lockgate.core.raw import EMPTY
from lockgate.policies.bulkhead import Bulkhead, BulkheadSettings
from lockgate.testing import ManualClock
from tests.support.waiting import settle

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
DONE = Result(EMPTY)


def call(who: str = "a", **more: Any) -> Call:
    return Call(method="tools/call", client=CLIENT, principal=Principal(id=who), **more)


class Timers:
    """Timers that fire when the clock they share is moved."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.due: dict[object, tuple[float, Callable[[], None]]] = {}

    def __call__(self, seconds: float, then: Callable[[], None]) -> Any:
        timers = self

        class One:
            def cancel(self) -> None:
                timers.due.pop(self, None)

        one = One()
        self.due[one] = (self.clock.monotonic() + seconds, then)
        return one

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for one, (due, then) in list(self.due.items()):
            if due <= self.clock.monotonic():
                self.due.pop(one, None)
                then()


class Setting:
    """Calls that run until they are told to end."""

    def __init__(self, **settings: Any) -> None:
        self.timers = Timers()
        self.bulkhead = Bulkhead("s", BulkheadSettings(**settings), self.timers.clock, self.timers)
        self.running: list[tuple[str, asyncio.Event]] = []
        self.order: list[str] = []
        self.chain: CallNext = compose([self.bulkhead], self._work)

    async def _work(self, one: Call) -> Reply:
        entry = (one.principal.id, asyncio.Event())
        self.running.append(entry)
        self.order.append(one.principal.id)
        try:
            await entry[1].wait()
        finally:
            self.running.remove(entry)
        return DONE

    def ask(self, who: str = "a", **more: Any) -> asyncio.Future[Reply]:
        return asyncio.ensure_future(self.chain(call(who, **more)))

    async def end(self, index: int = 0) -> None:
        self.running[index][1].set()
        await settle()


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await check()

    asyncio.run(bounded())


def refused(reply: Reply) -> Failure:
    assert isinstance(reply, Failure)
    assert (reply.reason, reply.policy) == ("server-busy", "bulkhead")
    return reply


@contextmanager
def empty_at_the_end(setting: Setting) -> Iterator[None]:
    yield
    bulkhead = setting.bulkhead
    assert (bulkhead.running, bulkhead.waiting, setting.timers.due) == (0, 0, {})


def test_more_calls_wait_in_order_and_one_more_is_refused() -> None:
    async def check() -> None:
        setting = Setting(running=2, waiting=2)
        with empty_at_the_end(setting):
            asked = [setting.ask() for _ in range(4)]
            await settle()
            assert (setting.bulkhead.running, setting.bulkhead.waiting) == (2, 2)
            failure = refused(await setting.ask())
            assert failure.data == {"server": "s", "retry_after": 1.0}
            while setting.running:
                await setting.end()
            assert await asyncio.gather(*asked) == [DONE] * 4

    run(check)


@pytest.mark.parametrize(("deadline", "waited"), [(None, 3.0), (1.0, 1.0)])
def test_waiting_is_bounded_by_the_setting_and_the_deadline(
    deadline: float | None, waited: float
) -> None:
    async def check() -> None:
        setting = Setting(running=1, wait=3.0)
        with empty_at_the_end(setting):
            first = setting.ask()
            await settle()
            now = setting.timers.clock.monotonic()
            late = setting.ask(deadline=None if deadline is None else now + deadline)
            await settle()
            setting.timers.advance(waited - 0.1)
            await settle()
            assert not late.done()
            setting.timers.advance(0.1)
            refused(await late)
            refused(await setting.ask(deadline=now))
            await setting.end()
            assert await first is DONE

    run(check)


def test_whoever_goes_while_waiting_leaves_no_trace() -> None:
    async def check() -> None:
        setting = Setting(running=1)
        with empty_at_the_end(setting):
            first, gone, second = setting.ask(), setting.ask(), setting.ask("b")
            await settle()
            gone.cancel()
            await settle()
            assert setting.bulkhead.waiting == 1
            await setting.end()
            await setting.end()
            assert await asyncio.gather(first, second) == [DONE, DONE]

    run(check)


def test_a_place_given_to_someone_who_goes_in_that_instant_is_not_lost() -> None:
    async def check() -> None:
        for cancel_first in (True, False):
            setting = Setting(running=1)
            with empty_at_the_end(setting):
                first, gone = setting.ask(), setting.ask()
                await settle()
                if cancel_first:
                    gone.cancel()
                setting.bulkhead.left(call(), True, DONE)
                gone.cancel()
                await settle()
                assert gone.cancelled()
                assert setting.bulkhead.running == 0
                # The first one's place was taken from under it here; give it back.
                assert setting.bulkhead.enter(call()) is True
                await setting.end()
                assert await first is DONE

    run(check)


def test_one_principal_cannot_keep_others_out() -> None:
    async def check() -> None:
        setting = Setting(running=1, waiting=4)
        with empty_at_the_end(setting):
            greedy = [setting.ask("greedy") for _ in range(5)]
            await settle()
            modest = [setting.ask("modest"), setting.ask("modest")]
            await settle()
            assert [one.done() for one in greedy] == [False] * 3 + [True] * 2
            refused(await greedy[-1])
            refused(await setting.ask("modest"))
            refused(await setting.ask("greedy"))
            while setting.running:
                await setting.end()
            assert setting.order == ["greedy", "greedy", "modest", "greedy", "modest"]
            assert await asyncio.gather(*modest) == [DONE, DONE]

    run(check)


def test_a_principal_has_a_bound_of_its_own() -> None:
    async def check() -> None:
        setting = Setting(running=3, each=1)
        with empty_at_the_end(setting):
            asked = [setting.ask("a"), setting.ask("a"), setting.ask("b")]
            await settle()
            assert setting.order == ["a", "b"]
            await setting.end()
            assert setting.order == ["a", "b", "a"]
            while setting.running:
                await setting.end()
            assert await asyncio.gather(*asked) == [DONE] * 3

    run(check)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("abc")),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.sampled_from([0.4, 1.1])),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=40,
)


async def play(setting: Setting, asked: list[asyncio.Future[Reply]], what: str, value: Any) -> None:
    if what == "ask":
        asked.append(setting.ask(value))
    elif what == "end" and value < len(setting.running):
        setting.running[value][1].set()
    elif what == "cancel" and value < len(asked):
        asked[value].cancel()
    elif what == "wait":
        setting.timers.advance(value)
    elif what == "turn":
        for _ in range(value):
            await asyncio.sleep(0)


async def finish(setting: Setting, asked: list[asyncio.Future[Reply]]) -> None:
    while setting.running or setting.bulkhead.waiting:
        for _, event in setting.running:
            event.set()
        await settle()
    for reply in await asyncio.gather(*asked, return_exceptions=True):
        if reply is not DONE and not isinstance(reply, asyncio.CancelledError):
            assert isinstance(reply, Failure)
            refused(reply)


@given(steps, st.integers(1, 3), st.integers(1, 3), st.integers(0, 4))
def test_bounds_hold_and_nobody_waits_beside_a_free_place(
    script: list[tuple[str, Any]], running: int, each: int, waiting: int
) -> None:
    async def check() -> None:
        setting = Setting(running=running, each=each, waiting=waiting, wait=1.0)
        asked: list[asyncio.Future[Reply]] = []
        with empty_at_the_end(setting):
            for what, value in script:
                await play(setting, asked, what, value)
                assert setting.bulkhead.running <= running
                assert setting.bulkhead.waiting <= waiting
            await settle()
            working = [who for who, _ in setting.running]
            assert len(working) == setting.bulkhead.running
            assert all(working.count(who) <= each for who in "abc")
            if setting.bulkhead.waiting and len(working) < running:
                assert any(working.count(who) == each for who in "abc")
            await finish(setting, asked)

    run(check)
