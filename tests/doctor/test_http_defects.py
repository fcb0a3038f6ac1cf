"""A server over HTTP with one thing wrong is found to have that, and nothing grave beside it."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject, Patience
from tests.doctor.defects import DEFECTS, old_and_curt
from tests.doctor.patient import Defect, Patient, right

QUICK = Patience(total=5.0, answer=0.5, stream=0.15, connect=1.0)
LATE = Patience(total=0.2, answer=5.0, stream=0.15, connect=1.0)


def looked_at(defect: Defect, patience: Patience = QUICK) -> Report:
    async def run() -> Report:
        async with Patient(defect).serve() as url:
            return await examine(HttpSubject(name="patient", url=url), patience=patience)

    return asyncio.run(run())


def graver(report: Report) -> set[str]:
    return {one.id for one in report.found if one.severity == "error"}


def test_a_server_that_does_all_right_is_found_to() -> None:
    report = looked_at(right)
    assert [one.id for one in report.found] == []
    assert report.outcome == "healthy"
    assert {one.status for one in report.steps} == {"ok"}


def test_an_older_server_of_few_words_is_healthy_too() -> None:
    report = looked_at(old_and_curt)
    assert [one.id for one in report.found] == ["handshake-only"]


@pytest.mark.parametrize("kind", DEFECTS)
def test_what_is_wrong_is_found(kind: str) -> None:
    defect, also = DEFECTS[kind]
    report = looked_at(defect, LATE if kind == "time-up" else QUICK)
    found = {one.id: one for one in report.found}
    assert kind in found, [(one.id, one.saw) for one in report.found]
    assert graver(report) - {kind} <= also, [(one.id, one.saw) for one in report.found]
    if found[kind].severity == "error":
        assert report.outcome in ("broken", "unreachable")
