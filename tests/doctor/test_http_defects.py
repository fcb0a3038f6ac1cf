"""A server over HTTP with one thing wrong is found to have that, and nothing grave beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject, Patience
from tests.doctor.defects import DEFECTS, but, old_and_curt
from tests.doctor.looking import NO_STREAM, PATIENT, VAIN, found_in, grave
from tests.doctor.patient import Answer, Asked, Defect, Patient, error, right

# What is found by waiting for it in vain, and not for long.
IN_VAIN = {
    "http-closed": VAIN,
    "http-none": VAIN,
    "http-silent": VAIN,
    "stream-silent": NO_STREAM,
    "listen-silent": NO_STREAM,
    "time-up": replace(PATIENT, total=0.5),
}


def looked_at(defect: Defect, patience: Patience = PATIENT) -> Report:
    async def run() -> Report:
        async with Patient(defect).serve() as url:
            return await examine(HttpSubject(name="patient", url=url), patience=patience)

    return asyncio.run(run())


def test_a_server_that_does_all_right_is_found_to() -> None:
    report = looked_at(right)
    assert found_in(report) == []
    assert report.outcome == "healthy"
    assert {one.status for one in report.steps if one.id != "latency"} == {"ok"}


def test_an_older_server_of_few_words_is_healthy_too() -> None:
    report = looked_at(old_and_curt)
    assert [one.id for one in found_in(report)] == ["handshake-only"]


REPEATS = {
    "name": "look",
    "description": "Looks something up.",
    "inputSchema": {
        "type": "object",
        "properties": {"where": {"type": "string", "x-mcp-header": "Where"}},
        "required": ["where"],
    },
    "annotations": {"readOnlyHint": True},
}


@pytest.mark.parametrize("checked", [True, False])
def test_arguments_that_are_repeated_in_headers(checked: bool) -> None:
    def defect(patient: Patient, asked: Asked, answer: Answer) -> Answer:
        if asked.method == "tools/list":
            return but(tools=[REPEATS])(asked, answer)
        said = asked.headers.get("mcp-param-where")
        if said is not None and checked and asked.params["arguments"]["where"] != said:
            return error(400, asked.id, -32020, "param header")
        return answer

    found = [one.id for one in found_in(looked_at(defect))]
    assert found == ([] if checked else ["header-unchecked"])


@pytest.mark.parametrize("kind", DEFECTS)
def test_what_is_wrong_is_found(kind: str) -> None:
    defect, also = DEFECTS[kind]
    report = looked_at(defect, IN_VAIN.get(kind, PATIENT))
    found = {one.id: one for one in report.found}
    assert kind in found, [(one.id, one.saw) for one in report.found]
    assert grave(report) - {kind} <= also, [(one.id, one.saw) for one in report.found]
    if found[kind].severity == "error":
        assert report.outcome in ("broken", "unreachable")
