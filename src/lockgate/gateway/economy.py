"""What makes results cheaper for models, and adds up what they cost; from configuration.

Must not know: how anything is made shorter or counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lockgate.config.model import Config
from lockgate.context.tokens import Estimate
from lockgate.core.clock import Clock
from lockgate.core.message import Call
from lockgate.core.policy import AnyPolicy
from lockgate.core.raw import Raw
from lockgate.gateway.endpoint_sights import endpoints_of
from lockgate.observe.ledger import Ledger, ListLedger, ResultLedger, saved
from lockgate.policies.repeats import Repeats
from lockgate.policies.shortening import OFF, ResultShape, Shortening


def economy_of(
    config: Config,
    ledger: Ledger | None,
    clock: Clock,
    definition: Callable[[Call], Raw | None],
) -> Sequence[AnyPolicy]:
    """What stands before every server; the first of it sees results as they are sent.

    Args:
        config: what endpoints ask for.
        ledger: adds up; None: nobody does.
        clock: what ages are measured by.
        definition: the tool a call is about, as its server wrote it.
    """
    asked = {path: config.compact(path) for path in endpoints_of(config)}
    shapes = {path: ResultShape(one.results, one.duplicates) for path, one in asked.items()}
    repeats = [path for path, one in asked.items() if one.repeats != "send"]

    def read_only(call: Call) -> bool:
        tool = definition(call)
        return tool is not None and tool.object("annotations").get("readOnlyHint") is True

    policies: list[AnyPolicy] = [] if ledger is None else [ResultLedger(ledger)]
    if repeats:
        policies.append(Repeats(repeats, clock, read_only, saved))
    if any(one != OFF for one in shapes.values()):
        # An estimate is enough to compare by, and takes no memory.
        policies.append(Shortening(shapes, Estimate(), saved))
    return policies


def lists_of(ledger: Ledger | None) -> Sequence[AnyPolicy]:
    """What stands at the edge."""
    return [] if ledger is None else [ListLedger(ledger)]
