"""The suite's client scenarios, through the gateway's upstream half, where none needs a login."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import conformance
from tests.support.caching import REPOSITORY

pytestmark = pytest.mark.conformance

# Scenario by revision, with how many different checks succeed when all goes well.
SCENARIOS = {
    "2025-11-25": {
        "initialize": 1,
        "tools_call": 2,
        "elicitation-sep1034-client-defaults": 5,
        "sse-retry": 3,
    },
    "2026-07-28": {
        "tools_call": 2,
        "request-metadata": 8,
        "sep-2322-client-request-state": 5,
        "http-standard-headers": 11,
        "http-custom-headers": 18,
        "http-invalid-tool-headers": 12,
        "json-schema-ref-no-deref": 1,
    },
}
# Run by the suite but not scored.
ALSO = {revision: {"json-schema-2020-12-preservation": 9} for revision in conformance.REVISIONS}
# Checks that a client of the modern era has no way to make.
SKIPPED = {"ClientMcpMethodHeader_initialize", "ClientMcpMethodHeader_notifications_initialized"}
CELLS = [
    (revision, name)
    for revision in conformance.REVISIONS
    for name in {**SCENARIOS[revision], **ALSO[revision]}
]
CLIENT = [sys.executable, str(REPOSITORY / "tests" / "conformance" / "client.py")]


@pytest.mark.parametrize("revision", conformance.REVISIONS)
def test_no_scenario_without_login_is_left_out(revision: str) -> None:
    required = conformance.required(revision, "client")

    assert {name for name in required if not name.startswith("auth/")} == set(SCENARIOS[revision])
    assert len(required) == {"2025-11-25": 18, "2026-07-28": 32}[revision]


@pytest.mark.parametrize(("revision", "name"), CELLS)
def test_scenario(revision: str, name: str, tmp_path: Path) -> None:
    outcome = conformance.run_client(CLIENT, name, revision, tmp_path)
    for check in outcome.checks.get(name, ()):
        if check["status"] == "SKIPPED" and check["name"] in SKIPPED:
            check["status"] = "INFO"

    trouble = outcome.trouble([name])
    assert not trouble, "\n".join([*trouble, "", outcome.output])
    assert outcome.kinds(name) == {**SCENARIOS[revision], **ALSO[revision]}[name]
