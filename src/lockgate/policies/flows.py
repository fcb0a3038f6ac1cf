"""Keeps what was read from flowing where it must not go.

Refuses: a call that may carry on what its caller has read, until a person says yes
(`approval-required`) or at all (`flow-denied`). Costs: two look-ups for a call of a thing that some
flow names, nothing for others. Does not protect from: what a model learnt over another identity, or
longer ago than is remembered.

It cannot be seen whether a model was talked into something by what it read. It can be seen that it
has read what strangers write, and something private, and is now about to write outside: then
somebody who is not a model decides (the "lethal trifecta", S. Willison, 2025). Callers are told
apart by their identity and, where they keep one, their session; whoever has neither shares the
memory of everybody who is anonymous, which asks too often rather than too seldom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from lockgate.core.flowing import Answered
from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.policy import Stage
from lockgate.core.targets import Things
from lockgate.wire.jsonrpc import FORBIDDEN

CONCERNED = frozenset({"tools/call", "prompts/get", "resources/read"})
APPROVED = "approved"


class Flow(msgspec.Struct, frozen=True):
    """One rule: after something of each of `after`, within so many seconds, `about` is not free."""

    name: str
    after: tuple[Things, ...]
    verb: Literal["approve", "deny"]
    about: Things
    within: float


class Flows:
    """All flows, before one server. A valve: it sees what calls came to."""

    name: ClassVar[str] = "flows"
    stage: ClassVar[Stage] = Stage.AUTHORIZE

    def __init__(self, flows: Sequence[Flow], answered: Answered) -> None:
        """`answered` outlives configurations, and is shared by all servers."""
        self._flows = tuple(flows)
        self._answered = answered

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Valve`."""
        return method in CONCERNED

    def enter(self, call: Call, /) -> object:
        """See `lockgate.core.policy.Valve`."""
        target = call.target
        if target is None:
            return None
        caller = _caller(call)
        for flow in self._flows:
            if flow.verb == "approve" and APPROVED in call.facts:
                continue
            lists, within = len(flow.after), flow.within
            if target in flow.about and self._answered.all(flow.name, caller, lists, within):
                return _refused(flow, target)
        return None

    def left(self, call: Call, ticket: Any, reply: Reply | None, /) -> None:
        """See `lockgate.core.policy.Valve`."""
        del ticket
        if not isinstance(reply, Result) or call.target is None:
            return
        for flow in self._flows:
            for number, things in enumerate(flow.after):
                if call.target in things:
                    self._answered.note(flow.name, _caller(call), number)


def _caller(call: Call) -> str:
    endpoint = call.facts.get("endpoint", "")
    return f"{endpoint}\0{call.principal.id}\0{call.affinity or ''}"


def _refused(flow: Flow, target: Target) -> Failure:
    name = target.name[:200]
    because = f"what was read before must not just flow to it ({flow.name})"
    data = {"flow": flow.name, "because": because}
    if flow.verb == "approve":
        return Failure(
            code=FORBIDDEN,
            message=f"{name} needs the approval of a person now: {because}.",
            origin="policy",
            reason="approval-required",
            policy=Flows.name,
            data=data,
            remedy="Call it from a client that can ask its user (form elicitation).",
            rule=flow.name,
        )
    return Failure(
        code=FORBIDDEN,
        message=f"{name} cannot be used now: {because}.",
        origin="policy",
        reason="flow-denied",
        policy=Flows.name,
        data=data,
        remedy=f"Use it in a session that has not read such things, or wait {flow.within:g} s.",
        rule=flow.name,
    )
