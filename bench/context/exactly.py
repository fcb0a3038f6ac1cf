"""JSON read so that nothing of it is lost but space: to hold two texts against each other.

Must not know: how anything is made shorter.
"""

from __future__ import annotations

import json
from typing import Any


def read_exactly(text: str) -> Any:
    """The value of a text: numbers as they are written, every member, those that are there twice.

    Raises:
        ValueError: it is no JSON.
    """
    return json.loads(
        text, object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_no
    )


def _object(members: list[tuple[str, Any]]) -> Any:
    return ("object", tuple(members))


def _number(digits: str) -> Any:
    return ("number", digits)


def _no(name: str) -> Any:
    raise ValueError(name)
