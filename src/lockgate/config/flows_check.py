"""What is wrong with flows (`lockgate.access.flows`) that the model alone cannot see.

Must not know: how flows are applied. One that is about nothing would let everything through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from lockgate.config.finding import Findings
from lockgate.config.flows import FlowSettings
from lockgate.config.model import Config
from lockgate.config.nodes import Node
from lockgate.core.names import nearest
from lockgate.core.targets import TargetPattern, divided

PATH: Final = ("lockgate", "access", "flows")
Place = tuple[str | int, ...]


def review_flows(config: Config, tree: Node, findings: Findings) -> None:
    """Note every pattern that can match nothing, and names that are not unique."""
    servers = config.servers
    names: dict[str, int] = {}
    for number, flow in enumerate(config.lockgate.access.flows):
        said = flow.name or f"flow {number + 1}"
        if names.setdefault(said, number) != number:
            findings.add(
                "access-name",
                f"Two flows are called {said!r}.",
                "Give each a name of its own: what is remembered is kept by it.",
                tree.locate((*PATH, number, "name"))[0],
            )
        for pattern, place in _patterns(flow):
            if not any(fnmatchcase(name, pattern.server) for name in servers):
                guess = nearest(pattern.server, servers)
                findings.add(
                    "access-name",
                    f"Access, {said}: there is no server {pattern.server!r}.",
                    f"Did you mean {TargetPattern(guess, pattern.name)}?"
                    if guess
                    else f"There are: {', '.join(servers)}.",
                    tree.locate((*PATH, number, *place))[0],
                )


def _patterns(flow: FlowSettings) -> Iterator[tuple[TargetPattern, Place]]:
    lists: Sequence[tuple[Place, Sequence[str]]] = [
        *((("after", number), patterns) for number, patterns in enumerate(flow.after)),
        ((flow.verb,), flow.approve or flow.deny),
    ]
    for place, patterns in lists:
        yield from ((divided(one), place) for one in patterns)
