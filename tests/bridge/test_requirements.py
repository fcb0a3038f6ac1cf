"""The table of promises and the tests that hold them agree, in both directions."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import tests.bridge
from tests.bridge.page import PAGE, written
from tests.bridge.pending import PENDING
from tests.bridge.requirements import CELLS, HELD, REQUIREMENTS

MODULES = [
    f"tests.bridge.{found.name}"
    for found in pkgutil.iter_modules(tests.bridge.__path__)
    if found.name.startswith("test_") and found.name != "test_requirements"
]
for name in (*MODULES, "tests.conformance.test_cells"):
    importlib.import_module(name)


@pytest.mark.parametrize("name", [name for name, one in REQUIREMENTS.items() if not one.held_by])
def test_every_promise_is_held_in_each_of_its_cells(name: str) -> None:
    held = {cell for one in HELD if name in one.ids for cell in one.cells}

    assert set(REQUIREMENTS[name].cells) <= held


@pytest.mark.parametrize("module", MODULES)
def test_every_test_holds_a_promise(module: str) -> None:
    tests_there = inspect.getmembers(importlib.import_module(module), inspect.isfunction)
    nameless = [
        name
        for name, function in tests_there
        if name.startswith("test_") and not getattr(function, "promises", ())
    ]

    assert not nameless


ELSEWHERE = [(one.id, test) for one in REQUIREMENTS.values() for test in one.held_by]


@pytest.mark.parametrize(("promise", "test"), ELSEWHERE)
def test_what_is_held_elsewhere_is_a_test_there(promise: str, test: str) -> None:
    path, _, function = test.partition("::")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))

    assert function.startswith("test_")
    assert inspect.isfunction(getattr(module, function))
    assert promise not in {name for one in HELD for name in one.ids}


def test_what_is_pending_is_a_test_in_a_cell_it_holds_in() -> None:
    cells = {one.test: set(one.cells) for one in HELD}

    for name, pending in PENDING.items():
        assert set(pending) <= cells.get(name, set()), name


def test_no_two_tests_share_a_name() -> None:
    names = [one.test for one in HELD]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("one", REQUIREMENTS.values(), ids=lambda one: one.id)
def test_every_promise_says_where_it_comes_from(one: object) -> None:
    text, source = getattr(one, "text", ""), getattr(one, "source", "")
    assert text
    assert source
    assert set(getattr(one, "cells", ())) <= set(CELLS)


def test_the_page_of_crossings_is_current() -> None:
    assert PAGE.read_text() == written(), "run python -m tests.bridge.page"
