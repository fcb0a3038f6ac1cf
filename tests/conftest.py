"""Markers, and what tests of whole processes share."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long one example takes says more about the machine's other work than about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, so that a misspelt one is an error under ``--strict-markers``."""
    for line in (
        "control: shows that numbered security controls hold",
        "conformance: runs the official conformance suite",
        "interop: runs clients and servers that nobody here wrote",
        "slow: takes more than ten seconds",
    ):
        config.addinivalue_line("markers", line)
