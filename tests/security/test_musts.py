"""The table of demands and the tests that hold them agree, in both directions."""

from __future__ import annotations

import pytest

from tests.security.musts import MUSTS, Must, must
from tests.security.musts_page import PAGE, ROLES, written

must.load()


@pytest.mark.parametrize("one", MUSTS.values(), ids=lambda one: one.id)
def test_every_demand_is_held(one: Must) -> None:
    assert must.by(one.id), "no test names it: mark one with @must"
    assert one.role in ROLES
    assert one.text
    assert one.source
    assert "TODO" not in (one.text, one.source)


def test_the_page_of_demands_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run python -m tests.security.musts_page"
