"""Runs wrk for one scenario against one port.

Must not know: what listens there, or what figures are compared with.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cells import Era
from bench.messages import PATH, Scenario, bearer

_SCRIPT: Final = Path(__file__).parent / "load" / "post.lua"


@dataclass(frozen=True)
class Load:
    """What wrk saw. Times in microseconds.

    errors  connections, reads, writes and time-outs that failed, and answers that were not 2xx
            or 3xx.
    bytes   everything received, headers too.
    """

    requests: int
    seconds: float
    bytes: int
    p50: float
    p99: float
    errors: int


def run(
    port: int,
    scenario: Scenario,
    era: Era,
    session: str | None,
    connections: int,
    seconds: int,
    token: str | None = None,
) -> Load:
    """Keep `connections` busy, one request at a time on each, for `seconds`."""
    before, after = scenario.body(era)
    headers = {**scenario.headers(era, session), **bearer(token)}
    environment = {
        **os.environ,
        "BENCH_HEADERS": "".join(f"{name}: {value}\n" for name, value in headers.items()),
        "BENCH_BEFORE": before,
        "BENCH_AFTER": after,
    }
    url = f"http://127.0.0.1:{port}{PATH}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    finished = subprocess.run(
        [*command, "-s", str(_SCRIPT), url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    for line in finished.stdout.splitlines():
        if line.startswith("BENCH "):
            return _load(json.loads(line.removeprefix("BENCH ")))
    raise RuntimeError(f"wrk said nothing of use: {finished.stderr.strip()[-500:]}")


def _load(said: dict[str, float]) -> Load:
    failed = ("connect", "read", "write", "status", "timeout")
    return Load(
        requests=int(said["requests"]),
        seconds=said["microseconds"] / 1e6,
        bytes=int(said["bytes"]),
        p50=said["p50"],
        p99=said["p99"],
        errors=int(sum(said[kind] for kind in failed)),
    )
