"""Choosing weights by some queries, and measuring on others."""

from __future__ import annotations

import pytest

from bench.context import corpora, cross, figures
from bench.context.cross import PLAIN, Trial


def test_what_is_measured_takes_no_part_in_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    data = corpora.own()
    groups = cross.sources(data.queries)
    seen: list[set[int]] = []

    def tuned(trial: Trial, chosen_by: list[list[int]]) -> cross.Setting:
        assert trial is not None
        seen.append({place for group in chosen_by for place in group})
        return PLAIN

    monkeypatch.setattr(cross, "tuned", tuned)
    for within in (groups, cross.families(data)):
        seen.clear()
        _, rows = cross.left_out(Trial(data), within, groups)
        assert len(rows) == len(data.queries)
        assert len(seen) == len(within)
        for places, used in zip(within.values(), seen, strict=True):
            assert used == set(range(len(data.queries))) - set(places)


def test_a_value_is_chosen_where_it_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross, "FIELD_WEIGHTS", (1.0,))
    monkeypatch.setattr(cross, "LENGTHS", (0.75,))
    monkeypatch.setattr(cross, "CHOICES", {"near": (0.0, 0.6), "number": (1.0, 0.5)})
    data = corpora.own()
    typos = cross.sources(data.queries)["own-typo"]
    chosen = cross.tuned(Trial(data), [typos])
    assert chosen == PLAIN._replace(weights=PLAIN.weights._replace(near=0.6))


def test_margins_lie_between_what_draws_say() -> None:
    better, worse = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0)
    always = figures.margins([[(better, worse)] * 3])
    assert always == {"R@5": (1.0, 1.0, 1.0), "nDCG@10": (1.0, 1.0, 1.0)}
    mixed = figures.margins([[(better, worse), (worse, better)] * 20, [(better, better)]])
    for mean, low, high in mixed.values():
        assert low < mean == 0.0 < high
