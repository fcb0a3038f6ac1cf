"""What goes wrong in a storm, and when: decided by a seed and by nothing else.

Must not know: servers, clients, the gateway. A schedule is the same for the same seed; what comes
of it is up to the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

CALM = "calm"
HTTP_TROUBLES = (
    "hang",
    "slow",
    "reset",
    "half-close",
    "truncate",
    "garbage",
    "flood",
    "leak",
    "error",
    "busy",
    "huge",
    "die",
)
CHILD_TROUBLES = ("hang", "slow", "freeze", "truncate", "garbage", "flood", "huge", "die", "error")
SHORTEST, LONGEST = 0.2, 0.9
REST = 0.3


@dataclass(frozen=True, order=True)
class Turn:
    """At so many seconds, a server takes up a mode."""

    at: float
    server: str
    mode: str


def schedule(seed: int, servers: Mapping[str, Sequence[str]], seconds: float) -> list[Turn]:
    """What each server does from when on; all are calm at the end.

    `servers` names the troubles of each. A server goes through all of its troubles, in an order of
    its own, before it has one a second time.
    """
    turns: list[Turn] = []
    for name in sorted(servers):
        chance = Random(f"{seed} {name}")  # noqa: S311 - a schedule, no secret
        turns += _turns(chance, name, servers[name], seconds)
        turns.append(Turn(seconds, name, CALM))
    return sorted(turns)


def _turns(chance: Random, name: str, troubles: Sequence[str], seconds: float) -> Iterator[Turn]:
    left: list[str] = []
    now = chance.uniform(0, REST)
    while True:
        left = left or chance.sample(troubles, len(troubles))
        mode = left.pop()
        if now >= seconds:
            return
        yield Turn(now, name, mode)
        now += chance.uniform(SHORTEST, LONGEST)
        if mode == "die" or chance.random() < 0.3:  # what died has to come back
            if now >= seconds:
                return
            yield Turn(now, name, CALM)
            now += chance.uniform(0, REST)


def chosen_seed(default: int) -> int:
    """The seed of this run: `LOCKGATE_CHAOS_SEED`, else the test's own."""
    return int(os.environ.get("LOCKGATE_CHAOS_SEED", default))


def chosen_seconds(default: float) -> float:
    """How long a storm lasts: `LOCKGATE_CHAOS_SECONDS`, else the test's own."""
    return float(os.environ.get("LOCKGATE_CHAOS_SECONDS", default))
