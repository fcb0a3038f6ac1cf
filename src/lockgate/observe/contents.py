"""What was found in content, counted and written to the log; never the text it was found in.

Must not know: how anything is found.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from lockgate.core.message import Call
from lockgate.core.policy import Decision
from lockgate.guard.seen import DONE, STOPPING, Seen
from lockgate.observe.decisions import record_decision

FOUND: Final[Counter[tuple[str, str, str, str]]] = Counter()
"""How often what was found in this process: by server, filter, kind, and what was done about it.

Bounded: servers are configured, the rest are words of this program."""


def record(call: Call, seen: Seen) -> None:
    """Something was found in a call or its reply."""
    server = "" if call.target is None else call.target.server
    FOUND[server, seen.by, seen.kind, DONE[seen.doing]] += 1
    if seen.doing not in STOPPING:
        verdict = "flagged" if seen.doing == "flag" else "changed"
        record_decision(call, Decision(f"guard-{seen.by}", verdict, 0.0, None, rule=seen.kind))
