"""The runs themselves: interleaved rounds, and the long one for memory.

Must not know: how figures are judged or shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from bench import wrk
from bench.cells import Cell, Era
from bench.messages import Scenario, WrongAnswer, close_session, open_session, sample
from bench.processes import usage
from bench.report import Measurement, Memory
from bench.targets import Place, Target

Say = Callable[[str], None]
_SAMPLES = 3
_FIRST_ID = 10_000_000
BRIDGED = "call"


@dataclass(frozen=True)
class Plan:
    """What to measure, and for how long."""

    scenarios: Sequence[Scenario]
    cells: Sequence[Cell]
    connections: Sequence[int]
    rounds: int
    seconds: int


def combinations(plan: Plan) -> list[tuple[Cell, Scenario, int]]:
    """What is measured.

    Of some cells only the first scenario is: see `Cell.small`.
    """
    return [
        (cell, scenario, connections)
        for cell, scenario, connections in product(plan.cells, plan.scenarios, plan.connections)
        if not cell.small or scenario.name == BRIDGED
    ]


def rounds(targets: Sequence[Target], plan: Plan, say: Say) -> list[Measurement]:
    """Every combination against each target in turn, `plan.rounds` times.

    Every other round goes backwards, so that neither of two neighbours is always the first.
    """
    measured: list[Measurement] = []
    every = combinations(plan)
    for number, (cell, scenario, connections) in enumerate(every, 1):
        say(f"[{number}/{len(every)}] {cell.name} {scenario.title}, c={connections}")
        for turn in range(plan.rounds):
            for target in reversed(targets) if turn % 2 else targets:
                one = _measure(target, scenario, cell, connections, plan.seconds, turn, say)
                measured.append(one)
                say(f"    {target.name:<10} {one.rps:>10,.0f} req/s  p50 {one.p50:>8,.0f} us")
    return measured


def _measure(
    target: Target,
    scenario: Scenario,
    cell: Cell,
    connections: int,
    seconds: int,
    turn: int,
    say: Say,
) -> Measurement:
    place, era = target.place(cell), cell.client
    token = target.token if cell.token else None
    with _session(place, era) as session:
        length, wrong = _check(target, place, scenario, era, session, token, say)
        before = usage(place.pid)
        load = wrk.run(place.port, scenario, era, session, connections, seconds, token)
        after = usage(place.pid)
        wrong += _check(target, place, scenario, era, session, token, say)[1]
    wrong += _short(load, length, connections, say)
    requests = max(load.requests, 1)
    return Measurement(
        scenario=scenario.name,
        cell=cell.name,
        connections=connections,
        target=target.name,
        round=turn,
        rps=load.requests / load.seconds,
        p50=load.p50,
        p99=load.p99,
        cpu=(after.cpu - before.cpu) / requests * 1e6,
        rss=after.rss,
        errors=load.errors + wrong,
    )


@contextmanager
def _session(place: Place, era: Era) -> Iterator[str | None]:
    if era == "modern":
        yield None
        return
    session = open_session(place.port)
    try:
        yield session
    finally:
        close_session(place.port, session)


def _check(
    target: Target,
    place: Place,
    scenario: Scenario,
    era: Era,
    session: str | None,
    token: str | None,
    say: Say,
) -> tuple[int, int]:
    """Some answers looked at closely. Returns the length of a right one, and how many were not."""
    length, wrong = 0, 0
    for number in range(_SAMPLES):
        try:
            length = sample(place.port, scenario, era, session, _FIRST_ID + number, token)
        except (WrongAnswer, OSError) as error:
            wrong += 1
            say(f"    {target.name} answered wrongly: {error}")
    return length, wrong


def _short(load: wrk.Load, length: int, connections: int, say: Say) -> int:
    """1 when the answers under load cannot all have been as long as the one looked at.

    Ids have one length, so right answers have one, too. What a connection had received of an answer
    when time was up counts as bytes and not as a request, so there can only be more.
    """
    least = load.requests * length
    most = (load.requests + connections) * (length + 1024)
    if least <= load.bytes <= most:
        return 0
    say(f"    {load.requests} answers came with {load.bytes} bytes: not all of {length}")
    return 1


def memory(
    target: Target, scenarios: Sequence[Scenario], cells: Sequence[Cell], calls: int,
    limit: float, say: Say,
) -> Memory:  # fmt: skip
    """Cycles of the same work until `calls` are made or `limit` seconds are over.

    Each slice of a cycle makes new connections and, in the handshake era, a new session.
    """
    points: list[tuple[int, int]] = []
    every = combinations(Plan(scenarios, cells, [32], 1, 1))
    made = 0
    started = time.monotonic()
    while (made < calls or len(points) < 4) and time.monotonic() - started < limit:
        for cell, scenario, connections in every:
            place = target.place(cell)
            token = target.token if cell.token else None
            with _session(place, cell.client) as session:
                load = wrk.run(place.port, scenario, cell.client, session, connections, 1, token)
            if load.errors:
                raise WrongAnswer(f"{load.errors} errors in {cell.name} {scenario.name}")
            made += load.requests
        points.append((made, sum(usage(place.pid).rss for place in target.places.values())))
        say(f"    {made:>9,} calls  {points[-1][1] / 2**20:8.1f} MiB")
    return Memory(tuple(points), calls)
