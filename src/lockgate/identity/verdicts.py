"""What looking at a credential comes to, as values.

Must not know: HTTP, JSON-RPC.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.core.message import Principal

Cause = Literal["malformed", "invalid", "expired", "proof", "nonce", "scope", "away"]


class Bound(msgspec.Struct, frozen=True):
    """What has to be shown beside a token; each is a thumbprint, and None asks for nothing.

    key          the key of a proof of possession (RFC 9449).
    certificate  the client's certificate on the connection (RFC 8705).
    """

    key: str | None = None
    certificate: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """Whose credential it is.

    until  on the wall clock: when it has to be looked at again.
    bound  what its holder has to show beside it; None: whoever has it may use it.
    """

    principal: Principal
    until: float
    bound: Bound | None = None


class Refused(msgspec.Struct, frozen=True):
    """Why a credential is not accepted, in words its sender may read.

    cause  malformed: not in a form that can be looked at; expired: it was good before; proof: the
           proof of possession is wrong; nonce: it has not the nonce it must have; scope: too
           little was granted; away: who could tell cannot be reached now; invalid: everything
           else.
    """

    why: str
    cause: Cause = "invalid"
