"""Every call to a server ends: with its answer, or at its deadline.

Refuses: to wait longer than the server's `timeout`; the upstream call is then cancelled. Costs: one
timer per call. Does not protect from: a server that goes on working after it was told to stop.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Failure, Reply
from lockgate.core.policy import CallNext, Stage

REQUEST_TIMEOUT: Final = -32001


class Deadline:
    """Sets `Call.deadline` and cancels what is still running then."""

    name: ClassVar[str] = "deadline"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(self, seconds: float, clock: Clock = SYSTEM) -> None:
        """The longest a call to one server may take, in seconds."""
        self._seconds = seconds
        self._clock = clock

    def concerns(self, method: str) -> bool:
        """Every method but the listen stream, which is meant to stay open."""
        return method != "subscriptions/listen"

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        deadline = self._clock.monotonic() + self._seconds
        if call.deadline is not None:
            deadline = min(deadline, call.deadline)
        seconds = deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await call_next(call.replace(deadline=deadline))
        except TimeoutError:
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
