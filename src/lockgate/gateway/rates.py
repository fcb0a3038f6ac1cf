"""The gates that hold callers to rates: at the edge, and before each server.

Must not know: configuration files, what any rate is.
"""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.core.clock import Clock
from lockgate.core.policy import Gate, Policy
from lockgate.core.rules import Rules
from lockgate.core.store import Counters
from lockgate.policies.rate import (
    RateLimit,
    ServerRateLimit,
    SharedRateLimit,
    SharedServerRateLimit,
)


class Rates:
    """The rules of the gateway and of each server by its name."""

    def __init__(
        self,
        rules: Rules,
        servers: Mapping[str, Rules],
        clock: Clock,
        store: Counters | None,
        before: Rates | None = None,
    ) -> None:
        """What `before` counted by a rule that is still there counts on.

        store  counts for all replicas, if there is one.
        """
        self._clock = clock
        self._store = store
        self.here = RateLimit(rules, clock, before=before.here if before else None)
        self._any = bool(rules)
        known = before.at if before else {}
        self.at = {
            name: ServerRateLimit(one, clock, before=known.get(name))
            for name, one in servers.items()
            if one
        }

    def edge(self) -> list[Policy | Gate]:
        """For every caller of the gateway."""
        if not self._any:
            return []
        return (
            [SharedRateLimit(self.here, self._store, self._clock)] if self._store else [self.here]
        )

    def of(self, server: str) -> list[Policy | Gate]:
        """For callers of one server."""
        local = self.at.get(server)
        if local is None:
            return []
        return [SharedServerRateLimit(local, self._store, self._clock)] if self._store else [local]
