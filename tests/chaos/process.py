"""`lockgate up` as a process of its own, in a storm.

Must not know: servers, clients, schedules.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.callers import Caller, GatewayGone
from tests.support.running import LOCKGATE, plain_environment

MEASURING = """
import ctypes, gc, os, signal, sys
from pathlib import Path

def measure(*_):
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    said = Path(os.environ["MEASURED"])
    rollup = dict(
        line.split()[:2]
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    )
    new = said.with_suffix(".new")
    new.write_text(f"{sys.getallocatedblocks()} {rollup['Pss:']}")
    new.rename(said)

signal.signal(signal.SIGUSR2, measure)
from lockgate.fronts.settings import ExchangeSettings
# What is kept on purpose, for clients that come back, would be kept for minutes.
ExchangeSettings.__init__.__kwdefaults__["replay_seconds"] = 1.0
from lockgate.cli.main import main
main()
"""


@dataclass(frozen=True)
class Memory:
    """What a process holds after a collection.

    blocks     pieces of memory that Python has given out.
    kibibytes  its proportional share of memory (PSS), once what is free has been given back.
    """

    blocks: int
    kibibytes: int


def up(config: Path, port: int, *, measured: Path | None = None) -> subprocess.Popen[bytes]:
    """The gateway as a process; its log goes nowhere. With `measured`, see `memory`."""
    program = LOCKGATE if measured is None else [sys.executable, "-c", MEASURING]
    command = [*program, "up", str(config), "--port", str(port)]
    environment = plain_environment() | ({"MEASURED": str(measured)} if measured else {})
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=environment)


async def memory(process: subprocess.Popen[bytes], measured: Path) -> Memory:
    """What the process holds now, after it has collected what nothing refers to."""
    return await asyncio.to_thread(_memory, process, measured)


def _memory(process: subprocess.Popen[bytes], measured: Path) -> Memory:
    measured.unlink(missing_ok=True)
    process.send_signal(signal.SIGUSR2)
    until = time.monotonic() + 20
    while not measured.exists():
        assert time.monotonic() < until, "the process does not say what it holds"
        time.sleep(0.02)
    return Memory(*map(int, measured.read_text().split()))


def children(pid: int) -> list[int]:
    """Its child processes now."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def whole(port: int, tools: set[str]) -> bool:
    """Whether it serves, and every server behind it does."""
    client = Caller(1000, "modern", port)
    try:
        return tools <= await client.list_tools()
    except GatewayGone:
        return False
    finally:
        client.close()


def gone(process: subprocess.Popen[bytes]) -> None:
    """Have it end, however it is."""
    if process.poll() is None:
        process.kill()
    process.wait(60)
