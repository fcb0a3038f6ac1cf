"""Stops asking what does not answer, and finds out when it does again.

Must not know: what is asked. The states, the window and the probes are those of the gateway's
breaker (`policies.breaker`), which is told of each use what a server would have said.

    | what a use came to                                                | counts as            |
    |-------------------------------------------------------------------|----------------------|
    | `Unavailable`, `TimedOut`, OSError, TimeoutError, what `on` names | failed               |
    | nothing raised, any other error: that is an answer                | good                 |
    | cancelled                                                         | nothing; failed when |
    |                                                                   | it took 30 s or more |
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from lockgate.core.clock import SYSTEM, Clock, enough
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result
from lockgate.core.raw import Raw
from lockgate.kit.errors import TimedOut, Unavailable
from lockgate.kit.wrapping import require_async
from lockgate.policies import breaker as policy

P = ParamSpec("P")
T = TypeVar("T")
Errors = tuple[type[Exception], ...]

FAILURES: Final[Errors] = (Unavailable, TimedOut, OSError, TimeoutError)
_GOOD: Final = Result(Raw(b"{}"))
_FAILED: Final = Failure(0, "", origin="upstream", reason="upstream-timeout")
_USE: Final = Call(method="tools/call", client=ClientFacts(era="modern", protocol_version=""))
"""Every use, to the policy: it tells none from another."""


class Breaker:
    """Of one thing that is asked, as a decorator or by `async with breaker.use():`."""

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        minimum: int = 20,
        window: float = 30.0,
        slow_after: float | None = None,
        rest: float = 5.0,
        longest_rest: float = 60.0,
        probes: int = 3,
        on: Errors = (),
        on_change: Callable[[policy.Phase], None] | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Closed. Times in seconds, rates as shares of 1.

        Args:
            name: what is asked, for messages.
            failure_rate: this share of failed uses opens it.
            minimum: fewer uses within `window` say nothing.
            window: how far back uses count.
            slow_after: what takes longer is slow, and nine slow ones of ten open it too.
            rest: how long it stays open; twice that each time a probe fails, to `longest_rest`.
            longest_rest: see `rest`.
            probes: uses let in then to see whether it is well; all of them have to be good.
            on: what else counts as failed.
            on_change: is told `closed`, `open` or `half-open` when that changes.
            clock: what time is told by.
        """
        settings = policy.BreakerSettings(
            window=window,
            minimum=minimum,
            failure_rate=failure_rate,
            slow_after=slow_after,
            rest=rest,
            longest_rest=longest_rest,
            probes=probes,
        )
        self.name = name
        self._policy = policy.Breaker(name, settings, clock, on_change)
        self._failures = (*FAILURES, *on)

    @property
    def state(self) -> policy.Phase:
        """`closed`, `open` or `half-open`."""
        return self._policy.phase

    @asynccontextmanager
    async def use(self) -> AsyncGenerator[None]:
        """One use: what is raised inside says what it came to.

        Raises:
            Unavailable: it is open; says when it may be used again.
        """
        ticket = self._policy.enter(_USE)
        if isinstance(ticket, Failure):
            wait = enough(self._policy.retry_after or 0.0)
            raise Unavailable(
                f"{self.name} has not been answering and is not asked now", retry_after=wait
            )
        reply: Reply | None = None
        try:
            yield
            reply = _GOOD
        except Exception as error:
            reply = _FAILED if isinstance(error, self._failures) else _GOOD
            raise
        finally:
            self._policy.left(_USE, ticket, reply)

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """The function, each call of it a use.

        Raises:
            TypeError: it is not async.
        """
        require_async(function, "a breaker")

        @wraps(function)
        async def guarded(*args: P.args, **named: P.kwargs) -> T:
            async with self.use():
                return await function(*args, **named)

        return guarded


class Breakers:
    """One breaker for each of many things that are asked, such as hosts: `breakers.of(host)`."""

    def __init__(self, make: Callable[[str], Breaker] = Breaker, most: int = 1000) -> None:
        """None yet; of more than `most`, that which was used longest ago is forgotten first."""
        self._make = make
        self._most = most
        self._every: OrderedDict[str, Breaker] = OrderedDict()

    def __len__(self) -> int:
        return len(self._every)

    def of(self, name: str) -> Breaker:
        """The breaker of what has this name."""
        found = self._every.get(name)
        if found is None:
            found = self._every[name] = self._make(name)
            while len(self._every) > self._most:
                self._every.popitem(last=False)
        self._every.move_to_end(name)
        return found

    def states(self) -> dict[str, str]:
        """Those that are not closed, by name."""
        return {name: one.state for name, one in self._every.items() if one.state != "closed"}


def breaker(name: str, *, minimum: int = 20, failure_rate: float = 0.5) -> Breaker:
    """See `Breaker`: `@breaker("weather service")`."""
    return Breaker(name, minimum=minimum, failure_rate=failure_rate)
