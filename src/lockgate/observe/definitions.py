"""What was found in definitions, counted and written to the log, each thing once.

Must not know: how anything is found. What a definition says is never repeated in the log: whoever
wrote it may have written it for those who read logs.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from typing import Final

from lockgate.core.legible import shortened, visible
from lockgate.guard.finding import Finding

_log: Final = logging.getLogger("lockgate.guard")
_MOST: Final = 20_000

FOUND: Final[Counter[tuple[str, str, str]]] = Counter()
"""How many different things were found in this process: by server, kind, what was done about it.

Bounded: servers are configured, the rest are words of this program."""

_told: Final[OrderedDict[tuple[str, str, str, Finding], None]] = OrderedDict()


def record(server: str, kind: str, name: str, finding: Finding, doing: str) -> None:
    """Something was found in what a server defines; `kind`: tool, prompt and so on."""
    key = server, kind, name, finding
    if key in _told:
        return
    _told[key] = None
    if len(_told) > _MOST:
        _told.popitem(last=False)
    FOUND[server, finding.id, doing] += 1
    told = "withheld" if doing == "refuse" else "shown"
    _log.warning(
        "%s %s/%s is %s: %s [%s in %s]",
        kind,
        visible(server),
        shortened(visible(name), 100),
        told,
        finding.summary,
        finding.id,
        finding.where,
    )
