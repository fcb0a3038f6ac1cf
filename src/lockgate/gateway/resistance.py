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
    """The policies before one server, outermost first: each protects what stands inside it.

    What was `before` the same server until now goes on: a breaker, a bulkhead or a budget of
    retries with the same settings is the same one, also for the calls that still run there.
    """

    def __init__(
        self,
        server: str,
        settings: ResistSettings,
        clock: Clock,
        repeatable: Callable[[str, str], bool],
        read_only: Callable[[str, str], bool] = lambda _server, _tool: False,
        spare: Callable[[], bool] = lambda: False,
        before: Resistance | None = None,
    ) -> None:
        """What is known of the server is what `before` knows, where its settings are the same.

        repeatable  whether a server lists a tool as safe to repeat; `read_only` as only reading.
        spare       whether the server has another replica that could answer now.
        """
        self.settings = settings
        # First, so that waiting, asking again and the server's own work share one time.
        self.deadline = Deadline(settings.timeout, settings.timeouts, clock)
        self.retry: Retry | None = None
        self.breaker: Breaker | None = None
        self.bulkhead: Bulkhead | None = None
        if before is not None:
            known = before.settings
            self.retry = before.retry if known.retry == settings.retry else None
            self.breaker = before.breaker if known.breaker == settings.breaker else None
            self.bulkhead = before.bulkhead if known.bulkhead == settings.bulkhead else None
        if settings.retry is not None:
            # Only the budget goes on: what a server lists is known to the engine of each world.
            self.retry = Retry(
                settings.retry, partial(repeatable, server), clock, before=self.retry
            )
        # Inside the retries, so that it counts what the server did and not what callers saw.
        if settings.breaker is not None and self.breaker is None:
            self.breaker = Breaker(server, settings.breaker, clock, partial(_tell, server))
        # Outside of the queue: two attempts at a call are two calls to the server.
        hedge: Hedge | None = None
        if settings.hedge is not None:
            hedge = Hedge(settings.hedge, partial(read_only, server), spare, clock)
        # Innermost, so that nobody waits for a server that is not asked.
        if settings.bulkhead is not None and self.bulkhead is None:
            self.bulkhead = Bulkhead(server, settings.bulkhead, clock)
        every = self.retry, self.breaker, hedge, self.bulkhead
        self.policies: list[AnyPolicy] = [one for one in every if one is not None]

    @property
    def phase(self) -> Phase:
        """Where the breaker stands; one that is switched off is closed."""
        return "closed" if self.breaker is None else self.breaker.phase


def _tell(server: str, phase: Phase) -> None:
    level = logging.WARNING if phase == "open" else logging.INFO
    _log.log(level, "breaker %s", phase, extra={"server": server})
