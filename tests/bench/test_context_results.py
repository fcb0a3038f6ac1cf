"""Previews save what they are said to, on results of our own; more are measured by hand."""

from __future__ import annotations

import asyncio

import pytest

from bench.context.results import PREVIEW, measured, own, page_of
from lockgate.config.results import ResultsSettings
from lockgate.gateway.lending import Loan
from lockgate.kit.pages import BUDGET


def test_the_defaults_are_the_same_everywhere() -> None:
    said = ResultsSettings()
    assert (said.budget, said.preview) == (BUDGET, PREVIEW) == (Loan().budget, Loan().preview)


@pytest.mark.parametrize("budget", [1000, BUDGET, 2000])
def test_previews_save_most_of_the_tokens_of_results(budget: int) -> None:
    one = asyncio.run(measured(own(), budget))
    assert one.over
    assert one.saved >= 0.7
    assert one.largest <= PREVIEW


def test_a_page_of_50_kb_costs_its_preview_and_its_link() -> None:
    one = asyncio.run(measured([page_of(50_000)]))
    assert one.before > 10_000
    assert 0.98 < one.saved < 0.99
