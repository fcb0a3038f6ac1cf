"""Times and sizes as people write them: `30`, `"30s"`, `"5m"`, `4194304`, `"4MiB"`.

Must not know: which setting a quantity belongs to.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

TIME_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS: Final = {
    "B": 1,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_number: Final = r"\d+(?:\.\d+)?"
TIME_PATTERN: Final = rf"^{_number}\s*(?:ms|s|m|h|d)$"
SIZE_PATTERN: Final = rf"^{_number}\s*(?:B|kB|MB|GB|KiB|MiB|GiB)$"
_parts: Final = re.compile(rf"({_number})\s*([A-Za-z]+)\Z")


def seconds_of(value: object) -> object:
    """Seconds of a number or of a string with a unit; anything else is returned as it is.

    Raises ValueError for a string that is no time.
    """
    if not isinstance(value, str):
        return value
    amount = _amount(value, TIME_UNITS)
    if amount is None:
        raise ValueError("write a time as seconds or with a unit: 30, 500ms, 30s, 5m, 1h, 1d")
    return amount


def bytes_of(value: object) -> object:
    """Bytes of a number or of a string with a unit; anything else is returned as it is.

    Raises ValueError for a string that is no size.
    """
    if not isinstance(value, str):
        return value
    amount = _amount(value, SIZE_UNITS)
    if amount is None:
        raise ValueError("write a size as bytes or with a unit: 65536, 64KiB, 4MiB, 1GB")
    return round(amount)


def _amount(text: str, units: dict[str, Any]) -> float | None:
    found = _parts.fullmatch(text.strip())
    if found is None or found[2] not in units:
        return None
    return float(found[1]) * units[found[2]]


def time(default: float | None, low: float, high: float, description: str) -> Any:
    """A field holding seconds within bounds, also written with a unit."""
    return Field(
        default=None if default is None else float(default),
        ge=low,
        le=high,
        description=description,
        json_schema_extra=lambda schema: _also(schema, TIME_PATTERN, '"30s"'),
    )


def size(default: int | None, low: int, high: int, description: str) -> Any:
    """A field holding bytes within bounds, also written with a unit."""
    return Field(
        default=default,
        ge=low,
        le=high,
        description=description,
        json_schema_extra=lambda schema: _also(schema, SIZE_PATTERN, '"4MiB"'),
    )


def count(default: int | None, low: int, high: int, description: str) -> Any:
    """A field holding a whole number within bounds."""
    return Field(default=default, ge=low, le=high, description=description)


def _also(schema: dict[str, Any], pattern: str, example: str) -> None:
    text = {"type": "string", "pattern": pattern, "description": f"For example {example}."}
    if "anyOf" in schema:
        schema["anyOf"].insert(1, text)
        return
    number = {key: schema.pop(key) for key in ("type", "minimum", "maximum") if key in schema}
    schema["anyOf"] = [number, text]


Seconds = Annotated[float, BeforeValidator(seconds_of)]
Bytes = Annotated[int, BeforeValidator(bytes_of)]
