"""A tiny process that ends Lockgate's children when Lockgate itself is gone without a word.

Must not know: anything of the rest; it is started as a script, with nothing but the standard
library, and imports nothing of this package.

Its standard input is a pipe only Lockgate holds the other end of. `+PGID START` and `-PGID` lines
say which process groups live. When the pipe closes, however Lockgate ended, every group that is
still there gets SIGTERM and, a moment later, SIGKILL. Parent-death signals would not do: they
reach no grandchild (npx starts node, uvx starts python), and macOS has none.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PATIENCE = 2.0


def start_time(pid: int) -> str:
    """When a process started, as Linux counts it; empty where that cannot be told."""
    found = _look(pid)
    return found[2] if found else ""


def escaped(leader: int) -> dict[int, str]:
    """Descendants of a group's leader that have left the group, with their start times.

    Linux only; empty elsewhere. A process whose parents have ended is nobody's descendant any more,
    so this has to be asked before anybody is signalled.
    """
    known: dict[int, tuple[int, int, str]] = {}
    try:
        entries = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib doubles the start-up
    except OSError:
        return {}
    for pid in entries:
        found = _look(pid)
        if found is not None:
            known[pid] = found
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in known.items():
        children.setdefault(parent, []).append(pid)
    strays: dict[int, str] = {}
    to_visit = [leader]
    while to_visit:
        for pid in children.pop(to_visit.pop(), ()):
            to_visit.append(pid)
            if known[pid][1] != leader:
                strays[pid] = known[pid][2]
    return strays


def _look(pid: int) -> tuple[int, int, str] | None:
    """Parent, group and start time of a process; None when it is gone or this is not Linux."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib doubles the start-up
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[1]), int(fields[2]), fields[19].decode()
    except (OSError, IndexError, ValueError):
        return None


def signal_group(group: int, started: str, number: int) -> bool:
    """Signal a group, unless its number has passed to somebody else; False when it is gone."""
    if not _same(group, started):
        return False
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


def signal_stray(pid: int, started: str, number: int) -> bool:
    """Signal one process, unless its number has passed to somebody else; False when it is gone."""
    if not started or start_time(pid) != started:
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def _same(group: int, started: str) -> bool:
    # A group whose leader has ended has no start time to compare; its number is still its own.
    now = start_time(group)
    return not (started and now and now != started)


def end(groups: dict[int, str]) -> None:
    """SIGTERM every group and what has left it; SIGKILL what is still there a moment later."""
    strays: dict[int, str] = {}
    for group, started in groups.items():
        if _same(group, started):
            strays |= escaped(group)
    alive = {group for group, at in groups.items() if signal_group(group, at, signal.SIGTERM)}
    left = {pid for pid, at in strays.items() if signal_stray(pid, at, signal.SIGTERM)}
    deadline = time.monotonic() + PATIENCE
    while (alive or left) and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = {group for group in alive if signal_group(group, groups[group], 0)}
        left = {pid for pid in left if signal_stray(pid, strays[pid], 0)}
    for group in alive:
        signal_group(group, groups[group], signal.SIGKILL)
    for pid in left:
        signal_stray(pid, strays[pid], signal.SIGKILL)


def main() -> None:
    """Keep the list of groups; end them all when the pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, str] = {}
    for line in sys.stdin:
        word, _, started = line.strip().partition(" ")
        if word.startswith("+"):
            groups[int(word[1:])] = started
        elif word.startswith("-"):
            groups.pop(int(word[1:]), None)
    end(groups)


if __name__ == "__main__":
    main()
