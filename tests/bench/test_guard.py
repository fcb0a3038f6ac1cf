"""The bars of the guard on the development data, and that the cost grows with the text alone."""

from __future__ import annotations

import pytest

from bench.guard import corpora, growth, judges
from bench.guard.tables import Measured, bars
from tests.security.controls import holds


@holds(35)
@pytest.mark.skipif(bool(corpora.absent()), reason=f"no development data: {corpora.absent()}")
def test_the_bars_are_held() -> None:
    data = corpora.load()
    sets = {"real": data.real, **{f"attack {name}": rows for name, rows in data.attacks.items()}}
    grades = {
        name: judges.lockgate([row.tool for row in rows]).grades for name, rows in sets.items()
    }
    assert len(grades) == 9
    assert len(grades["real"]) > 9000
    # what a scan takes is measured by the benchmark: a busy machine says nothing about it
    assert bars(Measured("lockgate", grades, 0.0), {}) == []


@pytest.mark.parametrize(("which", "least"), [("first", 0.95), ("second", 0.85), ("third", 0.4)])
def test_our_own_examples(which: str, least: float) -> None:
    own = [row for row in corpora.own() if row.source == which]
    grades = judges.lockgate([row.tool for row in own if row.malicious]).grades
    assert sum(one > 0 for one in grades) >= least * len(grades)
    honest = judges.lockgate([row.tool for row in own if not row.malicious]).grades
    assert 2 not in honest


def test_no_text_makes_a_scan_slow() -> None:
    slow = {name: ratio for name, ratio in growth.ratios().items() if ratio > 40}
    # What else the machine does makes one look slow, and another one the next time.
    again = {name: ratio for name, ratio in growth.ratios().items() if ratio > 40} if slow else {}
    assert not slow.keys() & again.keys(), (slow, again)
