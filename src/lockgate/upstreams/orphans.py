"""What the first process of a container owes to others: burying whom it never started.

Must not know: children that were started here, but for their numbers.

A process whose parent has ended passes to the first process of its container. There that is often
Lockgate itself, and unless it asks how they ended, they stay in the table of processes for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

INTERVAL: Final = 5.0
"""Seconds between two looks."""


async def bury(known: Callable[[], Collection[int]]) -> None:
    """Bury for ever, until cancelled; returns at once where this is not the first process.

    `known` gives the processes that somebody here waits for. It must know one as soon as it is
    there, as seen from this event loop.
    """
    while os.getpid() == 1:
        bury_once(known())
        await asyncio.sleep(INTERVAL)


def bury_once(known: Collection[int]) -> list[int]:
    """Bury those that have ended and are not known; their numbers."""
    buried: list[int] = []
    here = str(os.getpid()).encode()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            state, parent = entry.read_bytes().rpartition(b")")[2].split()[:2]
            pid = int(entry.parent.name)
            if state == b"Z" and parent == here and pid not in known:
                buried.append(os.waitpid(pid, os.WNOHANG)[0])
    return buried
