"""Small things to be done that nobody waits for, bounded in number and ended together.

Must not know: what they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

LIMIT: Final = 512


class Chores:
    """Tasks that run by themselves; their errors concern nobody."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, chore: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Start it; None, and it is dropped, when too many run already."""
        if len(self._tasks) >= self._limit:
            chore.close()
            return None
        task = asyncio.get_running_loop().create_task(chore)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that the loop does not report it as never retrieved.
            task.exception()

    async def finish(self, grace: float) -> None:
        """Give what runs `grace` seconds to end, then cancel it."""
        tasks = tuple(self._tasks)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
