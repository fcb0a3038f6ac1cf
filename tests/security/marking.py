"""Tests that say which rows of a table they hold, and the way back from a row to its tests.

Must not know: any table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Hashable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

ROOT = Path(__file__).parents[2]


Row = TypeVar("Row", bound=Hashable)


class Held(Generic[Row]):
    """Which tests hold which rows of one table; what it makes is the mark."""

    def __init__(self, mark: str, rows: Collection[Row]) -> None:
        """`mark`: the name tests know this object by."""
        self._mark = mark
        self._rows = rows
        self._by: dict[Row, set[str]] = {}

    def __call__(self, *rows: Row) -> Callable[[Any], Any]:
        """The test holds these rows."""
        unknown = [row for row in rows if row not in self._rows]
        assert rows, "a test names what it holds"
        assert not unknown, f"no such row: {unknown}"

        def marked(function: Any) -> Any:
            place = f"{function.__module__.replace('.', '/')}.py::{function.__name__}"
            for row in rows:
                self._by.setdefault(row, set()).add(place)
            return function

        return marked

    def load(self) -> None:
        """Import every test module that holds a row, so that all of them are known."""
        for path in sorted(ROOT.glob("tests/**/test_*.py")):
            if f"@{self._mark}(" in path.read_text(encoding="utf-8"):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))

    def by(self, row: Row) -> set[str]:
        """The tests that hold a row, as `file::function`."""
        return self._by.get(row, set())


def links(tests: Iterable[str]) -> str:
    """The files of these tests, linked from a page two folders below the root."""
    files = sorted({test.partition("::")[0] for test in tests})
    return ", ".join(f"[{Path(file).stem}](../../{file})" for file in files)
