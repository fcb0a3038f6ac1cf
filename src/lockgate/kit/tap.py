"""Standard input that can be ended from within, for servers that read it in a thread.

Must not know: what comes through it. A thread that waits for input cannot be told to stop, so a
server over stdio hangs at its end until its client says something. Where input comes through a pipe
of our own, closing that is an end like any other. POSIX, and only where input is a pipe or socket:
a terminal or file stays as it is.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from types import TracebackType
from typing import Final

CHUNK: Final = 64 * 1024


class Tap:
    """Between the process's standard input and whoever reads it, while it is entered."""

    def __init__(self) -> None:
        """Nothing is changed yet."""
        self._write = self._real = -1

    def __enter__(self) -> Tap:
        if sys.platform == "win32" or not _is_stream(0):
            return self
        self._real = os.dup(0)
        read, self._write = os.pipe()
        os.dup2(read, 0)
        os.close(read)
        threading.Thread(target=self._pour, name="lockgate-stdin", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.shut()

    def shut(self) -> None:
        """Nothing more comes, whatever the client still says."""
        if self._write >= 0:
            # Not closed: the thread may be writing to it, and the number may soon be another's.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._write)
            os.close(nowhere)

    def _pour(self) -> None:
        try:
            while data := os.read(self._real, CHUNK):
                while data:
                    data = data[os.write(self._write, data) :]
        except OSError:
            pass
        self.shut()


def _is_stream(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
