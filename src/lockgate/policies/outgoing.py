"""Secrets in what is sent to a server: the arguments of tools and prompts.

Refuses, or changes, or just notes, as configured. Costs: one reading of the arguments for hints.
Does not protect from: what has no form by which it is known, and what is encoded otherwise than in
Base64 or percent-encoding; who has to be sure sends nothing to servers that may not have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from lockgate.core.message import Call, Failure, Reply
from lockgate.core.policy import Stage
from lockgate.guard.content import Inspector
from lockgate.guard.seen import Seen

FORBIDDEN: Final = -32000
SENDING: Final = frozenset({"tools/call", "prompts/get", "completion/complete"})
MEMBERS: Final = ("arguments", "argument", "context")


class Outgoing:
    """The inspection of what one server is sent."""

    name: ClassVar[str] = "outgoing-secrets"
    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(self, inspector: Inspector, told: Callable[[Call, Seen], None]) -> None:
        """`told` hears of everything that was found."""
        self._inspector = inspector
        self._told = told

    def concerns(self, method: str) -> bool:
        """What has arguments."""
        return method in SENDING

    def inward(self, call: Call, /) -> Call | Failure:
        """See `lockgate.core.policy.Lens`."""
        data = call.params.member("arguments")
        if data is None:
            return self._looked_through(call) if call.method == "completion/complete" else call
        return self._looked_through(call) if self._inspector.suspects(data) else call

    def _looked_through(self, call: Call) -> Call | Failure:
        params = call.params
        for name in MEMBERS:
            data = params.member(name)
            if data is None or not self._inspector.hinted(data):
                continue
            one = self._inspector.inspect(data)
            for seen in one.seen:
                self._told(call, seen)
            if one.blocked is not None:
                return _refused(sorted({seen.kind for seen in one.seen}))
            if one.data is not data:
                params = params.with_members({name: one.data})
        return call if params is call.params else call.replace(params=params)

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See `lockgate.core.policy.Lens`; replies are not looked at."""
        del call
        return reply


def _refused(found: list[str]) -> Failure:
    return Failure(
        code=FORBIDDEN,
        message=f"The arguments hold a secret ({', '.join(found)}); none goes to this server.",
        origin="policy",
        reason="argument-secret",
        policy=Outgoing.name,
        data={"found": found},
        remedy="Leave it out; lockgate.guard.secrets says what happens to secrets.",
    )
