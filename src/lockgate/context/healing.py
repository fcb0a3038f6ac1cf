"""What somebody needs to see of a schema to correct arguments that do not fit it. Bounded.

Must not know: how it was found out that they do not fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lockgate.context.compact.keywords import Schema, TooDeep, named
from lockgate.context.compact.lossless import lossless
from lockgate.context.signature import signature

MOST: Final = 4000
"""Characters of what is shown: some 1,000 tokens."""
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def needed(name: str, data: bytes, places: Iterable[str], most: int = MOST) -> str | None:
    """The schema; of a large one its signature, and what it says of `places` if there is room.

    Args:
        name: what the schema is of.
        data: the schema as JSON.
        places: where arguments do not fit, as in `filters[0].limit`.
        most: how many characters are shown at most.
    """
    try:
        read: Any = _decode(data)
        schema = lossless(named(read), type_lists=True)
        whole = _encode(schema).decode()
        if len(whole) <= most:
            return whole
        line = str(signature(name, schema))
        part = f"{line}, where {_encode(_part(schema, places)).decode()}"
        return part if len(part) <= most else line[:most]
    except (msgspec.MsgspecError, TooDeep, RecursionError):
        return None


def _part(schema: Schema, places: Iterable[str]) -> Schema:
    members = {place.split(".", 1)[0].split("[", 1)[0] for place in places}
    properties = named(schema.get("properties"))
    return {key: one for key, one in properties.items() if key in members}
