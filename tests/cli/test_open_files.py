"""`lockgate up` allows itself as many open files as the system lets it, its servers no more."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LOW = 300
HARD = 2000
SIGNAL = {"reload": "signal"}

START = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({LOW}, {HARD}))
os.execv(sys.executable, [sys.executable, "-m", "lockgate.cli.main", *sys.argv[1:]])
"""


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_the_soft_limit_is_raised_and_children_keep_theirs(tmp_path: Path) -> None:
    said = tmp_path / "limit"
    child = f"import resource; open({str(said)!r}, 'w').write(str(resource.getrlimit(7)))"
    assert resource.RLIMIT_NOFILE == 7
    config = tmp_path / "mcp.json"
    server = {"command": sys.executable, "args": ["-c", child]}
    config.write_text(json.dumps({"mcpServers": {"curious": server}, "lockgate": SIGNAL}))
    gateway = subprocess.Popen(
        [sys.executable, "-c", START, "up", str(config), "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert gateway.stderr is not None
        lines: list[str] = []
        for line in gateway.stderr:
            lines.append(line)
            if "servers ready" in line or "server ready" in line:
                break
        assert limits(gateway.pid) == (HARD, HARD)
        assert said.read_text() == str((LOW, HARD))
        # Fewer than the connections that the defaults allow, which is worth a word.
        assert any("only 2000 files may be open" in line for line in lines)
        # More is needed after a reload, and the same again after one that changes nothing of it.
        for page, more in enumerate(({}, {"away": {"url": "http://127.0.0.1:9/mcp"}}, {})):
            servers = {"curious": server, **more}
            settings = {**SIGNAL, "reload_grace": page}
            config.write_text(json.dumps({"mcpServers": servers, "lockgate": settings}))
            gateway.send_signal(signal.SIGHUP)
            lines = [next(iter(gateway.stderr.readline, ""))]
            while "reloaded" not in lines[-1].lower():
                lines.append(next(iter(gateway.stderr.readline, "")))
            assert any("files may be open" in line for line in lines) == bool(more)
    finally:
        gateway.send_signal(signal.SIGTERM)
        gateway.communicate(timeout=60)
