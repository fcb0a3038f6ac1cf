"""What becomes of who asks, as HTTP says it: a refusal, and what it tells the client to do.

Must not know: how anybody is recognised. Sources: RFC 9110 section 11.6.1, RFC 6750 section 3,
RFC 9728 section 5.1, RFC 9449 section 7.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lockgate.core.message import Failure, Principal

CHALLENGE: Final = b"www-authenticate"
_ASCII: Final = range(0x20, 0x7F)


class Challenge(msgspec.Struct, frozen=True):
    """An answer in place of what was asked for.

    headers  beside the content type.
    failure  what the body says.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    failure: Failure


class Admitted(msgspec.Struct, frozen=True):
    """Who asks is let in, and the answer has something to tell them beside.

    headers  of the answer, behind its own.
    """

    principal: Principal
    headers: tuple[tuple[bytes, bytes], ...]


def challenge(scheme: str, params: Mapping[str, str]) -> bytes:
    """One challenge: `scheme` and its parameters, each a quoted string.

    What a quoted string cannot hold, line breaks before all, is replaced.
    """
    told = ", ".join(f'{name}="{_quoted(value)}"' for name, value in params.items() if value)
    return f"{scheme} {told}".rstrip().encode("ascii")


def _quoted(value: str) -> str:
    plain = "".join(one if ord(one) in _ASCII else "?" for one in value)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
