"""What one look at the memory of children costs: `python -m bench.watching [PROCESSES]`.

Must not know: how children are watched. Starts so many idle processes, so that there is something
to read, and prints milliseconds for one look, and microseconds for each process of the machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from time import perf_counter

from lockgate.upstreams.memory import over

LOOKS = 50


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    idle = [subprocess.Popen(["/bin/sleep", "600"]) for _ in range(count)]
    try:
        took: list[float] = []
        for _ in range(LOOKS):
            began = perf_counter()
            over({os.getpid(): 1 << 40})
            took.append(perf_counter() - began)
        there = sum(name.isdigit() for name in os.listdir("/proc"))  # noqa: PTH208 - names only
    finally:
        for one in idle:
            one.kill()
            one.wait()
    look = statistics.median(took)
    print(f"{there} processes: {look * 1e3:.1f} ms a look, {look / there * 1e6:.0f} µs for each")


if __name__ == "__main__":
    main()
