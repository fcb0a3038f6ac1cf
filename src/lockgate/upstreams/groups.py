"""Process groups: ending one whole, and making sure that none outlives Lockgate.

Must not know: what the processes are for.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from lockgate.upstreams import guardian

POSIX: Final = sys.platform != "win32"

_log: Final = logging.getLogger("lockgate.servers")
_FOR_THE_INTERPRETER: Final = (
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
)
"""What an interpreter built as a shared library may need to start at all."""


class Groups:
    """Every live process group of this process, known to a guardian as well."""

    def __init__(self) -> None:
        """The guardian is started with the first group."""
        self._alive: dict[int, str] = {}
        self._guardian: subprocess.Popen[bytes] | None = None

    def __len__(self) -> int:
        return len(self._alive)

    def prepare(self) -> None:
        """Have a guardian before there is anything to guard.

        Raises:
            OSError: it cannot be started.
        """
        if POSIX and (self._guardian is None or self._guardian.poll() is not None):
            self._start_guardian()

    def add(self, group: int) -> None:
        """A group has started; its number is its leader's process id."""
        self._alive[group] = guardian.start_time(group) if POSIX else ""
        self._tell(f"+{group} {self._alive[group]}")

    def remove(self, group: int) -> None:
        """A group has ended."""
        if self._alive.pop(group, None) is not None:
            self._tell(f"-{group}")

    def pids(self) -> set[int]:
        """The processes that were started here and are waited for."""
        guardian = self._guardian
        return {*self._alive, *([] if guardian is None else [guardian.pid])}

    def end_all(self) -> None:
        """SIGKILL every group at once, and what has left one."""
        strays: dict[int, str] = {}
        for group in self._alive:
            strays |= escaped(group)
        for group in self._alive:
            kill(group)
        kill_strays(strays)

    def forget(self) -> None:
        """After a fork, in the new process: the groups are still the old one's to end."""
        self._alive.clear()
        if self._guardian is not None and self._guardian.stdin is not None:
            # The guardian must not wait for this copy of the pipe's end to close too.
            self._guardian.stdin.close()
            self._guardian.returncode = 0  # not this process's child, so nothing to wait for
        self._guardian = None

    def _tell(self, line: str) -> None:
        """Tell the guardian; one that is dead or stuck is replaced, if there is anything left."""
        if not POSIX or self._write(line) or not self._alive:
            return
        try:
            self._start_guardian()
        except OSError as error:
            _log.error("children are unguarded: %s", error.strerror)

    def _write(self, line: str) -> bool:
        if self._guardian is None or self._guardian.stdin is None:
            return False
        try:
            os.write(self._guardian.stdin.fileno(), f"{line}\n".encode())
        except OSError:  # it is dead, or does not read and its pipe is full
            return False
        return True

    def _start_guardian(self) -> None:
        """Start one (again, should it have been killed) and tell it everything."""
        if self._guardian is not None:
            # Killed before its pipe closes: a guardian whose pipe closes ends every child.
            self._guardian.kill()
            self._guardian.wait()
            if self._guardian.stdin is not None:
                self._guardian.stdin.close()
            self._guardian = None
        self._guardian = started = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-I", "-S", str(Path(guardian.__file__))],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _FOR_THE_INTERPRETER if name in os.environ},
            cwd="/",
            start_new_session=True,
        )
        if started.stdin is not None:
            # A guardian that does not read must not hold Lockgate up.
            os.set_blocking(started.stdin.fileno(), False)
        for group, at in self._alive.items():
            self._write(f"+{group} {at}")


GROUPS: Final = Groups()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=GROUPS.forget)


def terminate(group: int) -> bool:
    """SIGTERM the group; False when it is gone."""
    return _signal(group, signal.SIGTERM)


def kill(group: int) -> bool:
    """SIGKILL the group; False when it is gone."""
    return _signal(group, signal.SIGKILL if POSIX else signal.SIGTERM)


def exists(group: int) -> bool:
    """Whether any process of the group is left."""
    return POSIX and _signal(group, 0)


def escaped(group: int) -> dict[int, str]:
    """Descendants that have left the group, with their start times; see `guardian.escaped`."""
    return guardian.escaped(group) if POSIX else {}


def terminate_strays(strays: dict[int, str]) -> None:
    """SIGTERM what `escaped` found, as far as it is still the same."""
    for pid, started in strays.items():
        guardian.signal_stray(pid, started, signal.SIGTERM)


def kill_strays(strays: dict[int, str]) -> None:
    """SIGKILL what `escaped` found, as far as it is still the same."""
    for pid, started in strays.items():
        guardian.signal_stray(pid, started, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        if POSIX:
            os.killpg(group, number)
        else:
            os.kill(group, number)
    except OSError:
        return False
    return True
