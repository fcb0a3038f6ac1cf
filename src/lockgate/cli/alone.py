"""One process at a time changes a file.

Must not know: what is in it. Readers need no lock: the file is put in its place whole.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from lockgate.errors import LockgateError

WAIT: Final = 10.0
_AGAIN: Final = 0.02


@contextlib.contextmanager
def alone(file: Path, wait: float = WAIT) -> Generator[None, None, None]:
    """Nobody else who asks for it changes `file` meanwhile.

    The lock is a file beside it, which is gone afterwards; that of a process that was killed holds
    nobody up, because the system lets go of it.

    Raises:
        LockgateError: another process holds it for longer than `wait` seconds, or the folder
            cannot be written to.
    """
    path = file.with_name(f".{file.name}.lock")
    until = time.monotonic() + wait
    try:
        while (held := _taken(path)) is None:
            if time.monotonic() >= until:
                raise LockgateError(
                    f"{file} is being changed by another process.",
                    "Try again when that is done.",
                    reason="output-unwritable",
                )
            time.sleep(_AGAIN)
    except OSError as error:
        raise LockgateError(
            f"{file} cannot be changed: {error.strerror}.",
            "Check the folder.",
            reason="output-unwritable",
        ) from error
    try:
        yield
    finally:
        _let_go(path, held)


def _taken(path: Path) -> int | None:
    """The lock's descriptor; None while another has it."""
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # Whoever had it before has taken the file away, so that this may be no longer the one
        # that others come upon.
        if _locked(held) and os.fstat(held).st_ino == _number(path):
            return held
    except BaseException:
        os.close(held)
        raise
    os.close(held)
    return None


def _number(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


if sys.platform == "win32":
    import msvcrt

    def _locked(held: int) -> bool:
        try:
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _let_go(path: Path, held: int) -> None:
        # A file that is open cannot be taken away there; who opens it in between keeps it.
        os.close(held)
        with contextlib.suppress(OSError):
            path.unlink()

else:
    import fcntl

    def _locked(held: int) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(path: Path, held: int) -> None:
        # While it is held: otherwise the file of whoever has it next would be taken away.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(held)
