"""Every call to a server ends: with its answer, or at its deadline.

Refuses: to wait longer than the server's `timeout`; the upstream call is then cancelled. Costs: a
set entry per call, and one timer for all of them while any runs, because a timer of its own for
every call would cost more than the rest of the chain. So a deadline is met late by up to a tenth of
the timeout, and by one second at most. Does not protect from: a server that goes on working after
it was told to stop.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Failure, Reply
from lockgate.core.policy import CallNext, Stage

REQUEST_TIMEOUT: Final = -32001
COARSEST: Final = 1.0


class _Running:
    """One call under a deadline, and the task to cancel."""

    __slots__ = ("cancelling", "deadline", "expired", "task")

    def __init__(self, deadline: float, task: asyncio.Task[object]) -> None:
        self.deadline = deadline
        self.task = task
        self.cancelling = task.cancelling()
        self.expired = False


class Deadline:
    """Sets `Call.deadline` and cancels what is still running then."""

    name: ClassVar[str] = "deadline"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(self, seconds: float, clock: Clock = SYSTEM) -> None:
        """The longest a call to one server may take, in seconds."""
        self._seconds = seconds
        self._clock = clock
        self._running: set[_Running] = set()
        self._timer: asyncio.TimerHandle | None = None

    def concerns(self, method: str) -> bool:
        """Every method but the listen stream, which is meant to stay open."""
        return method != "subscriptions/listen"

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("calls run in tasks")
        deadline = self._clock.monotonic() + self._seconds
        if call.deadline is not None and call.deadline < deadline:
            deadline = call.deadline
        running = _Running(deadline, task)
        self._running.add(running)
        if self._timer is None:
            self._wind()
        try:
            return await call_next(call.replace(deadline=deadline))
        except asyncio.CancelledError:
            # Ours only if nobody else has cancelled the task too (as in asyncio.timeout).
            if running.expired and task.uncancel() <= running.cancelling:
                return self._refusal(call)
            raise
        finally:
            self._running.discard(running)

    def _wind(self) -> None:
        pause = min(self._seconds / 10, COARSEST)
        self._timer = asyncio.get_running_loop().call_later(pause, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        for running in self._running:
            if not running.expired and now >= running.deadline:
                running.expired = True
                running.task.cancel()
        if self._running:
            self._wind()

    def _refusal(self, call: Call) -> Failure:
        server = call.target.server if call.target else "the server"
        return Failure(
            code=REQUEST_TIMEOUT,
            message=f"{server} did not answer {call.method} within {self._seconds:g} s.",
            origin="upstream",
            reason="deadline-exceeded",
            policy=self.name,
            data={"server": server},
            remedy=f"Try again, or raise `timeout` of {server} in the configuration.",
        )
