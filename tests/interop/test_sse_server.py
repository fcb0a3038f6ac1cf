"""The official SDK's own server over HTTP with SSE, behind the gateway: the whole suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import conformance, running

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("sse")
    with (
        running.fixture_server("old_everything", over="sse") as url,
        # Not said to be `sse`: the gateway finds out.
        running.gateway(running.config_of({"old": {"url": url}}, folder)) as found,
    ):
        yield found


@pytest.mark.parametrize(
    ("revision", "least"), [("2025-11-25", (30, 70)), ("2026-07-28", (36, 117))]
)
def test_the_suite(endpoint: str, revision: str, least: tuple[int, int], tmp_path: Path) -> None:
    names = conformance.required(revision, "server")
    outcome = conformance.run_server(endpoint, revision, tmp_path)
    trouble = "\n".join(outcome.trouble(names))
    passed = [
        name
        for name in names
        if outcome.checks.get(name)
        and not any(check["status"] == "FAILURE" for check in outcome.checks[name])
    ]
    assert (len(passed), outcome.successes(names)) >= least, trouble
