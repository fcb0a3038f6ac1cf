"""Waiting for what has no event of its own.

Must not know: what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(ready: Callable[[], object], within: float = 5.0) -> None:
    """Let other tasks run until this is so, for at most so many seconds."""
    async with asyncio.timeout(within):
        while not ready():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Let everything run that needs nothing but its turn; no time passes."""
    for _ in range(20):
        await asyncio.sleep(0)
