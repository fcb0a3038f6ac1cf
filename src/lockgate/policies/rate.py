"""How often: by all callers together, by each principal, by each client.

Refuses: a call over any rate, with the reason `rate-limited` and the exact `retry_after` in its
data; what was refused counts for nothing. Costs: without a shared store about a microsecond and no
waiting; with one, a question to it for each call. Does not protect from: few calls that are each
expensive (quotas and deadlines do), or a client that changes its name, which it chooses itself.

While a shared store is away each replica holds callers to the full rates by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from lockgate.core.clock import SYSTEM, Clock, enough, written
from lockgate.core.match import ByTool
from lockgate.core.message import Call, Failure, Reply
from lockgate.core.policy import CallNext, Stage
from lockgate.core.rate import MICRO, Ledger, Meter, Taken, admit
from lockgate.core.rules import Rule, Rules, who
from lockgate.core.store import Counters, Demand, StoreGone
from lockgate.wire.jsonrpc import OVERLOADED

MOST_REFUSED: Final = 10_000
AHEAD: Final = 1 / MICRO


class RateLimit:
    """Counts here: a gate that looks at a few numbers."""

    name: ClassVar[str] = "rate"
    stage: ClassVar[Stage] = Stage.LIMIT

    def __init__(
        self,
        rules: Rules,
        clock: Clock = SYSTEM,
        most: int = 10_000,
        before: RateLimit | None = None,
    ) -> None:
        """`most` bounds the callers that have meters of their own, for each rule.

        By a rule that `before` has as well its counts go on, in meters both have then.
        """
        self._now = clock.monotonic
        self._always = rules.always
        self._tools: ByTool[tuple[Rule, ...]] | None = None
        if rules.tools:
            patterns = [(one, (*rules.always, *more)) for one, more in rules.tools]
            self._tools = ByTool(patterns, rules.always)
        self._endpoints = {path: (*rules.always, *more) for path, more in rules.endpoints}
        known = {one.said: held for one, held in before.ledgers.items()} if before else {}
        # Not `get`: one that counts for nobody yet is false.
        self.ledgers: dict[Rule, Ledger] = {
            rule: known[rule.said] if rule.said in known else Ledger(most) for rule in rules.every
        }

    def concerns(self, method: str) -> bool:
        """Everything: a notification may be passed on to every server, as a log level is."""
        return True

    def rules(self, call: Call) -> tuple[Rule, ...]:
        """The rules for one call."""
        if self._endpoints:
            return self._endpoints.get(call.facts.get("endpoint", ""), self._always)
        if self._tools is None or call.target is None or call.target.kind != "tool":
            return self._always
        return self._tools[call.target.name]

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`."""
        rules = self.rules(call)
        now = int(self._now() * MICRO)
        held: list[tuple[Meter, ...]] = []
        for rule in rules:
            # A branch instead of a call: this runs for every call.
            key = call.principal.id if rule.scope == "principal" else who(rule.scope, call)
            held.append(self.ledgers[rule].of(key, rule.rates, now))
        taken = admit(held, now)
        return refusal(rules, taken) if taken.wait else None

    def leave(self, call: Call, /) -> None:
        """Nothing is held while a call runs."""


class ServerRateLimit(RateLimit):
    """The same for one server, inside its cache: what was not asked of the server is not counted.

    Only what a client can ask of it is: calls, reads, prompts, completions.
    """

    stage: ClassVar[Stage] = Stage.RESIST

    def concerns(self, method: str) -> bool:
        """Calls that a client makes on a server."""
        return method in SERVED


SERVED: Final = frozenset({"tools/call", "resources/read", "prompts/get", "completion/complete"})


class SharedRateLimit:
    """Counts in a store for all replicas; by itself, with `local`, while the store is away."""

    name: ClassVar[str] = "rate"
    stage: ClassVar[Stage] = Stage.LIMIT

    def __init__(self, local: RateLimit, store: Counters, clock: Clock = SYSTEM) -> None:
        """The rules are those of `local`; all replicas must have the same."""
        self._local = local
        self._store = store
        self._now = clock.monotonic
        self._refused: dict[str, tuple[float, Failure]] = {}

    def concerns(self, method: str) -> bool:
        """As the local one."""
        return self._local.concerns(method)

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        rules = self._local.rules(call)
        if not rules:
            return await call_next(call)
        demands = [
            Demand(f"{rule.where}:{rule.scope}:{who(rule.scope, call)}", rule.rates)
            for rule in rules
        ]
        failure = self._still(demands)
        if failure is None:
            try:
                taken = await self._store.take(demands)
            except StoreGone:
                failure = self._local.enter(call)
            else:
                failure = self._note(rules, demands, taken) if taken.wait else None
        return await call_next(call) if failure is None else failure

    def _still(self, demands: Sequence[Demand]) -> Failure | None:
        """The refusal that holds on: before its time is over the store would say the same."""
        if not self._refused:
            return None
        # Ahead by what `enough` adds: who waited as long as it was told is no longer refused.
        now = self._now() + AHEAD
        for demand in demands:
            noted = self._refused.get(demand.key)
            if noted is None:
                continue
            left = noted[0] - now
            if left > 0:
                return _later(noted[1], left)
            del self._refused[demand.key]
        return None

    def _note(self, rules: Sequence[Rule], demands: Sequence[Demand], taken: Taken) -> Failure:
        failure = refusal(rules, taken)
        if len(self._refused) >= MOST_REFUSED:
            self._refused.clear()
        self._refused[demands[taken.demand].key] = (self._now() + taken.wait, failure)
        return failure


class SharedServerRateLimit(SharedRateLimit):
    """The same for one server."""

    stage: ClassVar[Stage] = Stage.RESIST


def refusal(rules: Sequence[Rule], taken: Taken) -> Failure:
    """What a caller is told: which rate, and exactly when again."""
    rule = rules[taken.demand]
    rate = rule.rates[taken.rate]
    whose = {"total": "all callers", "principal": "one caller", "client": "one client"}[rule.scope]
    return Failure(
        code=OVERLOADED,
        message=f"Too many requests: {rule.where} takes {rate.text} from {whose}.",
        origin="policy",
        reason="rate-limited",
        policy=RateLimit.name,
        data={
            "retry_after": taken.wait,
            "limit": rate.text,
            "scope": rule.scope,
            "quota": rate.limit,
            "window": rate.seconds,
        },
        remedy=f"Try again in {written(taken.wait)} seconds.",
    )


def _later(failure: Failure, left: float) -> Failure:
    wait = enough(left)
    return failure.replace(
        data={**failure.data, "retry_after": wait},
        remedy=f"Try again in {written(wait)} seconds.",
    )
