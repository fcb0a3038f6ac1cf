"""Ends calls that take too long, with one timer for all of them.

Must not know: what a call is. Nearly every call ends long before its deadline, so that a timer of
its own would be set up and taken down for nothing; here a call costs one entry in a set.
"""

from __future__ import annotations

import asyncio
from typing import Final

from lockgate.core.clock import SYSTEM, Clock

CLOSEST: Final = 0.01
"""Seconds between two looks, at least."""
FAR: Final = float("inf")


class Watch:
    """One task that is to be cancelled when `due` has passed."""

    __slots__ = ("before", "due", "expired", "task")

    def __init__(self, task: asyncio.Task[object], due: float) -> None:
        self.task = task
        self.due = due
        self.before = task.cancelling()
        self.expired = False

    def late(self) -> bool:
        """Whether the cancellation just caught came from here, and from nowhere else as well."""
        return self.expired and self.task.uncancel() <= self.before


class Deadlines:
    """The tasks being watched."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._watches: set[Watch] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next = FAR

    def __len__(self) -> int:
        return len(self._watches)

    def enter(self, due: float) -> Watch:
        """Cancel the current task once `due` (on the monotonic clock) has passed."""
        # The loop is given, because finding the running one asks the system who we are.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can be watched")
        watch = Watch(task, due)
        self._watches.add(watch)
        if due < self._next:
            self._look_at(due)
        return watch

    def leave(self, watch: Watch) -> None:
        """It is over, in whatever way."""
        self._watches.discard(watch)

    def stop(self) -> None:
        """Watch nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next = None, FAR
        self._watches.clear()

    def _look_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = max(due - self._clock.monotonic(), CLOSEST)
        self._next = due
        self._timer = asyncio.get_running_loop().call_later(wait, self.look)

    def look(self) -> None:
        """Cancel what is late, and look again when the next may be."""
        self._timer, self._next = None, FAR
        now = self._clock.monotonic()
        soonest = FAR
        for watch in tuple(self._watches):
            if watch.due > now:
                soonest = min(soonest, watch.due)
            elif not watch.expired:
                watch.expired = True
                watch.task.cancel()
        if soonest < FAR:
            self._look_at(soonest)
