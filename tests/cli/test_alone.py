"""One process at a time changes a file, so that no change is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lockgate.cli.alone import alone
from lockgate.errors import LockgateError
from lockgate.identity.keys import read_keys
from tests.cli.program import COMMAND, environment

HOLDER = """
import sys, time
from pathlib import Path
from lockgate.cli.alone import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_no_change_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")

    def add(_: int) -> None:
        for _ in range(20):
            with alone(file):
                file.write_text(str(int(file.read_text()) + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert file.read_text() == "160"
    assert [one.name for one in tmp_path.iterdir()] == ["count"], "no lock is left"


def test_keys_made_at_once_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    names = ["a", "b", "c", "d"]
    made = [
        subprocess.Popen(
            [*COMMAND, "keys", "new", str(file), name],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for name in names
    ]
    texts = [one.communicate(timeout=60)[0] for one in made]
    assert [one.returncode for one in made] == [0] * len(names)
    assert len(set(texts)) == len(names)
    assert sorted(one.name for one in read_keys(file.read_bytes())) == names
    assert [one.name for one in tmp_path.iterdir()] == ["keys.json"]


def test_who_is_killed_holds_nobody_up_and_who_lives_is_not_waited_for_long(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keys.json"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], env=environment(), stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockgateError, match="being changed by another process"), alone(file, 0):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=60)
    with alone(file):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="cannot be changed"), alone(tmp_path / "no" / "file"):
        pass
