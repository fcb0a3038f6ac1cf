"""Why a server's process has ended, in the words of the table of errors.

Must not know: how a process is watched or ended.
"""

from __future__ import annotations

from typing import Final

from lockgate.upstreams.memory import NEEDS_MORE, OverMemory
from lockgate.upstreams.noise import Noisy

NO_STRAY: Final = "Only MCP messages belong on its stdout: have it log to stderr."


def ending_reason(why: str) -> str:
    """What `lockgate.core.codes` calls that a process has ended."""
    if isinstance(why, OverMemory):
        return "memory-ceiling"
    return "server-noisy" if isinstance(why, Noisy) else "server-ended"


def ending_remedy(why: str) -> str | None:
    """What its owner can do about it, where that is known."""
    if isinstance(why, OverMemory):
        return NEEDS_MORE
    return NO_STRAY if isinstance(why, Noisy) else None
