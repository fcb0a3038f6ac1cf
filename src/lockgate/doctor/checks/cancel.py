"""Cancellation: it is taken, and ends nothing but the request it names.

Must not know: transports.
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.core.message import Era
from lockgate.doctor.visit import ERAS, Visit

UNKNOWN: Final = 987654321
"""The number of a request that never was: a cancellation may always come too late."""
_STILL: Final[dict[Era, tuple[str, dict[str, Any]]]] = {
    "modern": ("server/discover", {}),
    "handshake": ("ping", {}),
}


async def cancellation(visit: Visit) -> None:
    """In each era; over HTTP that of 2026-07-28 is told by closing the stream instead."""
    for era, voice in visit.voices.items():
        before = await voice.ask(*_STILL[era])
        told = await voice.tell(
            "notifications/cancelled", {"requestId": UNKNOWN, "reason": "not needed any more"}
        )
        if not told.accepted:
            visit.find("cancel-refused", str(told))
        after = await voice.ask(*_STILL[era])
        if before.response is not None and after.response is None:
            visit.find("cancel-breaks", str(after))
            visit.bar("it no longer answers")
            return
        if told.accepted:
            visit.saw(f"{ERAS[era]}: taken, and it goes on")
