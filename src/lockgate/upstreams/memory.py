"""How much memory children hold, with all they have started, and who is told that it is too much.

Must not know: what the processes are for, or how they are ended.

A child's memory is looked at once a second, and only while a child with a ceiling runs. Resident
pages are summed over its tree, which is cheap; pages that forked processes share are counted for
each of them, so before anybody is accused the sum is made again with shared pages divided (Linux).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

LINUX: Final = sys.platform == "linux"
INTERVAL: Final = 1.0
"""Seconds between two looks."""
NEEDS_MORE: Final = "If it needs so much, raise its limits.memory_bytes; if not, it leaks."
MIB: Final = 1024 * 1024
_PS: Final = ("/bin/ps", "-axo", "pid=,ppid=,pgid=,rss=")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class OverMemory(str):
    """Why a child has ended: it held more than it may.

    limit, used  bytes.
    """

    __slots__ = ("limit", "used")
    limit: int
    used: int

    def __new__(cls, limit: int, used: int) -> OverMemory:
        """Say so in words."""
        may, held = limit / MIB, used / MIB
        text = (
            f"its processes held {held:.0f} MiB of memory, and its limits.memory_bytes "
            f"is {may:.0f} MiB"
        )
        made = super().__new__(cls, text)
        made.limit, made.used = limit, used
        return made


class Held(NamedTuple):
    """One process: whose it is, and its resident bytes."""

    parent: int
    group: int
    resident: int


def trees(table: dict[int, Held], leaders: Collection[int]) -> dict[int, list[int]]:
    """The processes of each leader: its group, and all descendants wherever they went."""
    children: dict[int, list[int]] = {}
    members: dict[int, list[int]] = {leader: [] for leader in leaders}
    for pid, held in table.items():
        children.setdefault(held.parent, []).append(pid)
        if held.group in members:
            members[held.group].append(pid)
    found: dict[int, list[int]] = {}
    for leader, group in members.items():
        seen = set(group)
        to_visit = [*group]
        while to_visit:
            for pid in children.get(to_visit.pop(), ()):
                if pid not in seen:
                    seen.add(pid)
                    to_visit.append(pid)
        found[leader] = sorted(seen)
    return found


def over(ceilings: dict[int, int]) -> dict[int, int]:
    """Of these leaders, with the bytes each may hold, those that hold more, and how much.

    Takes its time: it reads a line for every process of the machine.
    """
    table = _table()
    found: dict[int, int] = {}
    for leader, members in trees(table, ceilings).items():
        used = sum(table[pid].resident for pid in members)
        if used > ceilings[leader]:
            used = sum(_divided(pid, table[pid].resident) for pid in members)
        if used > ceilings[leader]:
            found[leader] = used
    return found


def _table() -> dict[int, Held]:
    return _from_proc() if LINUX else _from_ps()


def _from_proc() -> dict[int, Held]:
    table: dict[int, Held] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib makes an object of each
        if not name.isdigit():
            continue
        with suppress(OSError, IndexError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().rpartition(b")")[2].split()
            table[int(name)] = Held(int(fields[1]), int(fields[2]), int(fields[21]) * _PAGE)
    return table


def _from_ps() -> dict[int, Held]:
    try:
        said = subprocess.run(  # noqa: S603 - one constant command, of the system itself
            _PS, capture_output=True, check=True, timeout=5
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return _read(said.decode("ascii", "replace").splitlines())


def _read(lines: Iterable[str]) -> dict[int, Held]:
    table: dict[int, Held] = {}
    for line in lines:
        with suppress(ValueError):
            pid, parent, group, kib = map(int, line.split())
            table[pid] = Held(parent, group, kib * 1024)
    return table


def _divided(pid: int, resident: int) -> int:
    """The bytes of a process with its share of what it shares; `resident` where nobody says."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb") as file:
            lines = [line.split() for line in file]
    except OSError:
        return resident
    return next((int(one[1]) * 1024 for one in lines if one[0] == b"Pss:"), resident)


class Watch:
    """Looks at the children of this process that have a ceiling."""

    def __init__(self) -> None:
        """Nothing happens before there is somebody to look at."""
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking = False

    def add(self, leader: int, ceiling: int, too_much: Callable[[int], None]) -> None:
        """Have `too_much` told once how many bytes the tree of `leader` holds over `ceiling`."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Whatever ran on another loop runs no more.
            self._watched.clear()
            self._loop, self._timer, self._looking = loop, None, False
        self._watched[leader] = (ceiling, too_much)
        if self._timer is None:
            self._timer = loop.call_later(INTERVAL, self._look)

    def remove(self, leader: int) -> None:
        """It has ended."""
        self._watched.pop(leader, None)
        if not self._watched and self._timer is not None and not self._looking:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        ceilings = {leader: ceiling for leader, (ceiling, _) in self._watched.items()}
        # The timer is kept until the next is set, so that nobody begins a second round meanwhile.
        self._looking = True
        loop.run_in_executor(None, over, ceilings).add_done_callback(self._seen)

    def _seen(self, looking: asyncio.Future[dict[int, int]]) -> None:
        if looking.get_loop() is not self._loop:
            return
        self._looking = False
        self._timer = None
        found = {} if looking.cancelled() or looking.exception() else looking.result()
        for leader, used in found.items():
            watched = self._watched.pop(leader, None)
            if watched is not None:
                watched[1](used)
        if self._watched:
            self._timer = looking.get_loop().call_later(INTERVAL, self._look)


WATCH: Final = Watch()
