"""The limit on open files: raised for the gateway, given back to its children."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

LOW = 256

RAISED = f"""
import asyncio, resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({LOW}, hard))
from lockgate.upstreams.descriptors import raise_limit, restorer
assert restorer() is None
wanted = {{wanted}}
assert raise_limit(wanted) == wanted, "raised"
assert raise_limit({LOW}) == wanted, "never lowered"
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
"""

CHILD = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True); input()"


def hard_limit() -> int:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def run(source: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_limit_is_raised_as_far_as_allowed_and_children_get_the_old_one() -> None:
    wanted = min(1024, hard_limit())
    source = (
        RAISED.format(wanted=wanted)
        + f"""
from lockgate.upstreams import spawning
class Owner:
    def __init__(self): self.out = b""; self.over = asyncio.Event()
    def began(self, process): self.process = process
    def data(self, fd, data):
        self.out += data
        if b"\\n" in self.out: self.process.stdin.write(b"\\n")
    def exited(self): pass
    def closed(self): self.over.set()
async def main():
    owner = Owner()
    await spawning.spawn(owner, sys.executable, ["-c", {CHILD!r}], {{}}, None)
    await asyncio.wait_for(owner.over.wait(), 60)
    print(owner.out.split(b"\\n")[0].decode())
asyncio.run(main())
"""
    )
    assert run(source).strip() == str(LOW)
