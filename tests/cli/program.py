"""Runs the command line as a person would: as a process, with pipes or in a terminal."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.cli.main import COMMANDS
from tests.support.forks import forked

COMMAND = [sys.executable, "-c", "from lockgate.cli.main import main; main()"]
TINY = Path(__file__).with_name("tiny_server.py")
PATIENCE = 120.0
WARM = ("lockgate.gateway.app", *(module for module, _ in COMMANDS.values()))
KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH")  # the last: which Lockgate is tested


def tiny(**more: Any) -> dict[str, Any]:
    """A server entry for the tiny server; isolated Python starts twice as fast."""
    return {"command": sys.executable, "args": ["-I", "-S", str(TINY)], **more}


def config_file(folder: Path, servers: Mapping[str, Any], **settings: Any) -> Path:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers, "lockgate": settings}))
    path.chmod(0o600)
    return path


def environment(**more: str) -> dict[str, str]:
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    return {**kept, "TERM": "xterm-256color", **more}


def run(*args: object, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The finished program with all it wrote.

    How it starts is not what this is for: what it has to import is there already, unless that is
    to be found elsewhere.
    """
    command = COMMAND if "PYTHONPATH" in environ else forked(COMMAND, *WARM)
    return subprocess.run(
        [*command, *map(str, args)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=environment(**environ),
    )


class Terminal:
    """The program in a pseudo-terminal: stdin, stdout and stderr are the same one."""

    def __init__(self, *args: object, **environ: str) -> None:
        self.ours, theirs = os.openpty()
        self.child = subprocess.Popen(
            [*COMMAND, *map(str, args)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(COLUMNS="120", LINES="40", **environ),
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def read_until(self, text: str) -> str:
        """Everything shown so far, once `text` is part of it; or once the program has ended."""
        ends = time.monotonic() + PATIENCE
        while text not in self.seen:
            readable, _, _ = select.select([self.ours], [], [], max(0, ends - time.monotonic()))
            assert readable, f"{text!r} was not shown: {self.seen}"
            try:
                chunk = os.read(self.ours, 65536)
            except OSError:
                chunk = b""
            if not chunk:
                return self.seen
            self.seen += chunk.decode()
        return self.seen

    def write(self, text: str) -> None:
        """Type something; "\r" is the Enter key."""
        os.write(self.ours, text.encode())

    def read_all(self) -> str:
        return self.read_until("\0never\0")

    def end(self) -> int:
        try:
            return self.child.wait(PATIENCE)
        finally:
            os.close(self.ours)
