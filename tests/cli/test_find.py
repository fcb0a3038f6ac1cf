"""`lockgate find`, with real servers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.program import config_file, run, tiny


def test_what_is_found_and_why(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny(), "more": tiny()}, expose="search")
    done = run("find", path, "add two numbers", "--server", "more")
    assert done.returncode == 0, done.stderr
    first, why, *_ = done.stdout.splitlines()
    assert first.split()[1] == "more__add"
    assert "add " in why
    found = json.loads(run("find", path, "tiny__add", "--json", "--limit", "1").stdout)
    (one,) = found
    assert (one["name"], one["exact"]) == ("tiny__add", True)
    assert sum(part["adds"] for part in one["terms"]) > 0


def test_nothing_found(tmp_path: Path) -> None:
    path = config_file(tmp_path, {"tiny": tiny()})
    done = run("find", path, "quantum chromodynamics")
    assert (done.returncode, done.stdout) == (0, "Nothing is found.\n")
