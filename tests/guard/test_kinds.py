"""The tables of findings, and the page that documents them."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.guard.signals.kinds import KINDS, LAUNCH_KINDS, SHADOW_KINDS

PAGE = Path(__file__).parents[2] / "docs/security/scanning.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (block|review|note) \| (.*) \|$", re.MULTILINE)
ALL = {**KINDS, **SHADOW_KINDS, **LAUNCH_KINDS}


def test_the_page_has_every_kind_as_it_is() -> None:
    written = {name: (severity, says) for name, severity, says in ROW.findall(PAGE.read_text())}
    assert written == {name: (sort.severity, sort.meaning) for name, sort in ALL.items()}


def test_kinds_are_sentences() -> None:
    assert len(ALL) == len(KINDS) + len(SHADOW_KINDS) + len(LAUNCH_KINDS)
    for name, sort in ALL.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert sort.meaning.endswith(".")
        assert sort.remedy.endswith(".")
