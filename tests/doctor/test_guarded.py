"""What asks for a credential: the challenge, its metadata, and what becomes of a token."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject
from tests.doctor.guarded import GUARDED, TOKEN, Guarded
from tests.doctor.looking import PATIENT, found_in, grave
from tests.doctor.patient import Defect, right


def looked_at(defect: Defect, token: str | None) -> Report:
    async def run() -> Report:
        headers = () if token is None else (("authorization", f"Bearer {token}"),)
        async with Guarded(defect).serve() as url:
            subject = HttpSubject(name="guarded", url=url, headers=headers)
            return await examine(subject, patience=PATIENT)

    return asyncio.run(run())


def test_with_a_good_token_everything_is_looked_at() -> None:
    report = looked_at(right, TOKEN)
    assert found_in(report) == []
    assert report.outcome == "healthy"


def test_without_one_the_way_in_is_looked_at() -> None:
    report = looked_at(right, None)
    assert [one.id for one in report.found] == ["auth-required"]
    assert report.outcome == "guarded"
    assert next(one for one in report.steps if one.id == "era").status == "skipped"


@pytest.mark.parametrize("kind", GUARDED)
def test_what_is_wrong_with_it_is_found(kind: str) -> None:
    defect, token, also = GUARDED[kind]
    report = looked_at(defect, TOKEN if token else None)
    found = {one.id: one for one in report.found}
    assert kind in found, [(one.id, one.saw) for one in report.found]
    assert grave(report) - {kind} <= also
    if found[kind].severity == "error":
        assert report.outcome == "broken"
