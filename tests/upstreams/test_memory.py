"""Whose memory counts, and how much of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams import memory
from lockgate.upstreams.memory import MIB, Held, OverMemory, over, trees

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to ask there")

FORKS = """
import os, sys, time
kept = b"x" * (60 << 20)
for _ in range(4):
    if os.fork() == 0:
        time.sleep(600)
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def child(script: str) -> Iterator[int]:
    """A process that leads a group, once it has said that it is ready."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as made:
        assert made.stdout is not None
        assert made.stdout.readline()
        try:
            yield made.pid
        finally:
            os.killpg(made.pid, 9)


def test_a_tree_is_its_group_and_all_that_has_left_it() -> None:
    table = {
        10: Held(1, 10, 5),
        11: Held(10, 10, 5),
        12: Held(11, 12, 5),  # left the group
        13: Held(12, 13, 5),  # and its child again
        14: Held(1, 10, 5),  # its parent has ended
        15: Held(14, 15, 5),
        20: Held(1, 20, 5),
        21: Held(2, 21, 5),
    }
    found = trees(table, [10, 20, 99])
    assert found == {10: [10, 11, 12, 13, 14, 15], 20: [20], 99: []}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=20))
def test_any_table_ends(rows: list[tuple[int, int]]) -> None:
    table = {pid: Held(parent, group, 1) for pid, (parent, group) in enumerate(rows)}
    for leader, members in trees(table, [1, 2]).items():
        assert {pid for pid, held in table.items() if held.group == leader} <= set(members)
        assert len(set(members)) == len(members)


@pytest.mark.skipif(not memory.LINUX, reason="only Linux says what is shared")
def test_what_forked_processes_share_counts_once() -> None:
    with child(FORKS) as leader:
        assert over({leader: 200 * MIB}) == {}
        found = over({leader: 40 * MIB})
        assert 60 * MIB < found[leader] < 120 * MIB


def test_the_portable_way_sees_the_same() -> None:
    with child(
        "import time; kept = b'x' * (60 << 20); print(1, flush=True); time.sleep(600)"
    ) as it:
        held = memory._from_ps()[it]
        assert held.parent == os.getpid()
        assert held.group == it
        assert 60 * MIB < held.resident < 120 * MIB


def test_what_is_no_table_is_none() -> None:
    assert memory._read(["", "a b c d", "1 2 3", "4 5 6 7"]) == {4: Held(5, 6, 7 * 1024)}


def test_it_says_how_much_and_how_much_may_be() -> None:
    why = OverMemory(512 * MIB, 700 * MIB)
    assert why == "its processes held 700 MiB of memory, and its limits.memory_bytes is 512 MiB"
    assert (why.limit, why.used) == (512 * MIB, 700 * MIB)
