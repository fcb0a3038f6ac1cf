"""How long tests wait, and what of a report does not depend on how busy this machine is."""

from __future__ import annotations

from dataclasses import replace

from lockgate.doctor.report import Found, Report
from lockgate.doctor.visit import Patience

PATIENT = Patience(total=60.0, answer=20.0, stream=10.0, start=30.0, connect=10.0, leave=20.0)
"""For everything that comes."""
VAIN = Patience(total=60.0, answer=0.5, stream=0.3, start=2.0, connect=0.5, leave=2.0)
"""For a server of whom nothing ever comes."""
NO_STREAM = replace(PATIENT, stream=2.0)
"""For one of whom all comes but a stream."""


def found_in(report: Report) -> list[Found]:
    """What was found, but for how long answers took."""
    return [one for one in report.found if not one.id.startswith("latency-")]


def grave(report: Report) -> set[str]:
    """What was found of severity error."""
    return {one.id for one in report.found if one.severity == "error"}
