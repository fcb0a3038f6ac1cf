"""Callers that were turned away before they could ask anything, counted and logged.

Must not know: how callers are known. Of a credential nothing is written but what is wrong with it.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from lockgate.core.codes import CODES
from lockgate.core.message import Failure

_log: Final = logging.getLogger("lockgate.callers")

TURNED_AWAY: Final[Counter[tuple[str, str]]] = Counter()
"""How many were turned away in this process, by endpoint and reason; bounded by both."""


def record(endpoint: str, peer: str, failure: Failure) -> None:
    """Somebody at `peer`, an address, was not let in."""
    TURNED_AWAY[endpoint, failure.reason] += 1
    _log.info(
        "caller refused: %s",
        failure.reason,
        extra={"endpoint": endpoint, "peer": peer, "code": CODES.get(failure.reason)},
    )
