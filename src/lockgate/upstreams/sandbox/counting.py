"""Control groups that bound how many processes a server has, where the ceiling of users does not.

Must not know: what the processes are for. The system's ceiling on the processes of a user
(RLIMIT_NPROC) never holds for root.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

_numbers: Final = count(1)
_PREFIX: Final = "lockgate"
_AGAIN: Final = (0.02, 0.1, 0.5, 2.0, 10.0)
"""Seconds after which a group is tried again that still had processes in it."""
_left: Final[set[Path]] = set()
"""Groups that nobody needs, and that could not be removed yet."""


def make(folder: str, most: int) -> Path:
    """A group for one server, which may have `most` processes and threads.

    Raises:
        OSError: it cannot be made.
    """
    _sweep(Path(folder))
    made = Path(folder, f"{_PREFIX}-{os.getpid()}-{next(_numbers)}")
    made.mkdir()
    try:
        (made / "pids.max").write_text(str(most))
    except OSError:
        remove(made)
        raise
    return made


def remove(group: Path, again: Sequence[float] = _AGAIN) -> None:
    """It is needed no more. The system may take a moment to let go of what was killed in it."""
    _left.discard(group)
    try:
        group.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        _left.add(group)
        with suppress(RuntimeError):  # outside of an event loop whoever comes next tries it
            if again:
                asyncio.get_running_loop().call_later(again[0], remove, group, again[1:])


def _sweep(folder: Path) -> None:
    """Remove the groups of gateways that were killed, and ours that were not empty before."""
    for old in tuple(_left):
        remove(old, ())
    for old in folder.glob(f"{_PREFIX}-*-*"):
        owner = old.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(old, ())
