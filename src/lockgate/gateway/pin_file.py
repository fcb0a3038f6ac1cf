"""A book of pins on disk: read, and written so that it is there whole or not at all.

Must not know: what is in the book, or who writes it.

A change is made to what the file holds at that moment, under a lock of its folder, so that two
programs that write at the same time lose nothing. It is on the disk (file and folder) when `change`
returns: whatever is then done because of it cannot be forgotten by a crash.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lockgate.errors import LockgateError
from lockgate.guard.pins.book import Book
from lockgate.guard.pins.text import BadBook, read, written

PENDING: Final = "lockgate.pending"
"""Beside it: what a gateway has withheld, for `lockgate approve`. Nothing to be committed."""
MOST_BYTES: Final = 256 * 1024 * 1024
PATIENCE: Final = 2.0
"""Seconds to wait for another program that writes."""
_PAUSE: Final = 0.02
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})


class PinsUnwritable(LockgateError):
    """The file cannot be written; it is as it was."""

    reason = "pins-unwritable"


class PinFile:
    """One book on disk."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    def read(self) -> Book | None:
        """What it holds; None: there is no such file.

        Raises:
            LockgateError: there is one, and it cannot be used.
        """
        try:
            with self.path.open("rb") as handle:
                data = handle.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        if len(data) > MOST_BYTES:
            raise self._unusable("it is over 256 MiB")
        try:
            return read(data)
        except BadBook as error:
            raise self._unusable(str(error)) from error

    def _unusable(self, why: str) -> LockgateError:
        return LockgateError(
            f"{self.path} cannot be used: {why}.",
            "Restore it from version control. If there is no good copy, delete it and look at "
            "everything `lockgate lock` then records.",
            reason="pins-unusable",
        )

    def change(self, how: Callable[[Book | None], Book]) -> Book:
        """What it holds after `how` has changed it; not written when nothing is different.

        Raises:
            PinsUnwritable: it cannot be written.
            LockgateError: what it holds cannot be used.
        """
        try:
            folder = self.path.resolve().parent
            with _alone(folder):
                before = self.read()
                after = how(before)
                text = written(after)
                if before is None or written(before) != text:
                    _replace(self.path.resolve(), text.encode(), folder)
                return after
        except OSError as error:
            raise PinsUnwritable(
                f"{self.path} cannot be written: {error.strerror or error}.",
                "Check the folder; `lockgate lock` makes the file where the folder can be written.",
            ) from error

    def stamp(self) -> tuple[int, int, int] | None:
        """Something else whenever the file may hold something else; None: there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """While the body runs, nobody else is in one for this folder."""
    try:
        import fcntl  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE)
            except OSError as error:
                # Some network file systems have no locks; there, replacing is all there is.
                if error.errno not in _NO_LOCKS:
                    raise
                break
        yield
    finally:
        os.close(handle)


def _replace(path: Path, data: bytes, folder: Path) -> None:
    # There is no secret in it, and whoever reviews or checks it has to read it.
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(made).chmod(mode)
        Path(made).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise
    _sync(folder)


def _sync(folder: Path) -> None:
    """Have the new name on the disk as well."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
