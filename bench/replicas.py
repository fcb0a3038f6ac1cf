"""What replicas and hedging cost a call, and what hedging earns: `python -m bench.replicas`.

Must not know: transports. Costs as in `bench.resistance`. What hedging earns is measured on two
replicas that answer in 5 ms and now and then in 200 ms, each for itself.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence
from random import Random
from time import perf_counter
from typing import Any, cast

from bench.policies import CALL, DONE
from bench.resistance import CALLS, DEEP, ROUNDS, after_others, at_once, behind, timed
from lockgate.core.attempts import ELSEWHERE
from lockgate.core.message import Call, Reply
from lockgate.core.policy import CallNext
from lockgate.gateway.chains import Way
from lockgate.gateway.resistance import ResistSettings
from lockgate.policies.hedge import Hedge, HedgeSettings
from lockgate.upstreams.ejection import EjectionSettings
from lockgate.upstreams.replicas import Replica, Replicas
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.upstreams.upstream import Upstream

READ = CALL.replace(method="resources/read")
USUAL, SLOW, RARELY = 0.005, 0.2, 0.02
AT_ONCE, MANY = 16, 6000


class Ready:
    """As much of an upstream as is on the way of a call."""

    def __init__(self, send: CallNext) -> None:
        self.send = send
        self.state = UpstreamState(phase="ready", eras=frozenset({"modern"}))


def two(send: CallNext) -> CallNext:
    """Two replicas that are up."""
    made = [Replica(cast("Upstream", Ready(send)), number) for number in range(2)]
    return Replicas("server", made, ejection=EjectionSettings()).send


def hedged(send: CallNext, **settings: Any) -> tuple[Hedge, CallNext]:
    """The server behind a hedge, and that."""
    hedge = Hedge(HedgeSettings(**settings), lambda _: True, lambda: True)
    return hedge, Way([hedge], send, lambda *_: None)


async def difference(chain: CallNext, send: CallNext, deep: int) -> float:
    """Microseconds a call takes longer."""
    found: list[float] = []
    for _ in range(ROUNDS):
        plain = await timed(send, deep)
        found.append(await timed(chain, deep) - plain)
    return statistics.median(found)


def cost(name: str, chain: Callable[[CallNext], CallNext]) -> None:
    """Measure and print one case."""
    alone = asyncio.run(difference(chain(at_once), at_once, 1))
    crowded = asyncio.run(difference(chain(after_others), after_others, DEEP))
    print(f"{name:32}{alone:7.2f} us{crowded:11.2f} us")


def quantiles(times: Sequence[float]) -> str:
    """The median and the tail, in milliseconds."""
    found = sorted(times)
    parts = (0.5, 0.95, 0.99, 0.999)
    return "".join(f"{found[int(part * len(found))] * 1000:9.1f}" for part in parts)


async def tail(share: float) -> str:
    """Calls under way to two replicas of which each is slow now and then."""
    chance = Random(7)  # noqa: S311 - a simulation that is the same each time
    sent = {True: 0, False: 0}

    async def server(call: Call) -> Reply:
        sent[ELSEWHERE in call.facts] += 1
        await asyncio.sleep(SLOW if chance.random() < RARELY else USUAL)
        return DONE

    hedge, chain = hedged(server, share=share) if share else (None, server)
    times: list[float] = []

    async def some() -> None:
        for _ in range(MANY // AT_ONCE):
            began = perf_counter()
            await chain(READ)
            times.append(perf_counter() - began)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    more = 0.0 if hedge is None else sent[True] / sent[False]
    return f"{quantiles(times)}{more:10.1%}"


def main() -> None:
    """Measure and print."""
    print(f"{'':32}{'alone':>10}{f'{DEEP} at once':>14}   ({CALLS} calls, {ROUNDS} rounds)")
    cost("replicas, ejection", two)
    cost("hedge, nothing late", lambda send: hedged(send, after=10.0)[1])
    cost("hedge, percentile", lambda send: hedged(send)[1])
    cost("resistance, the default", lambda send: behind(ResistSettings(), send))
    print(f"\n{'':16}{'p50':>9}{'p95':>9}{'p99':>9}{'p99.9':>9}{'more':>10}   (ms)")
    for share in (0.0, 0.02, 0.05, 0.2):
        print(f"{f'share {share:g}' if share else 'no hedging':16}{asyncio.run(tail(share))}")


if __name__ == "__main__":
    main()
