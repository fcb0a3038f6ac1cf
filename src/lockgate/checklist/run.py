"""The checklist held against a configuration.

Must not know: how it is shown.
"""

from __future__ import annotations

from typing import Final

from lockgate.checklist.facts import Facts
from lockgate.checklist.item import Item, Result, Verdict
from lockgate.checklist.running import DEPLOYMENT, OBSERVABILITY, RELIABILITY, SCALE
from lockgate.checklist.security import SECURITY
from lockgate.config.load import Loaded
from lockgate.config.model import Config

ITEMS: Final[tuple[Item, ...]] = (
    *SECURITY, *RELIABILITY, *OBSERVABILITY, *SCALE, *DEPLOYMENT,
)  # fmt: skip


def judged(loaded: Loaded, config: Config) -> list[Result]:
    """How each item stands."""
    facts = Facts(loaded, config)
    return [Result(one, _verdict(one, facts)) for one in ITEMS]


def _verdict(item: Item, facts: Facts) -> Verdict:
    return Verdict("unknown") if item.judge is None else item.judge(facts)
