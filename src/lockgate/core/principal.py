"""Who is calling, as whoever authenticated it says.

Must not know: how anybody is authenticated, what a caller may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from lockgate.core.secret import Secret

NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


class Principal(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """Who is calling, as whoever authenticated it says.

    id       stable and unique over all issuers; never a credential. What is private is kept by it.
    issuer   who vouches for it: a token issuer, or how else it was recognised.
    client   the OAuth client (or the name of the API key) it calls by.
    scopes   what it was granted.
    groups   what it belongs to.
    claims   everything else that is known of it, for rules to read.
    expires  when it has to authenticate anew, on the wall clock; None: never.
    subject  the token it came with, for exchange with the token's issuer (RFC 8693) and nothing
             else: it is never sent to a server.
    """

    id: str
    issuer: str = ""
    client: str | None = None
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = NO_FACTS
    expires: float | None = None
    subject: Secret | None = None


ANONYMOUS: Final = Principal(id="anonymous")
