"""The promises of the bridge, read from `requirements.toml`, and the mark by which tests hold them.

A test names the promises it holds with ``@requirement``; one that takes ``cell`` runs once for each
cell of its first promise, or of those given. ``test_requirements`` fails when a promise has no
test in one of its cells, and when a test names no promise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.bridge.pending import PENDING

Verdict = Literal["crosses", "lossy", "refused"]
CELLS = ("LL", "LM", "ML", "MM")


@dataclass(frozen=True)
class Requirement:
    """One promise; `source` is where the specification says so, or who promises it."""

    id: str
    text: str
    source: str
    cells: tuple[str, ...]
    verdict: Verdict
    held_by: tuple[str, ...]


def _read() -> dict[str, Requirement]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: _entry(name, **entry) for name, entry in table.items()}


def _entry(
    name: str,
    *,
    cells: str,
    text: str,
    source: str,
    verdict: Verdict = "crosses",
    held_by: Sequence[str] = (),
) -> Requirement:
    return Requirement(name, text, source, tuple(cells.split()), verdict, tuple(held_by))


REQUIREMENTS = _read()


@dataclass(frozen=True)
class Held:
    """What one test holds."""

    test: str
    ids: tuple[str, ...]
    cells: tuple[str, ...]


HELD: list[Held] = []


def requirement(*ids: str, cells: str | None = None) -> Callable[[Any], Any]:
    """The test holds these promises, in these cells or in those of the first promise."""
    unknown = [name for name in ids if name not in REQUIREMENTS]
    assert ids, "a test names a promise"
    assert not unknown, f"no such promise: {unknown}"
    found = tuple(cells.split()) if cells is not None else REQUIREMENTS[ids[0]].cells

    def mark(function: Any) -> Any:
        HELD.append(Held(function.__name__, ids, found))
        function.promises = ids
        code = function.__code__
        if "cell" not in code.co_varnames[: code.co_argcount]:
            return function
        return pytest.mark.parametrize("cell", [_case(function.__name__, c) for c in found])(
            function
        )

    return mark


def _case(test: str, cell: str) -> Any:
    known = PENDING.get(test, {})
    reason = known.get(cell)
    marks = () if reason is None else (pytest.mark.xfail(strict=True, reason=reason),)
    return pytest.param(cell, id=cell, marks=marks)
