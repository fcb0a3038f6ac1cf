"""Previews save what they are said to, on results of our own; more are measured by hand."""

from __future__ import annotations

import asyncio

import pytest

from bench.context.results import PREVIEW, measured, own, page_of


@pytest.mark.parametrize("budget", [1000, 2000])
def test_previews_save_most_of_the_tokens_of_results(budget: int) -> None:
    one = asyncio.run(measured(own(), budget))
    assert one.over
    assert one.saved >= 0.7
    assert one.largest <= PREVIEW + 80


def test_a_page_of_50_kb_costs_its_preview_and_its_link() -> None:
    one = asyncio.run(measured([page_of(50_000)], 2000))
    assert one.before > 10_000
    assert 0.96 < one.saved < 0.98
