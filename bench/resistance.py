"""What standing before a server costs a call, in microseconds: `python -m bench.resistance`.

Must not know: transports. As `bench.policies`, with 32 calls in flight as well, because what waits
costs more when more of it does.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from time import perf_counter

from bench.policies import CALL, DONE
from lockgate.core.clock import SYSTEM
from lockgate.core.message import Call, Reply
from lockgate.core.policy import CallNext
from lockgate.gateway.chains import Way
from lockgate.gateway.resistance import Resistance, ResistSettings
from lockgate.policies.breaker import BreakerSettings
from lockgate.policies.bulkhead import BulkheadSettings
from lockgate.policies.retry import RetrySettings

ROUNDS = 15
CALLS = 9600
DEEP = 32
Send = Callable[[Call], Awaitable[Reply]]

OFF = ResistSettings(retry=None, breaker=None, bulkhead=None)
CASES = {
    "deadline": OFF,
    "deadline, retry": ResistSettings(retry=RetrySettings(), breaker=None, bulkhead=None),
    "deadline, breaker": ResistSettings(retry=None, breaker=BreakerSettings(), bulkhead=None),
    "deadline, bulkhead": ResistSettings(retry=None, breaker=None, bulkhead=BulkheadSettings()),
    "all, the default": ResistSettings(),
}


async def at_once(_: Call) -> Reply:
    """A server that need not be waited for."""
    return DONE


async def after_others(_: Call) -> Reply:
    """A server that lets all other calls go on first."""
    await asyncio.sleep(0)
    return DONE


def behind(settings: ResistSettings, send: CallNext) -> Send:
    """The server behind what these settings make."""
    made = Resistance("server", settings, SYSTEM, lambda *_: False)
    return Way(made.policies, send, lambda *_: None, made.deadline.due)


async def timed(chain: Send, deep: int) -> float:
    """Microseconds for one call, `deep` of them at once."""

    async def some() -> None:
        for _ in range(CALLS // deep):
            await chain(CALL)

    began = perf_counter()
    await asyncio.gather(*(some() for _ in range(deep)))
    return (perf_counter() - began) / CALLS * 1e6


async def difference(settings: ResistSettings, send: CallNext, deep: int) -> float:
    """Microseconds a call takes longer."""
    chain = behind(settings, send)
    found: list[float] = []
    for _ in range(ROUNDS):
        plain = await timed(send, deep)
        found.append(await timed(chain, deep) - plain)
    return statistics.median(found)


def main() -> None:
    """Measure and print each case."""
    print(f"{'':24}{'alone':>10}{f'{DEEP} at once':>14}")
    for name, settings in CASES.items():
        alone = asyncio.run(difference(settings, at_once, 1))
        crowded = asyncio.run(difference(settings, after_others, DEEP))
        print(f"{name:24}{alone:7.2f} us{crowded:11.2f} us")


if __name__ == "__main__":
    main()
