"""How often a caller may call: a rate, kept for each caller and tool.

Must not know: how callers are told apart (`request` does), the algorithms (`core.rate`).

A caller that nobody knows is counted by where it calls from, and all behind one proxy are one. What
is kept is bounded: beyond `callers`, those there is no room for share one meter. Without `store`
each process counts for itself; with one that is away it does so until the store is back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, TypeVar

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import ADMITTED, MICRO, Ledger, Taken, admit, parse
from lockgate.core.store import Counters, Demand, StoreGone
from lockgate.kit import request
from lockgate.kit.errors import RateLimited
from lockgate.kit.wrapping import name_of, require_async

P = ParamSpec("P")
T = TypeVar("T")
Per = Literal["caller", "everyone"]

CALLERS: Final = 10_000


class Limit:
    """Rates: `10/s burst 20`, `1000/day`; all of them have to admit a call.

    As a decorator it counts each function apart: `@Limit("30/min")`.
    """

    def __init__(
        self,
        *rates: str,
        per: Per = "caller",
        callers: int = CALLERS,
        store: Counters | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nobody has called yet.

        Args:
            rates: how often, as people write it; see docs/policies/rate.md.
            per: each caller by itself, or everyone together.
            callers: how many are kept by themselves.
            store: where it is counted for all processes that share it; see `kit.cache.open_store`.
            clock: what time is told by.

        Raises:
            ValueError: a rate is none.
        """
        if not rates:
            raise ValueError("a limit needs a rate, such as '10/s burst 20'")
        self._rates = tuple(map(parse, rates))
        self._per = per
        self._ledger = Ledger(callers)
        self._store = store
        self._now = clock.monotonic

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """The function, limited.

        Raises:
            TypeError: it is not async.
        """
        require_async(function, "a limit")
        name = name_of(function)

        @wraps(function)
        async def limited(*args: P.args, **named: P.kwargs) -> T:
            await self.take(name)
            return await function(*args, **named)

        return limited

    async def take(self, name: str = "", caller: str | None = None) -> None:
        """Count one call of `name`; `caller` is whoever is calling now, unless it is said.

        Raises:
            RateLimited: too many; says when the next is admitted.
        """
        whose = caller if caller is not None else request.current().whose
        key = name if self._per == "everyone" else f"{name}\0{whose}"
        taken = await self._take(key)
        if taken != ADMITTED:
            rate = self._rates[taken.rate].text
            raise RateLimited(f"No more than {rate} are admitted", retry_after=taken.wait)

    async def _take(self, key: str) -> Taken:
        if self._store is not None:
            try:
                return await self._store.take((Demand(f"kit:{key}", self._rates),))
            except StoreGone:
                pass  # counted here meanwhile
        now = int(self._now() * MICRO)
        return admit([self._ledger.of(key, self._rates, now)], now)


def limit(*rates: str, per: Per = "caller", store: Counters | None = None) -> Limit:
    """See `Limit`: `@limit("30/min")`."""
    return Limit(*rates, per=per, store=store)
