"""A bound on what runs at once, in total and for each principal.

Refuses: a call over either bound, at once, with the reason `too-many-calls`, a stream over its own
with `too-many-streams`; nothing queues here.
Costs: two integer comparisons. Does not protect from: few calls that are each expensive; that is
the deadline's and the upstream limits' part.
"""

from __future__ import annotations

from typing import ClassVar, Final

from lockgate.core.message import Call, Failure
from lockgate.core.policy import Stage

OVERLOADED: Final = -32000
LISTEN: Final = "subscriptions/listen"


class ConcurrencyLimit:
    """Counts running calls. A `subscriptions/listen` stream counts against bounds of its own."""

    name: ClassVar[str] = "concurrency"
    stage: ClassVar[Stage] = Stage.LIMIT

    def __init__(self, total: int, per_principal: int, listens: int) -> None:
        """Bounds on calls in all, calls of one principal, and listen streams in all."""
        self._total = total
        # A share as large as the whole is none, and needs no counting.
        self._per_principal = per_principal if per_principal < total else None
        self._listens = listens
        self._running = 0
        self._listening = 0
        self._by_principal: dict[str, int] = {}

    @property
    def running(self) -> int:
        """Calls that run now, listen streams not counted."""
        return self._running

    def concerns(self, method: str) -> bool:
        """Every method."""
        return True

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`."""
        if call.method == LISTEN:
            if self._listening >= self._listens:
                return self._full(f"{self._listens} streams are open already, the most allowed")
            self._listening += 1
            return None
        if self._running >= self._total:
            return self._refusal(f"{self._total} calls are running already, the most allowed")
        if self._per_principal is not None:
            who = call.principal.id
            mine = self._by_principal.get(who, 0)
            if mine >= self._per_principal:
                return self._refusal(f"{mine} calls of this caller are running, the most allowed")
            self._by_principal[who] = mine + 1
        self._running += 1
        return None

    def leave(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Gate`."""
        if call.method == LISTEN:
            self._listening -= 1
            return
        self._running -= 1
        if self._per_principal is None:
            return
        who = call.principal.id
        left = self._by_principal[who] - 1
        if left:
            self._by_principal[who] = left
        else:
            del self._by_principal[who]

    def _full(self, what: str) -> Failure:
        return Failure(
            code=OVERLOADED,
            message=f"Too many streams at once: {what}.",
            origin="policy",
            reason="too-many-streams",
            policy=self.name,
            data={"retry_after": 1},
            remedy="Close streams that are not needed, or raise lockgate.limits.",
        )

    def _refusal(self, what: str) -> Failure:
        return Failure(
            code=OVERLOADED,
            message=f"Too many calls at once: {what}.",
            origin="policy",
            reason="too-many-calls",
            policy=self.name,
            data={"retry_after": 1},
            remedy="Wait for running calls to end, or raise lockgate.limits in the configuration.",
        )
