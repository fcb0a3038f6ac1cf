"""What is lent where, from configuration; and what keeps it, from one configuration to the next.

Must not know: how results are shown, read or referred to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate.config.model import Config
from lockgate.config.results import KeptResults, ResultsSettings
from lockgate.core.clock import Clock
from lockgate.core.policy import AnyPolicy
from lockgate.core.store import Store
from lockgate.gateway.endpoint_sights import endpoints_of, servers_at
from lockgate.gateway.guard_settings import over
from lockgate.gateway.lending import Lending, Loan, Terms
from lockgate.kit.deposits import Deposits
from lockgate.observe.decisions import record_decision
from lockgate.policies.flows import Flows
from lockgate.stores.memory import MemoryStore
from lockgate.wire.seal import KeyRing

_KEPT: Final = ("ttl", "largest", "per_caller", "memory_bytes", "shared")


class Lenders:
    """Makes what lends for each world; what is kept outlives them as long as its bounds do."""

    def __init__(self, keys: KeyRing, clock: Clock, store: Store | None) -> None:
        """`store` is what replicas share, if there is one."""
        self._keys = keys
        self._clock = clock
        self._store = store
        self._made: tuple[tuple[object, ...], Deposits, Sequence[Store]] | None = None

    def of(self, config: Config, policies: Sequence[AnyPolicy]) -> Lending | None:
        """What lends by this configuration; None: nothing is.

        `policies` stand before every server.
        """
        terms = terms_of(config)
        if not terms.loans:
            return None
        flows = [one for one in policies if isinstance(one, Flows)]
        deposits, stores = self._deposits(config.lockgate.results)
        return Lending(terms, deposits, flows, record_decision, stores)

    def _deposits(self, settings: KeptResults) -> tuple[Deposits, Sequence[Store]]:
        bounds = tuple(getattr(settings, name) for name in _KEPT)
        if self._made is None or self._made[0] != bounds:
            shared = self._store if settings.shared else None
            near = MemoryStore(self._clock, max_bytes=settings.memory_bytes)
            deposits = Deposits(
                near if shared is None else shared,
                self._keys,
                ttl=settings.ttl,
                largest=settings.largest,
                per_owner=settings.per_caller,
                clock=self._clock,
            )
            # What replicas share is swept by the engine anyway.
            self._made = bounds, deposits, (near,) if shared is None else ()
        return self._made[1:]


def terms_of(config: Config) -> Terms:
    """What holds where."""
    loans: dict[tuple[str, str], Loan] = {}
    endpoints: dict[str, Loan] = {}
    for path, endpoint in endpoints_of(config).items():
        changes = config.compact(path).repeats == "diff"
        here = over(_plain(config.lockgate.results), endpoint.results)
        for server in servers_at(config, path):
            one = over(here, config.servers[server].results)
            if one.enabled:
                loans[path, server] = _loan(one, changes=changes)
                endpoints.setdefault(path, _loan(here, changes=changes))
    return Terms(
        loans=loans,
        endpoints=endpoints,
        default=config.lockgate.path,
        minutes=config.lockgate.results.ttl / 60,
        arguments=config.lockgate.limits.body_bytes,
    )


def _plain(settings: ResultsSettings) -> ResultsSettings:
    """The keys that endpoints and servers have as well."""
    said = {name: getattr(settings, name) for name in ResultsSettings.model_fields}
    return ResultsSettings.model_construct(settings.model_fields_set, **said)


def _loan(settings: ResultsSettings, *, changes: bool) -> Loan:
    return Loan(
        budget=settings.budget,
        preview=settings.preview,
        references=settings.references,
        images=settings.images == "keep",
        tasks=settings.tasks,
        resources=settings.resources,
        prompts=settings.prompts,
        changes=changes,
    )
