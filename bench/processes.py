"""CPU time and memory of a process and all its descendants.

Must not know: what the processes are. Linux has both in /proc; elsewhere `ps` is asked, whose CPU
times are coarser.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """cpu: seconds so far, user and system; rss: bytes of memory now."""

    cpu: float
    rss: int


def usage(pid: int) -> Usage:
    """Of `pid` and its descendants together."""
    table = _from_proc() if _PROC.joinpath("self/stat").exists() else _from_ps()
    children: defaultdict[int, list[int]] = defaultdict(list)
    for number, (parent, _) in table.items():
        children[parent].append(number)
    cpu, rss = 0.0, 0
    queue = [pid]
    while queue:
        number = queue.pop()
        queue += children[number]
        if number in table:
            cpu += table[number][1].cpu
            rss += table[number][1].rss
    return Usage(cpu, rss)


def _from_proc() -> dict[int, tuple[int, Usage]]:
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    table: dict[int, tuple[int, Usage]] = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = folder.joinpath("stat").read_text()
        except OSError:
            continue  # it has ended since
        # The name in parentheses may hold spaces; what follows it is regular (proc(5)).
        fields = stat.rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / tick
        table[int(folder.name)] = (int(fields[1]), Usage(cpu, int(fields[21]) * page))
    return table


def _from_ps() -> dict[int, tuple[int, Usage]]:
    said = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,rss=,time="], capture_output=True, text=True, check=True
    )
    table: dict[int, tuple[int, Usage]] = {}
    for line in said.stdout.splitlines():
        pid, parent, kilobytes, time = line.split()
        seconds = 0.0
        for part in time.replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        table[int(pid)] = (int(parent), Usage(seconds, int(kilobytes) * 1024))
    return table
