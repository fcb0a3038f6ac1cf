"""What is promised and does not hold yet: test, cell, why. The only place that says so.

Each entry is a strict expected failure: when it begins to pass the run fails until it is deleted.
"""

from __future__ import annotations

PENDING: dict[str, dict[str, str]] = {}

PENDING_FLEETS: dict[tuple[str, str], str] = {}
"""The suite's runs, by cell and the second server's era."""
