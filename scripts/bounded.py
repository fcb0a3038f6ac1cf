"""Run a command for at most so many seconds: `bounded.py SECONDS COMMAND…`.

Must not know: what the command is. The command gets a process group of its own, which is ended as
a whole when the time is over, so that nothing a hanging test has started outlives the run. A signal
to stop is passed on to it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import FrameType

TIMED_OUT = 124
GRACE = 10.0


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code, or 124 when its time was over."""
    seconds, command = float(arguments[0]), arguments[1:]
    child = subprocess.Popen(command, start_new_session=True)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        sys.stdout.flush()
        print(f"stopped: not finished after {seconds:g} seconds", file=sys.stderr)
        return TIMED_OUT
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group: asked first, then killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
