"""`make demo` on this machine: servers from the registries, the official client, a clean end.

Must not know: how the demo works; reads what a person would read.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOK = r"(?:failed|-|\d+\.\d) ?(?:⇄)?"
ROWS = re.compile(rf"^ *(\w+) +(?:stdio|http) +\w+ +(.*?) +({TOOK}) +({TOOK}) *$", re.MULTILINE)
"""Server, answer, and for a client of each era how long it took or what came of it."""
PYTHON, NODE = {"time", "excel", "calculator"}, {"filesystem", "memory", "everything"}


def _interruptible() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_interruptible,  # noqa: PLW1509 - one call, and no thread is started by then
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.mark.interop
@pytest.mark.slow
def test_the_demo_calls_every_server_and_serves_until_told_to_stop() -> None:
    place = ROOT / ".demo"
    place.mkdir(exist_ok=True)
    # Left by an earlier run, whose servers listened elsewhere.
    (place / "lockgate.lock").write_text("what another run approved", encoding="utf-8")
    with demo("--once") as process:
        said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    rows = {row[1]: (row[2], row[3], row[4]) for row in ROWS.finditer(said)}
    wanted = PYTHON | (set() if "leaving out git" in said else {"git"})
    wanted |= set() if "running the Python servers only" in said else NODE
    assert rows.keys() == wanted, said
    for answer, handshake, modern in rows.values():
        assert answer
        assert re.fullmatch(r"\d+\.\d", handshake.strip()), said
        assert re.match(r"\d+\.\d", modern), said
    assert rows["calculator"][0] == "42"
    # A server of one era serves clients of the other.
    translated = {name for name, row in rows.items() if "⇄" in row[2]}
    assert translated == wanted & ({"calculator"} | NODE)
    # What was installed is kept, so the second run is about serving and stopping.
    with demo() as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Serving "):
                break
        assert any("claude mcp add" in line for line in lines), "".join(lines)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "exit code 0" in rest
