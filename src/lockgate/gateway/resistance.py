"""What stands between calls and one server in trouble, put together from its settings.

Must not know: configuration files, how servers are reached.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.policy import AnyPolicy
from lockgate.policies.breaker import Breaker, BreakerSettings, Phase
from lockgate.policies.bulkhead import Bulkhead, BulkheadSettings
from lockgate.policies.deadline import Deadline
from lockgate.policies.hedge import Hedge, HedgeSettings
from lockgate.policies.retry import Retry, RetrySettings

_log: Final = logging.getLogger("lockgate.gateway")


class ResistSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of one server. None leaves a policy out.

    timeout   seconds for one call in all.
    timeouts  the same for tools by pattern, in file order.
    """

    timeout: float = 300.0
    timeouts: Mapping[str, float] = {}
    retry: RetrySettings | None = RetrySettings()
    breaker: BreakerSettings | None = BreakerSettings()
    bulkhead: BulkheadSettings | None = BulkheadSettings()
    hedge: HedgeSettings | None = None


class Resistance:
    """The policies before one server, outermost first: each protects what stands inside it."""

    def __init__(
        self,
        server: str,
        settings: ResistSettings,
        clock: Clock,
        repeatable: Callable[[str, str], bool],
        read_only: Callable[[str, str], bool] = lambda _server, _tool: False,
        spare: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing is known of the server yet.

        repeatable  whether a server lists a tool as safe to repeat; `read_only` as only reading.
        spare       whether the server has another replica that could answer now.
        """
        self._server = server
        self.settings = settings
        # First, so that waiting, asking again and the server's own work share one time.
        self.deadline = Deadline(settings.timeout, settings.timeouts, clock)
        self.policies: list[AnyPolicy] = []
        if settings.retry is not None:
            self.policies.append(Retry(settings.retry, partial(repeatable, server), clock))
        # Inside the retries, so that it counts what the server did and not what callers saw.
        self.breaker: Breaker | None = None
        if settings.breaker is not None:
            self.breaker = Breaker(server, settings.breaker, clock, self._told)
            self.policies.append(self.breaker)
        # Outside of the queue: two attempts at a call are two calls to the server.
        if settings.hedge is not None:
            self.policies.append(Hedge(settings.hedge, partial(read_only, server), spare, clock))
        # Innermost, so that nobody waits for a server that is not asked.
        if settings.bulkhead is not None:
            self.policies.append(Bulkhead(server, settings.bulkhead, clock))

    @property
    def phase(self) -> Phase:
        """Where the breaker stands; one that is switched off is closed."""
        return "closed" if self.breaker is None else self.breaker.phase

    def inherit(self, before: Resistance) -> None:
        """Know what is known of the server; with other numbers for the breaker it begins anew."""
        if self.breaker is None or before.breaker is None:
            return
        if self.settings.breaker == before.settings.breaker:
            self.breaker.inherit(before.breaker)

    def _told(self, phase: Phase) -> None:
        level = logging.WARNING if phase == "open" else logging.INFO
        _log.log(level, "breaker %s", phase, extra={"server": self._server})
