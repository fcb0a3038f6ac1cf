"""The credentials of a server whose tokens need no browser, for everybody or for each principal.

Must not know: OAuth's messages, transports.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable
from hashlib import blake2b
from typing import Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.credentials import Headers
from lockgate.core.message import Failure, Principal
from lockgate.identity.outbound.challenge import Challenge, asked
from lockgate.identity.outbound.discovery import Discovery
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.grants import Grant
from lockgate.identity.outbound.renewal import Renewal
from lockgate.identity.outbound.shown import Shown
from lockgate.identity.outbound.tokens import Token
from lockgate.identity.outbound.trouble import Trouble

MOST: Final = 10_000
"""Principals whose tokens are kept; the one that has called least recently goes first."""
YOUNG: Final = 2.0
"""Seconds in which a token that is refused is not worth being replaced."""
INSUFFICIENT: Final = "insufficient_scope"


class _One:
    """What is kept for one partition."""

    def __init__(self, principal: Principal, url: str, clock: Clock) -> None:
        self.principal = principal
        self.scopes: tuple[str, ...] = ()
        self.shown = Shown(url, clock)
        self.renewal: Renewal


class Granted:
    """See `lockgate.core.credentials.Credentials`."""

    def __init__(
        self,
        server: str,
        url: str,
        grant: Grant,
        discovery: Discovery,
        prover: Prover | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """`grant` gets tokens for the server at `url`; `prover` holds the key they are bound to."""
        self.shared = grant.shared
        self._server = server
        self._url = url
        self._grant = grant
        self._discovery = discovery
        self._prover = prover
        self._clock = clock
        self._ones: OrderedDict[str, _One] = OrderedDict()
        self._challenge: Challenge | None = None

    def partition(self, principal: Principal, /) -> str:
        """See `Credentials`: whoever has the same rights by the same client is one."""
        if self.shared:
            return ""
        rights = [principal.client, sorted(principal.scopes), sorted(principal.groups)]
        digest = blake2b(msgspec.json.encode(rights), digest_size=12).hexdigest()
        return f"{principal.id}#{digest}"

    def headers(
        self, principal: Principal, method: str = "POST", /
    ) -> Headers | Failure | Awaitable[Headers | Failure]:
        """See `Credentials`."""
        one = self._one(principal)
        token = one.renewal.at_hand()
        if token is None:
            return self._obtained(one, method)
        return one.shown.headers(token, self._prover, method)

    async def _obtained(self, one: _One, method: str) -> Headers | Failure:
        try:
            token = await one.renewal.get()
        except Trouble as trouble:
            return trouble.failure(self._server)
        return one.shown.headers(token, self._prover, method)

    def _one(self, principal: Principal) -> _One:
        key = self.partition(principal)
        one = self._ones.get(key)
        if one is None:
            one = self._ones[key] = _One(principal, self._url, self._clock)
            made = one

            async def obtain() -> Token:
                return await self._obtain(made)

            one.renewal = Renewal(obtain, self._clock)
            while len(self._ones) > MOST:
                self._ones.popitem(last=False)
        elif not self.shared:
            # The latest token it came with is the one that lasts longest.
            one.principal = principal
            self._ones.move_to_end(key)
        return one

    async def _obtain(self, one: _One) -> Token:
        if self._challenge is None:
            self._challenge = await self._discovery.challenge()
        challenge = self._challenge
        scopes = one.scopes or (challenge.scopes if challenge is not None else ())
        return await self._grant.obtain(one.principal, challenge, scopes)

    async def refused(
        self,
        principal: Principal,
        www_authenticate: str | None,
        nonce: str | None = None,
        /,
    ) -> bool | Failure:
        """See `Credentials`."""
        if self._prover is not None and self._prover.take(self._url, nonce):
            return True
        one = self._one(principal)
        challenge = asked(www_authenticate)
        before = one.renewal.token
        if challenge.error == INSUFFICIENT:
            if set(challenge.scopes) <= set(one.scopes) or not challenge.scopes:
                return False
            granted = (before.scopes if before is not None else None) or ()
            one.scopes = tuple(dict.fromkeys([*one.scopes, *granted, *challenge.scopes]))
        elif one.renewal.token is not None and one.renewal.age < YOUNG:
            return False
        self._challenge = challenge
        one.renewal.drop(before)
        try:
            await one.renewal.get()
        except Trouble as trouble:
            return trouble.failure(self._server)
        return True
