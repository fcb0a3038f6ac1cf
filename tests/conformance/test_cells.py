"""The suite's server scenarios across the eras: each client era against servers of one era alone.

The gateway stands in front of a server that knows a single era, and of a second one of the same or
the other era; the suite's clients know a single era too. What the counts leave out is in
``tests/bridge``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.pending import PENDING_FLEETS
from tests.bridge.requirements import requirement
from tests.support import conformance, running
from tests.support.forks import forked

pytestmark = pytest.mark.conformance

CLIENT = {"L": "2025-11-25", "M": "2026-07-28"}
SERVER = {"L": "old", "M": "new"}
# How many scenarios and checks have to succeed, at least, by client and server era. A scenario
# passes when no check of it fails, as the suite counts: one that only warns has passed.
SCORES = {"LL": (30, 70), "LM": (30, 70), "ML": (36, 117), "MM": (37, 120)}
# What a bridge cannot reach: these insist on the key of a question, which only the server can
# choose, and a server of the handshake era gives its questions none. The first fails, with two
# checks; the second answers before it was asked, and only warns.
OUT_OF_REACH = {
    "ML": (
        "input-required-result-basic-elicitation",
        "input-required-result-ignore-extra-params",
    )
}
# Transport, and the era of the second server.
WARM = {
    "old": ("tests.fixtures.old_everything", "tests.fixtures.old_second"),
    "new": ("tests.fixtures.new_only", "tests.fixtures.everything", "tests.fixtures.second"),
}
FLEETS = [("http", "L"), ("http", "M"), ("stdio", "L"), ("stdio", "M")]


class Endpoints:
    """Gateways in front of fleets, each started when first asked for; servers over HTTP are shared.

    Gateways end before the servers behind them, all at once.
    """

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._urls: dict[str, str] = {}
        self._known: dict[tuple[str, str, str], str] = {}
        self._servers: list[ExitStack] = []
        self._gateways: list[ExitStack] = []

    def url(self, era: str, transport: str, second: str) -> str:
        """The endpoint for this fleet."""
        key = (era, transport, second)
        if key not in self._known:
            servers = {
                # The suite waits 0.6 s for a first answer; a cold start is not what it measures.
                "everything": self._entry(f"{SERVER[era]}_everything", transport)
                | ({"spare": True} if transport == "stdio" else {}),
                "second": self._entry(f"{SERVER[second]}_second", transport),
            }
            config = running.config_of(servers, self._folders.mktemp("cell"), naming="bare")
            self._gateways.append(stack := ExitStack())
            self._known[key] = stack.enter_context(running.gateway(config))
        return self._known[key]

    def _entry(self, name: str, transport: str) -> dict[str, Any]:
        """How a configuration names the fixture; one over HTTP is started."""
        if transport == "stdio":
            # There is one for each session: they are many, and importing is most of what they do.
            plain = running.fixture_command(name, "--stdio")
            command, *arguments = forked(plain, *WARM[name.partition("_")[0]])
            return {"command": command, "args": arguments, "cwd": str(running.REPOSITORY)}
        if name not in self._urls:
            self._servers.append(stack := ExitStack())
            self._urls[name] = stack.enter_context(running.fixture_server(name))
        return {"url": self._urls[name]}

    def close(self) -> None:
        """End everything."""
        for some in (self._gateways, self._servers):
            with ThreadPoolExecutor() as together:
                list(together.map(ExitStack.close, some))


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    made = Endpoints(tmp_path_factory)
    try:
        yield made
    finally:
        made.close()


@requirement("suite-counts", "mixed-fleet")
@pytest.mark.parametrize(("transport", "second"), FLEETS)
def test_required_scenarios(
    cell: str,
    transport: str,
    second: str,
    endpoints: Endpoints,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    reason = PENDING_FLEETS.get((cell, second))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    revision = CLIENT[cell[0]]
    names = conformance.required(revision, "server")
    outcome = conformance.run_server(endpoints.url(cell[1], transport, second), revision, tmp_path)

    reachable = [name for name in names if name not in OUT_OF_REACH.get(cell, ())]
    trouble = outcome.trouble(reachable)
    passed = [name for name in names if passes(outcome.checks.get(name, []))]
    scores = len(passed), outcome.successes(names)
    assert not trouble, "\n".join([str(scores), *trouble, "", outcome.output[-1500:]])
    assert scores == SCORES[cell]


def passes(checks: list[dict[str, Any]]) -> bool:
    """Whether the suite calls a scenario with these checks passed."""
    return bool(checks) and not any(check["status"] == "FAILURE" for check in checks)


@requirement("suite-counts")
def test_a_scenario_out_of_reach_is_out_of_reach(cell: str) -> None:
    names = conformance.required(CLIENT[cell[0]], "server")

    assert set(OUT_OF_REACH.get(cell, ())) <= set(names)
    assert len(names) - SCORES[cell][0] == len(OUT_OF_REACH.get(cell, ())[:1])
