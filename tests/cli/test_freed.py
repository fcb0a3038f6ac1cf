"""Memory that is freed stays with the gateway, as far as it is likely to need it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lockgate.cli.freed import APART, KEPT

BUSY = f"""
import resource
from lockgate.cli.freed import keep_freed
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        pieces = [bytes(1 << 18) for _ in range(8)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
without = faults()
told = keep_freed()
faults()
print(told, without, faults(), {KEPT}, {APART})
"""


def test_what_is_freed_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True)
    told, without, kept, *_ = done.stdout.split()
    if told == "False":
        pytest.skip("this allocator cannot be told")
    # 50 times 2 MiB: with the usual threshold nearly every page is asked for anew each time.
    assert int(kept) < 1000 < int(without)
