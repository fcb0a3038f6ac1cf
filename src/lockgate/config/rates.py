"""How often callers may ask: the gateway, one server, or tools by pattern.

Must not know: how anything is counted.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lockgate.config.limits import Section
from lockgate.core.rate import PATTERN, parse


def _rate(text: str) -> str:
    parse(text)
    return text


RateText = Annotated[
    str, AfterValidator(_rate), Field(json_schema_extra={"pattern": PATTERN, "maxLength": 100})
]


def _rates(description: str) -> list[str]:
    return Field(default=[], max_length=8, description=description)


class RateSettings(Section):
    """How often. Each list holds rates that all apply: `["10/s burst 20", "1000/day"]`.

    `1000/day` is a window: never more in any 24 hours. With `burst` it is a bucket: so many at
    once, and then at the rate. Units: s, min, h, day, week, also with a number (`5/10s`).
    """

    total: list[RateText] = _rates("Rates of all callers together.")
    per_principal: list[RateText] = _rates(
        "Rates of each caller; without authentication all callers are one."
    )
    per_client: list[RateText] = _rates(
        "Rates of each client program, by the name it gives itself, which it may change."
    )
