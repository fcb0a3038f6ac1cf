"""What the pages say a model receives of a large result is what it receives."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from bench.tokens import SIZE, all_of_them, log

PAGE = Path(__file__).parents[2] / "docs" / "kit" / "results.md"


def test_the_figures_on_the_page_are_measured() -> None:
    found = asyncio.run(all_of_them())
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| a (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) % \| ([\d.]+) %", page, re.MULTILINE
    )
    assert {row[0] for row in rows} == set(found)
    for name, whole, shown, saved, searched in rows:
        one = found[name]
        assert one.whole == int(whole.replace(",", ""))
        # Ids are drawn anew, and take a few tokens more or less.
        assert abs(one.shown - int(shown)) <= 10
        assert abs(one.saved(one.shown) - float(saved)) <= 0.2
        assert abs(one.saved(one.searched) - float(searched)) <= 0.2


def test_what_a_model_receives_leads_to_the_whole() -> None:
    received = asyncio.run(all_of_them())["log"].received
    assert received.count("read_result(id=") == 1
    assert log()[:60] in received
    assert len(received) < SIZE / 40
