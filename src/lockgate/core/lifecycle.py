"""State machines as tables: what may follow what, readable by code and by people.

Must not know: any machine. Each stands beside the code that runs by it; `docs/concepts/states.md`
is drawn from the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

Phase = TypeVar("Phase", bound=str)
Event = TypeVar("Event", bound=str)
Action = TypeVar("Action", bound=str)


class Step(msgspec.Struct, Generic[Phase, Action], frozen=True):
    """What an event leads to: the next phase, and what has to be done on the way, if anything."""

    phase: Phase
    action: Action | None = None


Table = Mapping[tuple[Phase, Event], Step[Phase, Action]]
"""(phase, event) -> step. A pair that is missing is an event that changes nothing then."""


def diagram(edges: Mapping[tuple[Phase, Event], Step[Phase, Action]], start: str) -> str:
    """A table as a Mermaid state diagram, in the table's order.

    Args:
        edges: the table.
        start: the first phase. Phases nothing leads out of are the last ones.

    Returns:
        The diagram, without the fence that marks it in a page.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {_id(start)}"]
    for (phase, event), step in edges.items():
        said = event if step.action is None else f"{event} / {step.action}"
        lines.append(f"    {_id(phase)} --> {_id(step.phase)}: {said}")
    going = {phase for phase, _ in edges}
    reached = dict.fromkeys(step.phase for step in edges.values())
    lines += [f"    {_id(phase)} --> [*]" for phase in reached if phase not in going]
    return "\n".join(lines)


def _id(phase: str) -> str:
    # Mermaid takes no hyphen in the name of a state.
    return phase.replace("-", "_")
