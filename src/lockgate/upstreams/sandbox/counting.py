"""Control groups that bound how many processes a server has, where the ceiling of users does not.

Must not know: what the processes are for. The system's ceiling on the processes of a user
(RLIMIT_NPROC) never holds for root.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

_numbers: Final = count(1)
_PREFIX: Final = "lockgate"


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


def remove(group: Path) -> None:
    """It is needed no more; one with processes in it is left to whoever comes next."""
    with suppress(OSError):
        group.rmdir()


def _sweep(folder: Path) -> None:
    """Remove the groups of gateways that were killed."""
    for old in folder.glob(f"{_PREFIX}-*-*"):
        owner = old.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(old)
