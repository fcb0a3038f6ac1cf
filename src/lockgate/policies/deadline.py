"""How long a call may take in all: of its server, or of its tool by pattern.

Refuses: nothing by itself; whoever waits or asks a server stops when the time is over. Costs: one
look at the clock. Does not protect from: a server that goes on working
after it has been told to stop.

It is the outermost of what stands before a server, so waiting for a turn and trying again are
within the same time, and what remains of it travels with the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.match import ByTool
from lockgate.core.message import Call, Target
from lockgate.core.policy import Stage

UNBOUNDED: Final = "subscriptions/listen"


class Deadline:
    """Gives calls their time; not a step of a chain, because it neither judges nor waits."""

    name: ClassVar[str] = "deadline"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(
        self, timeout: float, tools: Mapping[str, float] | None = None, clock: Clock = SYSTEM
    ) -> None:
        """`timeout` for every call, but for tools that match one of the patterns of `tools`."""
        self._timeout = timeout
        self._tools = ByTool(list(tools.items()), timeout) if tools else None
        self._now = clock.monotonic

    def due(self, call: Call, target: Target | None) -> float | None:
        """When a call to `target` has to be over: never later than it has to be already."""
        if call.method == UNBOUNDED:
            return call.deadline
        timeout = self._timeout
        if self._tools is not None and target is not None and target.kind == "tool":
            timeout = self._tools[target.name]
        due = self._now() + timeout
        before = call.deadline
        return due if before is None or before > due else before
