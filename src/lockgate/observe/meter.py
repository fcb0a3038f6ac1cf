"""What calls come to and how long they take, counted; nothing is formatted before it is asked for.

Must not know: how counts are shown, what calls are about. A call costs a few additions on its way
through; what is counted is bounded by the configuration: endpoints, methods, servers and reasons.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from time import perf_counter
from typing import Any, ClassVar, Final

from lockgate.core.message import LISTEN, Call, Failure, Reply, Result
from lockgate.core.policy import Stage
from lockgate.observe.ledger import Ledger

BOUNDS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)
"""Upper bounds of the buckets of a histogram, in seconds; what took longer is in one more."""
MOST_REASONS: Final = 1000
OTHER: Final = "other"


class Histogram:
    """How many took how long."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.buckets)


class Meter:
    """Counts every call of every client. A gate of the edge; it refuses nothing.

    calls   calls that are over, by endpoint and method; how long they took.
    failed  those of them that came to a failure, by endpoint, method, origin and reason.
    servers what each server was asked.
    ledger  what models were given, in tokens.
    """

    name: ClassVar[str] = "meter"
    stage: ClassVar[Stage] = Stage.ADMIT

    def __init__(self) -> None:
        self._began: dict[int, float] = {}
        self.calls: dict[tuple[str, str], Histogram] = {}
        self.failed: Counter[tuple[str, str, str, str]] = Counter()
        self.servers: dict[str, ServerMeter] = {}
        self.ledger = Ledger()

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`."""
        self._began[id(call)] = perf_counter()

    def leave(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Gate`."""
        seconds = perf_counter() - self._began.pop(id(call))
        key = call.facts.get("endpoint", ""), call.method
        known = self.calls.get(key)
        if known is None:
            known = self.calls[key] = Histogram()
        # As `add` does, without the price of a call.
        known.buckets[bisect_left(BOUNDS, seconds)] += 1
        known.seconds += seconds

    def concerns(self, method: str) -> bool:
        """Every method but one that lasts as long as the client likes, and those nobody has."""
        return method != LISTEN and "*" not in method

    def failure(self, call: Call, failure: Failure) -> None:
        """A call came to this."""
        method = call.method if self._known(call) else OTHER
        key = call.facts.get("endpoint", ""), method, failure.origin, failure.reason
        if key in self.failed or len(self.failed) < MOST_REASONS:
            self.failed[key] += 1

    def _known(self, call: Call) -> bool:
        return (call.facts.get("endpoint", ""), call.method) in self.calls

    def of(self, server: str) -> ServerMeter:
        """What one server is asked; the same one for as long as the process runs."""
        found = self.servers.get(server)
        if found is None:
            found = self.servers[server] = ServerMeter()
        return found


class ServerMeter:
    """Counts what one server is asked, each attempt. A valve; it holds nothing up.

    took    how long the server took, of whatever it answered.
    failed  attempts that came to a failure, by its reason; `cancelled` when nobody waited for it.
    """

    name: ClassVar[str] = "meter"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(self) -> None:
        self.took = Histogram()
        self.failed: Counter[str] = Counter()

    def enter(self, call: Call, /) -> object:
        """See `lockgate.core.policy.Valve`; the ticket is the time."""
        del call
        return perf_counter()

    def left(self, call: Call, ticket: Any, reply: Reply | None, /) -> None:
        """See `lockgate.core.policy.Valve`."""
        del call
        seconds, took = perf_counter() - ticket, self.took
        # As `add` does, without the price of a call.
        took.buckets[bisect_left(BOUNDS, seconds)] += 1
        took.seconds += seconds
        if reply.__class__ is not Result:
            reason = "cancelled" if reply is None else getattr(reply, "reason", OTHER)
            if reason in self.failed or len(self.failed) < MOST_REASONS:
                self.failed[reason] += 1

    def concerns(self, method: str) -> bool:
        """As `Meter.concerns`."""
        return method != LISTEN and "*" not in method
