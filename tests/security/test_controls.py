"""The table of controls and the tests that show them agree, in both directions."""

from __future__ import annotations

import pytest

from tests.security.controls import CONTROLS, holds, shown
from tests.security.controls_page import PAGE, written
from tests.security.marking import ROOT
from tests.security.musts import MUSTS, must

holds.load()
must.load()


def test_the_table_is_whole() -> None:
    assert list(CONTROLS) == list(range(1, 47))


@pytest.mark.parametrize("number", CONTROLS)
def test_every_control_is_kept_and_shown(number: int) -> None:
    one = CONTROLS[number]
    assert one.about
    assert one.promise
    assert set(one.musts) <= MUSTS.keys()
    for file in one.enforced:
        assert (ROOT / "src/lockgate" / file).is_file(), file
    if not one.open:
        assert one.enforced, "no file is said to keep it"
        assert shown(number), "no test names it: mark one with @holds"


def test_the_page_of_controls_is_current() -> None:
    current = PAGE.read_text(encoding="utf-8")
    assert current == written(), "run python -m tests.security.controls_page"
