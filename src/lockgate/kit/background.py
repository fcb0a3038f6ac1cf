"""Things to be done now and then, which end with the server.

Must not know: what is done. As a lifespan: `MCPServer("name", lifespan=background.lifespan)` and
`FastMCP("name", lifespan=background.lifespan)`; anywhere else `async with background:`.

What is done again and again never runs twice at once, and an error of it is logged and ends nothing
but that time. What is started once is bounded in number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from random import random
from types import TracebackType
from typing import Any, Final

from lockgate.kit.wrapping import name_of, require_async
from lockgate.upstreams.chores import LIMIT, Chores

Job = Callable[[], Awaitable[object]]

_log: Final = logging.getLogger("lockgate.kit")


class Background:
    """Jobs, and what is done at the end."""

    def __init__(
        self,
        *,
        grace: float = 5.0,
        most: int = LIMIT,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random,
    ) -> None:
        """Nothing runs yet.

        Args:
            grace: seconds that what was started once has at the end.
            most: how many of those may run at once.
            pause: waits.
            jitter: gives a number in [0, 1), by which replicas come apart.
        """
        self._grace = grace
        self._most = most
        self._pause = pause
        self._jitter = jitter
        self._jobs: list[tuple[float, Job]] = []
        self._last: list[Job] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._chores: Chores | None = None

    def every(self, seconds: float) -> Callable[[Job], Job]:
        """A decorator: run it each time so many seconds have gone by since it ended.

        The first time comes after a part of that, drawn by chance.

        Raises:
            TypeError: it is not async.
            ValueError: there is no time between.
        """
        if seconds <= 0:
            raise ValueError("there has to be some time between")

        def added(job: Job) -> Job:
            require_async(job, "a job")
            self._jobs.append((seconds, job))
            if self._chores is not None:
                self._begin(seconds, job)
            return job

        return added

    def at_end(self, job: Job) -> Job:
        """A decorator: run it when the server ends; the last that was added first."""
        require_async(job, "a job")
        self._last.append(job)
        return job

    def start(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do something once, with nobody waiting for it; False, and it is not done: too many are.

        Raises:
            RuntimeError: the server does not run.
        """
        if self._chores is None:
            work.close()
            raise RuntimeError("the background has not begun, or is over")
        if self._chores.add(self._once(work)) is not None:
            return True
        work.close()
        return False

    async def __aenter__(self) -> Background:
        self._chores = Chores(self._most)
        for seconds, job in self._jobs:
            self._begin(seconds, job)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        chores, self._chores = self._chores, None
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if chores is not None:
            await chores.finish(self._grace)
        for job in reversed(self._last):
            await self._once(job())

    @asynccontextmanager
    async def lifespan(self, server: Any) -> AsyncGenerator[dict[str, Any]]:
        """For a server's `lifespan`."""
        del server
        async with self:
            yield {"background": self}

    def _begin(self, seconds: float, job: Job) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(self._again(seconds, job)))

    async def _again(self, seconds: float, job: Job) -> None:
        await self._pause(seconds * self._jitter())
        while True:
            await self._once(job(), name_of(job))
            await self._pause(seconds)

    async def _once(self, work: Awaitable[object], name: str = "") -> None:
        try:
            await work
        except Exception:
            _log.exception("background work failed: %s", name or getattr(work, "__qualname__", ""))
