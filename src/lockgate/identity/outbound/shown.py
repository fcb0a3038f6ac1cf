"""A token as it goes into a request.

Must not know: where the token comes from. Sources: RFC 6750 section 2.1, RFC 9449 section 7.1.
"""

from __future__ import annotations

from lockgate.core.clock import Clock
from lockgate.core.credentials import Headers
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.tokens import Token


class Shown:
    """Headers of one token after another; those of a Bearer token are the same each time."""

    __slots__ = ("_clock", "_headers", "_token", "_url")

    def __init__(self, url: str, clock: Clock) -> None:
        """`url` is where the token is shown."""
        self._url = url
        self._clock = clock
        self._token: Token | None = None
        self._headers: Headers = ()

    def headers(self, token: Token, prover: Prover | None, method: str) -> Headers:
        """What to send along."""
        if token.kind == "DPoP" and prover is not None:
            return self._bound(token.access.reveal(), prover, method)
        if token is not self._token:
            self._token = token
            self._headers = ((b"authorization", b"Bearer " + token.access.reveal().encode()),)
        return self._headers

    def _bound(self, access: str, prover: Prover, method: str) -> Headers:
        proof = prover.proof(method, self._url, self._clock.wall(), access)
        return ((b"authorization", b"DPoP " + access.encode()), (b"dpop", proof.encode()))
