"""Waiting for what has no event of its own.

Must not know: what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(ready: Callable[[], object]) -> None:
    """Let other tasks run until this is so."""
    async with asyncio.timeout(5):
        while not ready():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)


async def settle() -> None:
    """Let everything run that needs nothing but its turn; no time passes."""
    for _ in range(20):
        await asyncio.sleep(0)
