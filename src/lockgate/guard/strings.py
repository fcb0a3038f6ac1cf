"""The strings of a JSON text, changed one by one where they stand, with nothing else touched.

Must not know: what is changed, or why.

Numbers keep their digits, members nobody knows stay, and of a key that appears twice both values
are seen: whichever of them another parser takes, it takes what was looked at. The text is valid
JSON already; one pass, without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

Change = Callable[[str, str], str]
"""(the key it stands under, the string) to what stands there instead; the very same: nothing."""

_string: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"(?:([ \t\r\n]*+:)|)', re.DOTALL)
_decode: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode


def changed(data: bytes, change: Change) -> bytes:
    """The JSON text with `change` made to each string that is a value, and to each key (as "").

    What stands in an array has the key of the array. The very same bytes when nothing changed.
    """
    parts: list[bytes] = []
    done = 0
    key = ""
    for found in _string.finditer(data):
        start, end = found.span(1)
        text = _text(data[start:end])
        is_key = found.end(2) != -1
        other = change("" if is_key else key, text)
        if is_key:
            key = text
        if other is not text:
            parts += (data[done : start - 1], _encode(other))
            done = end + 1
    if not done:
        return data
    parts.append(data[done:])
    return b"".join(parts)


def _text(inside: bytes) -> str:
    if b"\\" in inside:
        return _decode(b'"%b"' % inside)
    return inside.decode("utf-8", "replace")
