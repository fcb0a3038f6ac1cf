"""A server over stdio with one thing wrong is found to have that, and nothing grave beside it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lockgate.doctor.report import Report
from lockgate.doctor.run import command_subject, examine
from lockgate.doctor.visit import Patience, StdioSubject
from lockgate.upstreams.spec import StdioSpec
from tests.doctor.looking import NO_STREAM, PATIENT, VAIN, found_in, grave

SCRIPT = Path(__file__).with_name("stdio_patient.py")
# Where something never comes: how long it is waited for.
IN_VAIN = {
    "start-http": VAIN,
    "start-silent": VAIN,
    "exit-stays": replace(PATIENT, leave=2.0),
    "exit-killed": replace(PATIENT, leave=1.0),
    "listen-silent": NO_STREAM,
}

# What is wrong → what else is found.
WRONGS: dict[str, set[str]] = {
    "start-ended": set(),
    "start-module": set(),
    "start-python": set(),
    "start-port": set(),
    "start-permission": set(),
    "start-package": set(),
    "start-environment": set(),
    "start-fragile": set(),
    "start-http": set(),
    "start-silent": set(),
    "stdout-noise": set(),
    "stdout-framing": set(),
    "exit-stays": set(),
    "exit-killed": set(),
    "exit-code": set(),
    "exit-early": {"call-failed", "ping-failed"},
    "initialize-refused": set(),
    "listen-silent": set(),
    "error-id": set(),
}


def looked_at(*arguments: str, patience: Patience = PATIENT) -> Report:
    command = [sys.executable, "-I", "-S", str(SCRIPT), *arguments]
    return asyncio.run(examine(command_subject(command, {}), patience=patience))


def test_a_server_that_does_all_right_is_found_to() -> None:
    report = looked_at()
    assert found_in(report) == []
    assert report.outcome == "healthy"
    seen = {one.id: one for one in report.steps}
    assert seen["call"].saw.startswith("tools/call now")
    assert seen["changes"].saw.count("acknowledged") == 1
    assert "all of them messages" in seen["stdout"].saw


@pytest.mark.parametrize("wrong", WRONGS)
def test_what_is_wrong_is_found(wrong: str) -> None:
    report = looked_at(wrong, patience=IN_VAIN.get(wrong, PATIENT))
    found = {one.id: one for one in report.found}
    assert wrong in found, [(one.id, one.saw) for one in report.found]
    assert grave(report) - {wrong} <= WRONGS[wrong], [(one.id, one.saw) for one in report.found]
    if wrong.startswith("start-") and found[wrong].severity == "error":
        assert report.outcome == "unreachable"


def test_an_older_server_is_healthy_too() -> None:
    report = looked_at("old")
    assert {one.id for one in found_in(report)} == {"handshake-only"}


@pytest.mark.parametrize("command", [["lockgate-no-such-program"], [str(SCRIPT.parent)]])
def test_a_command_that_cannot_be_started(command: list[str]) -> None:
    report = asyncio.run(examine(command_subject(command, {}), patience=PATIENT))
    assert [one.id for one in report.found] == ["command-missing"]
    assert report.outcome == "unreachable"


def test_a_sandbox_that_cannot_be_held_is_told() -> None:
    spec = StdioSpec(command=sys.executable, args=("-I", "-S", str(SCRIPT)))
    subject = StdioSubject(name="held", spec=spec, sandbox="strict, network none", lacks=("none",))
    report = asyncio.run(examine(subject, patience=PATIENT))
    assert [(one.id, one.saw) for one in found_in(report)] == [("sandbox-lacking", "none")]
