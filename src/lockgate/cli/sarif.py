"""What a scan found as SARIF 2.1.0 (OASIS), for systems that show findings beside code.

Must not know: how anything is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import msgspec

from lockgate import __version__
from lockgate.cli.scanned import Subject
from lockgate.guard.finding import Finding, Severity
from lockgate.guard.signals.kinds import KINDS, Sort

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Severity, str]] = {"block": "error", "review": "warning", "note": "note"}


def report(subjects: Sequence[Subject], kinds: Mapping[str, Sort] = KINDS) -> str:
    """One run with every finding; what could not be scanned is a notification of the run.

    kinds  what is known of each kind of finding.
    """
    results = [_result(one, finding) for one in subjects for finding in one.findings]
    unread = [one for one in subjects if one.error is not None]
    seen = {finding.id: finding for one in subjects for finding in one.findings}
    run = {
        "tool": {
            "driver": {
                "name": "lockgate",
                "version": __version__,
                "rules": [_rule(seen[kind], kinds) for kind in sorted(seen)],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not unread,
                "toolExecutionNotifications": [
                    {
                        "level": "error",
                        "message": {"text": one.error or ""},
                        "locations": [_location(one, "")],
                    }
                    for one in unread
                ],
            }
        ],
        "results": results,
    }
    whole = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


def _rule(finding: Finding, kinds: Mapping[str, Sort]) -> dict[str, Any]:
    sort = kinds.get(finding.id)
    return {
        "id": finding.id,
        "shortDescription": {"text": sort.meaning if sort else finding.summary},
        "help": {"text": sort.remedy if sort else finding.remedy},
        "defaultConfiguration": {"level": _LEVELS[sort.severity if sort else finding.severity]},
    }


def _result(subject: Subject, finding: Finding) -> dict[str, Any]:
    evidence = f" {finding.evidence!r}" if finding.evidence else ""
    return {
        "ruleId": finding.id,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{_called(subject)}: {finding.summary}{evidence}"},
        "locations": [_location(subject, finding.where)],
        "properties": {"severity": finding.severity, "remedy": finding.remedy},
    }


def _called(subject: Subject) -> str:
    return f"{subject.kind} {f'{subject.server}/' if subject.server else ''}{subject.name}"


def _location(subject: Subject, where: str) -> dict[str, Any]:
    name = f"{subject.server}/{subject.name}" if subject.server else subject.name
    found: dict[str, Any] = {
        "logicalLocations": [
            {"fullyQualifiedName": f"{name}:{where}" if where else name, "kind": "member"}
        ]
    }
    if subject.file is not None and subject.file != "<stdin>":
        physical: dict[str, Any] = {"artifactLocation": {"uri": PurePath(subject.file).as_posix()}}
        if subject.line is not None:
            physical["region"] = {"startLine": subject.line}
            if subject.column is not None:
                physical["region"]["startColumn"] = subject.column
        found["physicalLocation"] = physical
    return found
