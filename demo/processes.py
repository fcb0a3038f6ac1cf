"""Start programs for as long as the demo runs, and end them with everything they started.

Must not know: what the programs are.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.screen import Stopped

GRACE = 15.0  # seconds to end by itself after SIGTERM
PAUSE = 0.1  # seconds between two looks


class Running:
    """One program: its process, and where it writes."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, more: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        # A session of its own: Ctrl-C reaches the demo alone, which then ends them in order.
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(more or {})},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise when it has ended.

        Raises:
            Stopped: it has, with the end of what it wrote.
        """
        code = self.process.poll()
        if code is None:
            return
        last = "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-15:])
        raise Stopped(
            f"{self.name} ended with exit code {code}. The end of {self.log}:\n{last}",
            "Run make demo again. If it stays so, please report it with these lines.",
        )

    def stop(self) -> int:
        """Ask it to end, wait, and kill what is left of its group; returns its exit code.

        Whoever presses Ctrl-C again does not want to wait.
        """
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            self.process.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()


def wait_for_port(running: Running, port: int, seconds: float = 30.0) -> None:
    """Wait until the program accepts connections.

    Raises:
        Stopped: it ended, or did not listen in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        running.check()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(PAUSE)
    raise Stopped(
        f"{running.name} did not listen on port {port} within {seconds:g} seconds",
        f"See {running.log}, and run make demo again.",
    )


def free_port(wanted: int = 0) -> int:
    """The wanted port when it is free, any free one otherwise."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise Stopped("no port is free on 127.0.0.1", "End some programs that listen, and try again.")
