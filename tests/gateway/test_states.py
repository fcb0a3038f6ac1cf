"""The page on states is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.core.lifecycle import Step, diagram
from lockgate.gateway.states import MACHINES, PAGE, Machine, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(), "run python -m lockgate.gateway.states"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.module)
def test_every_phase_can_be_reached_and_left_or_is_the_end(machine: Machine) -> None:
    reached = {machine.start}
    for _ in machine.table:
        reached |= {step.phase for (phase, _), step in machine.table.items() if phase in reached}
    phases = {phase for phase, _ in machine.table} | {s.phase for s in machine.table.values()}
    assert reached == phases
    # What ends has an end; these go round for as long as their server is configured.
    endless = machine.module in {"policies/breaker.py", "upstreams/ejection.py"}
    assert any(all(phase != last for phase, _ in machine.table) for last in phases) is not endless
    assert (ROOT / "src" / "lockgate" / machine.module).exists()


def test_a_diagram_names_events_and_actions() -> None:
    table = {
        ("at-rest", "go"): Step[str, str]("moving", "start the motor"),
        ("moving", "stop"): Step[str, str]("at-rest"),
        ("moving", "crash"): Step[str, str]("lost"),
    }
    assert diagram(table, "at-rest").splitlines() == [
        "stateDiagram-v2",
        "    [*] --> at_rest",
        "    at_rest --> moving: go / start the motor",
        "    moving --> at_rest: stop",
        "    moving --> lost: crash",
        "    lost --> [*]",
    ]
