"""The suite's server scenarios: against the fixture itself, and through the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import conformance

pytestmark = pytest.mark.conformance

# How many scenarios each revision requires, and how many checks they make when all goes well.
SCORES = {"2025-11-25": (30, 70), "2026-07-28": (37, 120)}
# Run by the suite but not scored; the gateway passes them all the same.
ALSO = {
    "2025-11-25": ["server-session-lifecycle", "json-schema-2020-12"],
    "2026-07-28": [
        "json-schema-2020-12",
        "http-header-validation",
        "http-custom-header-server-validation",
    ],
}
# The SDK the fixture is written with does not trim white space around header values.
DIRECT_FAILS = "http-header-validation"


@pytest.mark.parametrize("revision", conformance.REVISIONS)
@pytest.mark.parametrize("endpoint", ["everything", "over_http", "over_stdio", "hardened"])
def test_required_scenarios(
    endpoint: str, revision: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    names = conformance.required(revision, "server")
    outcome = conformance.run_server(request.getfixturevalue(endpoint), revision, tmp_path)

    also = [name for name in ALSO[revision] if endpoint != "everything" or name != DIRECT_FAILS]
    trouble = outcome.trouble(names) + outcome.trouble(also)
    assert not trouble, "\n".join([*trouble, "", outcome.output[-1500:]])
    scores = len(outcome.succeeded(names)), outcome.successes(names)
    assert scores == SCORES[revision]
