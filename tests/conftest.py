"""Markers, and what tests of whole processes share."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, so that a misspelt one is an error under ``--strict-markers``."""
    for line in (
        "control: shows that numbered security controls hold",
        "conformance: runs the official conformance suite",
        "interop: runs clients and servers that nobody here wrote",
        "slow: takes more than ten seconds",
    ):
        config.addinivalue_line("markers", line)
