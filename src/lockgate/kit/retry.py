"""Does something again, where that can do no harm.

Must not know: what it is. Whether it may run twice has to be said, for nobody can tell by looking:

    | `idempotent` | what is done again                                                         |
    |--------------|----------------------------------------------------------------------------|
    | True         | whatever fails in passing: `Unavailable`, `RateLimited`, `TimedOut`,       |
    |              | ConnectionError, TimeoutError, and what `on` names                         |
    | False        | what certainly had no effect: `RateLimited`, ConnectionRefusedError, and   |
    |              | what `on` names                                                            |

Pauses grow and are drawn by chance; `retry_after` is kept to. A budget bounds how much retries add
to what is down already: a share of the calls. Pauses, budget and defaults are the gateway's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from random import random
from typing import Any, Final, ParamSpec, TypeVar

from lockgate.core.backoff import Budget, bound
from lockgate.core.clock import SYSTEM, Clock
from lockgate.kit.errors import RateLimited, TimedOut, Unavailable
from lockgate.kit.wrapping import require_async

P = ParamSpec("P")
T = TypeVar("T")
Errors = tuple[type[Exception], ...]

PASSING: Final[Errors] = (Unavailable, RateLimited, TimedOut, ConnectionError, TimeoutError)
WITHOUT_EFFECT: Final[Errors] = (RateLimited, ConnectionRefusedError)


class Retry:
    """A decorator: `@Retry(idempotent=True)`. One budget for all that the same one decorates."""

    def __init__(
        self,
        *,
        idempotent: bool,
        attempts: int = 3,
        first: float = 0.1,
        longest: float = 2.0,
        within: float | None = None,
        on: Errors = (),
        share: float = 0.2,
        clock: Clock = SYSTEM,
        jitter: Callable[[], float] = random,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Nothing is counted yet. Times in seconds.

        Args:
            idempotent: whether it may run twice; see the file.
            attempts: how often it is done at most, the first time included.
            first: the upper bound of the first pause; each further bound is twice as long.
            longest: no pause is longer; what asks for a longer one is not done again.
            within: no attempt begins later than this after the first; None: whenever.
            on: what else is done again.
            share: retries for each call that comes in, on average; ten are there at first.
            clock: what time is told by.
            jitter: gives a number in [0, 1), the share of each pause's bound.
            pause: waits.

        Raises:
            ValueError: there would be no attempt.
        """
        if attempts < 1:
            raise ValueError("there has to be one attempt at least")
        self._attempts, self._first, self._longest = attempts, first, longest
        self._within = within
        self._on = (*(PASSING if idempotent else WITHOUT_EFFECT), *on)
        self._budget = Budget(share, 1.0, clock)
        self._now = clock.monotonic
        self._jitter, self._pause = jitter, pause

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """The function, done again where it may be.

        Raises:
            TypeError: it is not async.
        """
        require_async(function, "a retry")

        @wraps(function)
        async def repeated(*args: P.args, **named: P.kwargs) -> T:
            self._budget.earn()
            began = self._now()
            attempt = 1
            while True:
                try:
                    return await function(*args, **named)
                except Exception as error:
                    wait = self._wait(attempt, error, began)
                    if wait is None:
                        raise
                await self._pause(wait)
                attempt += 1

        return repeated

    def _wait(self, attempt: int, error: Exception, began: float) -> float | None:
        """Seconds until it is done again; None: it is not."""
        if attempt >= self._attempts or not isinstance(error, self._on):
            return None
        asked = getattr(error, "retry_after", None) or 0.0
        if asked > self._longest:
            return None
        wait = asked + bound(attempt, self._first, self._longest) * self._jitter()
        late = self._within is not None and self._now() + wait >= began + self._within
        return None if late or not self._budget.spend() else wait


def retry(
    *,
    idempotent: bool,
    attempts: int = 3,
    first: float = 0.1,
    longest: float = 2.0,
    within: float | None = None,
    on: Errors = (),
) -> Retry:
    """See `Retry`: `@retry(idempotent=True)`."""
    return Retry(
        idempotent=idempotent,
        attempts=attempts,
        first=first,
        longest=longest,
        within=within,
        on=on,
    )
