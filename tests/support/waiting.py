"""Waiting for what has no event of its own.

Must not know: what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

TURNS: Final = 20


async def until(ready: Callable[[], object], within: float = 60.0) -> None:
    """Let other tasks run until this is so; it fails the test when so many seconds were not enough.

    What needs nothing but its turn has it before any time passes.
    """
    turns = 0
    async with asyncio.timeout(within):
        while not ready():  # see above
            await asyncio.sleep(0 if turns < TURNS else 0.001)
            turns += 1


async def settle() -> None:
    """Let everything run that needs nothing but its turn; no time passes."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
