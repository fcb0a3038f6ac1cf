"""Markers, and what tests of whole processes share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# How long one example takes says more about the machine's other work than about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, so that a misspelt one is an error under ``--strict-markers``."""
    for line in (
        "conformance: runs the official conformance suite",
        "interop: runs clients and servers that nobody here wrote",
        "slow: takes more than ten seconds",
    ):
        config.addinivalue_line("markers", line)


@pytest.fixture
def log_as_it_was() -> Iterator[None]:
    """For tests that configure the log of the process: what they changed is taken back."""
    root = logging.getLogger("lockgate")
    before = (list(root.handlers), root.level, root.propagate, logging.raiseExceptions)
    yield
    root.handlers[:], root.propagate = before[0], before[2]
    root.setLevel(before[1])
    logging.raiseExceptions = before[3]
