"""What fails in passing is done again, where it may run twice, and not without bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.kit import errors
from lockgate.kit.retry import Retry, retry
from lockgate.testing import ManualClock


class World:
    """Time that passes while something waits, and how often a function was called."""

    def __init__(self, *outcomes: Exception | None, takes: float = 0.0) -> None:
        self.clock = ManualClock()
        self.outcomes = list(outcomes)
        self.takes = takes
        self.calls = 0
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    async def work(self) -> str:
        self.calls += 1
        self.clock.advance(self.takes)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return "done"

    def run(self, jitter: Callable[[], float] = lambda: 1.0, **settings: Any) -> str:
        made = Retry(clock=self.clock, pause=self.pause, jitter=jitter, **settings)
        return asyncio.run(self._run(made))

    async def _run(self, made: Retry) -> str:
        return await made(self.work)()


def test_pauses_grow_and_chance_shortens_them() -> None:
    world = World(*[ConnectionError()] * 4)
    assert world.run(idempotent=True, attempts=5, first=0.1, longest=0.3) == "done"
    assert world.pauses == pytest.approx([0.1, 0.2, 0.3, 0.3])
    world = World(ConnectionError())
    world.run(jitter=lambda: 0.25, idempotent=True)
    assert world.pauses == pytest.approx([0.025])


@pytest.mark.parametrize(
    ("error", "idempotent", "calls"),
    [
        (errors.Unavailable("x"), True, 2),
        (errors.TimedOut("x"), True, 2),
        (TimeoutError(), True, 2),
        (ConnectionResetError(), True, 2),
        (errors.RateLimited("x"), True, 2),
        (errors.Unavailable("x"), False, 1),
        (errors.TimedOut("x"), False, 1),
        (ConnectionResetError(), False, 1),
        (errors.RateLimited("x"), False, 2),
        (ConnectionRefusedError(), False, 2),
        (errors.InvalidInput("x"), True, 1),
        (errors.NotFound("x"), True, 1),
        (KeyError("x"), True, 1),
    ],
)
def test_what_is_done_again(error: Exception, idempotent: bool, calls: int) -> None:
    world = World(error)
    if calls == 1:
        with pytest.raises(type(error)):
            world.run(idempotent=idempotent)
    else:
        assert world.run(idempotent=idempotent) == "done"
    assert world.calls == calls


def test_what_else_is_done_again_can_be_named() -> None:
    world = World(KeyError("x"))
    assert world.run(idempotent=False, on=(KeyError,)) == "done"


def test_whether_it_may_run_twice_has_to_be_said() -> None:
    with pytest.raises(TypeError, match="idempotent"):
        retry()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] - that is the test


def test_it_comes_back_no_sooner_than_it_was_told_or_not_at_all() -> None:
    world = World(errors.Unavailable("x", retry_after=1.0))
    assert world.run(idempotent=True, first=0.1) == "done"
    assert world.pauses == pytest.approx([1.101])
    world = World(errors.Unavailable("x", retry_after=60))
    with pytest.raises(errors.Unavailable):
        world.run(idempotent=True)
    assert world.calls == 1


def test_attempts_and_time_are_bounded() -> None:
    world = World(*[ConnectionError()] * 9)
    with pytest.raises(ConnectionError):
        world.run(idempotent=True)
    assert world.calls == 3
    world = World(*[ConnectionError()] * 9, takes=1.0)
    with pytest.raises(ConnectionError):
        world.run(idempotent=True, attempts=9, within=2.5)
    assert world.calls == 3
    with pytest.raises(ValueError, match="one attempt"):
        Retry(idempotent=True, attempts=0)


def test_what_is_down_gets_no_more_than_a_share_of_retries() -> None:
    async def run() -> int:
        clock = ManualClock()
        calls = 0

        async def pause(seconds: float) -> None:
            del seconds  # no time passes, so no budget comes back by itself

        @Retry(idempotent=True, attempts=5, share=0.1, clock=clock, pause=pause)
        async def work() -> None:
            nonlocal calls
            calls += 1
            raise ConnectionError

        for _ in range(100):
            with pytest.raises(ConnectionError):
                await work()
        return calls

    # A hundred calls, a tenth of them again, and the ten that were saved at first.
    assert asyncio.run(run()) <= 121


def test_a_cancelled_call_is_not_done_again() -> None:
    world = World(asyncio.CancelledError())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - raised all the same
    with pytest.raises(asyncio.CancelledError):
        world.run(idempotent=True, on=(Exception,))
    assert world.calls == 1
