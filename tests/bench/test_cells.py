"""Which combinations are measured, and that the benchmark runs at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cells import CELLS
from bench.measure import Plan, combinations
from bench.messages import SCENARIOS

TOOLS = [shutil.which(tool, path="/usr/bin:/usr/sbin:/usr/local/bin") for tool in ("wrk", "nginx")]
ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments, "--quick"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_only_small_calls_cross_between_eras() -> None:
    every = combinations(Plan(SCENARIOS, CELLS, [1, 32], 1, 1))
    crossing = [(cell.name, scenario.name) for cell, scenario, _ in every if cell.bridged]
    assert set(crossing) == {("modern-handshake", "call"), ("handshake-modern", "call")}
    assert [scenario.name for cell, scenario, _ in every if cell.token] == ["call"] * 2
    assert [scenario.name for cell, scenario, _ in every if not cell.guard] == ["call"] * 2
    assert len(every) == 2 * (2 * 3 + 2 + 1 + 1)


@pytest.mark.slow
@pytest.mark.skipif(not all(TOOLS), reason="wrk or nginx is not installed")
def test_a_quick_comparison_between_eras(tmp_path: Path) -> None:
    written = tmp_path / "all.json"
    cells = ["modern-handshake", "handshake-modern", "modern-token"]
    options = ["--scenarios", "call", "--connections", "2", "--json", str(written)]
    ran = bench("compare", "--cells", *cells, *options)
    assert ran.returncode == 0, ran.stderr
    assert "CONFIG_ARGS" in ran.stdout
    rows = json.loads(written.read_text())["rows"]
    assert [(row["cell"], row["target"]) for row in rows] == [
        (cell, target) for cell in cells for target in ("direct", "nginx", "lockgate")
    ]
    assert not any(row["errors"] for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not TOOLS[0], reason="wrk is not installed")
@pytest.mark.parametrize("server", ["modern", "handshake"])
def test_a_small_crowd(server: str, tmp_path: Path) -> None:
    written = tmp_path / "all.json"
    ran = bench("sessions", "--server", server, "--json", str(written))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(written.read_text())
    assert [stage["count"] for stage in found["stages"]] == [200, 20, 40, 200]
    assert [one["heard"] for one in found["fan_outs"]] == [60, 40]
