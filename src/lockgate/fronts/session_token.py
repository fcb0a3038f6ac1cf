"""What a session's id holds, sealed.

Must not know: how it is sealed, what a session is for.
"""

from __future__ import annotations

import msgspec


class SessionToken(msgspec.Struct, array_like=True):
    """All that a session is made of again, by whoever can open its id."""

    nonce: str
    version: str
    expires: float
    info: msgspec.Raw
    capabilities: msgspec.Raw
