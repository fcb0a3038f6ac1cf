"""Runs the official conformance suite and reads what it wrote, check by check.

The suite calls a scenario passed when none of its checks failed, so a check that was skipped or
that only warned looks like a pass; here only SUCCESS (and INFO, which states no requirement) is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support import node, running
from tests.support.forks import forked

REVISIONS = ("2025-11-25", "2026-07-28")
SHORT = re.compile(r"^(?:server-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass(frozen=True)
class Outcome:
    """What one run gave: every check of every scenario, by scenario name."""

    checks: dict[str, list[dict[str, Any]]]
    output: str

    def succeeded(self, names: Sequence[str]) -> list[str]:
        """The scenarios whose checks all succeeded, of which there is at least one."""
        return [name for name in names if self.checks.get(name) and not self.trouble([name])]

    def successes(self, names: Sequence[str]) -> int:
        """How many checks of these scenarios succeeded."""
        return sum(
            check["status"] == "SUCCESS" for name in names for check in self.checks.get(name, ())
        )

    def kinds(self, name: str) -> int:
        """How many different checks of a scenario succeeded; a client may cause some twice."""
        return len({c["name"] for c in self.checks.get(name, ()) if c["status"] == "SUCCESS"})

    def trouble(self, names: Sequence[str]) -> list[str]:
        """One line for each check of these scenarios that did not succeed."""
        lines = [f"{name}: not run" for name in names if name not in self.checks]
        for name in names:
            for check in self.checks.get(name, ()):
                if check["status"] not in ("SUCCESS", "INFO"):
                    said = check.get("errorMessage") or json.dumps(check.get("details"))
                    lines.append(f"{name}: {check['id']}: {check['status']}: {said[:600]}")
        return lines


def required(revision: str, role: str) -> list[str]:
    """The scenarios a revision requires of a ``server`` or a ``client``."""
    folder = node.packages() / "@modelcontextprotocol" / "conformance" / "requirements"
    return list(YAML(typ="safe").load(folder / f"{revision}.yaml")[role])


def run_server(url: str, revision: str, folder: Path) -> Outcome:
    """Run every server scenario a revision requires against the endpoint."""
    return run(["server", "--url", url, "--requirements", revision], folder)


def run_client(
    command: Sequence[str],
    scenario: str,
    revision: str,
    folder: Path,
    *more: str,
    **environment: str,
) -> Outcome:
    """Run one client scenario with this command as the client; the suite appends its URL.

    ``more`` arguments are the suite's own: scenarios of extensions run with ``--force`` only.
    """
    chosen = ["--scenario", scenario, "--spec-version", revision, "--timeout", "40000", *more]
    # Each client starts a gateway: importing is most of what it would do.
    program = json.dumps(forked(running.LOCKGATE, "lockgate.gateway.app", "lockgate.cli.up"))
    environment[running.FORKED] = program
    return run(["client", "--command", " ".join(command), *chosen], folder, scenario, **environment)


def run(
    arguments: list[str], folder: Path, scenario: str | None = None, **environment: str
) -> Outcome:
    """Run the suite; ``scenario`` names the only one when the folder's name does not."""
    done = subprocess.run(
        [*node.conformance(), *arguments, "-o", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    checks: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("**/checks.json")):
        found = SHORT.match(path.parent.name)
        name = scenario or (found.group(1) if found else path.parent.name)
        checks[name] = json.loads(path.read_text())
    return Outcome(checks, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
