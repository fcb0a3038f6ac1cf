"""An event loop whose time is a `ManualClock`: waiting takes no time, and runs are repeatable.

Knows nothing of what runs in it. When nothing is ready the clock jumps to the next timer; when
there is no timer either, what is waited for can never come, and that is an error.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine

from lockgate.testing import ManualClock

T = TypeVar("T")


def bounded(examples: int, steps: int) -> settings:
    """What keeps a state machine's test within seconds, on a busy machine too."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


class _Jump(selectors.SelectSelector):
    """Waits for no socket: instead of sleeping it moves the clock."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        if timeout > 0:
            self._clock.advance(timeout)
        return []


class Timeless(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(_Jump(clock))
        self._clock = clock
        self.faults: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _loop, context: self.faults.append(context))

    def time(self) -> float:
        return self._clock.monotonic()

    def settle(self) -> None:
        """Run what can run now; no time passes."""
        self.run_until_complete(self._quiet())

    def pass_time(self, seconds: float) -> None:
        """Let this much time pass, and everything happen that is due in it."""
        self.run_until_complete(asyncio.sleep(seconds))
        self.settle()

    async def _quiet(self) -> None:
        await asyncio.sleep(0)
        while self._ready:  # noqa: ASYNC110  # pyright: ignore[reportAttributeAccessIssue]
            # asyncio has no public word for "nothing is due", nor an event for it.
            await asyncio.sleep(0)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What has not ended."""
        return [task for task in asyncio.all_tasks(self) if not task.done()]


class Machine(RuleBasedStateMachine):
    """A state machine in a loop of its own; at its end nothing may be left running."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(1000.0)
        self.loop = Timeless(self.clock)

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start something and let it get as far as it can at once."""
        task = self.loop.create_task(work)
        self.loop.settle()
        return task

    def inside(self, act: Callable[[], object]) -> None:
        """Do something as a transport would, and let happen what follows from it."""
        self.loop.call_soon(act)
        self.loop.settle()
        assert self.loop.faults == []

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of something that needs no waiting."""
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        """See the class."""
        try:
            self.loop.run_until_complete(self.end())
            self.loop.settle()
            assert self.loop.tasks() == []
            assert self.loop.faults == []
        finally:
            self.loop.close()

    async def end(self) -> None:
        """End what the test has begun."""
