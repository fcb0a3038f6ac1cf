"""What makes results cheaper for models, and adds up what they cost; from configuration.

Must not know: how anything is made shorter or counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.observe.ledger import Ledger, ListLedger, ResultLedger


def economy_of(config: Config, ledger: Ledger | None) -> Sequence[AnyPolicy]:
    """What stands before every server; the first of it sees results as they are sent."""
    return [] if ledger is None else [ResultLedger(ledger)]


def lists_of(ledger: Ledger | None) -> Sequence[AnyPolicy]:
    """What stands at the edge."""
    return [] if ledger is None else [ListLedger(ledger)]
