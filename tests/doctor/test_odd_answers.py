"""Whatever a server answers, the diagnosis goes through to its end and says something."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.steps import STEPS
from lockgate.doctor.visit import HttpSubject, Patience
from tests.doctor.looking import PATIENT, found_in
from tests.doctor.patient import Answer, Asked, Defect, Patient, event, result, right

QUICK = Patience(total=3.0, answer=0.3, stream=0.05, connect=1.0)
NAMES = ["tools", "prompts", "resources", "capabilities", "protocolVersion", "content", "name"]
NAMES += ["supportedVersions", "nextCursor", "inputSchema", "serverInfo", "_meta", "uri", "type"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)


def looked_at(defect: Defect, patience: Patience = QUICK) -> Report:
    async def run() -> Report:
        async with Patient(defect).serve() as url:
            return await examine(HttpSubject(name="odd", url=url), patience=patience)

    return asyncio.run(run())


def whole(report: Report) -> None:
    assert [one.id for one in report.steps] == [one.id for one in STEPS if "http" in one.over]
    assert "check-failed" not in {one.id for one in report.found}, report.found


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(values, min_size=1, max_size=6), st.booleans())
def test_odd_results(odd: list[Any], merged: bool) -> None:
    def defect(patient: Patient, asked: Asked, answer: Answer) -> Answer:
        if asked.id is None or answer.held or not answer.body:
            return answer
        value = odd[patient.count % len(odd)]
        if merged and isinstance(value, dict) and answer.body.startswith(b'{"jsonrpc"'):
            return answer.but(**value) if "result" in answer.json else answer
        return replace(answer, body=result(asked.id, value).body)

    whole(looked_at(defect))


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=5), st.booleans())
def test_odd_bytes(odd: list[bytes], streamed: bool) -> None:
    def defect(patient: Patient, asked: Asked, answer: Answer) -> Answer:
        data = odd[patient.count % len(odd)]
        if patient.count < 4 or answer.held or asked.id is None:
            return answer
        return replace(answer, body=event(data) if streamed else data)

    whole(looked_at(defect))


def test_a_step_that_fails_does_not_cost_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise ValueError("who would have thought")

    monkeypatch.setattr("lockgate.doctor.checks.call.call", broken)
    report = looked_at(right, PATIENT)
    (found,) = found_in(report)
    assert (found.id, found.saw) == ("check-failed", "ValueError: who would have thought")
    assert report.steps[-2].status == "ok"
