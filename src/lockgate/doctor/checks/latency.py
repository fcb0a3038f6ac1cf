"""How long the simplest request takes, and whether connections are kept.

Must not know: what else the server does.
"""

from __future__ import annotations

from contextlib import suppress
from statistics import median
from typing import Any, Final

from lockgate.core.message import Era
from lockgate.doctor.checks.reach import is_local
from lockgate.doctor.visit import HttpSubject, Visit
from lockgate.wire.url import BadUrl, parse_url

TIMES: Final = 7
SLOW: Final = 1.0
_UNSTEADY: Final = 10
_NOTICED: Final = 0.2
_DELAYED: Final = (0.038, 0.055)
"""Seconds for which systems hold an acknowledgement back, and a little more."""
_SIMPLEST: Final[dict[Era, tuple[str, dict[str, Any]]]] = {
    "modern": ("server/discover", {}),
    "handshake": ("ping", {}),
}


async def latency(visit: Visit) -> None:
    """Of the newest era."""
    era, voice = next(iter(visit.voices.items()))
    took: list[float] = []
    closes = 0
    for _ in range(TIMES):
        heard = await voice.ask(*_SIMPLEST[era])
        closes += heard.headers.get("connection", "").lower() == "close"
        took.append(heard.seconds)
        if visit.left <= 0 or (len(took) > 1 and heard.seconds > SLOW):
            break
    middle = median(took)
    visit.saw(
        f"{_SIMPLEST[era][0]}: {_ms(middle)} (median of {len(took)}; "
        f"{_ms(min(took))} to {_ms(max(took))})"
    )
    if _DELAYED[0] <= min(took[1:], default=0.0) <= middle <= _DELAYED[1] and _here(visit):
        visit.find("latency-delayed", _ms(middle))
    if middle >= SLOW:
        visit.find("latency-slow", _ms(middle))
    elif max(took) > max(_NOTICED, _UNSTEADY * middle):
        visit.find("latency-unsteady", f"{_ms(middle)} as a rule, once {_ms(max(took))}")
    if closes == len(took):
        visit.find("latency-closes")


def _here(visit: Visit) -> bool:
    """Whether nothing on the way could take so long."""
    if not isinstance(visit.subject, HttpSubject):
        return False
    with suppress(BadUrl):
        return is_local(parse_url(visit.subject.url).host)
    return False


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.{0 if milliseconds >= 100 else 1 if milliseconds >= 1 else 2}f} ms"
