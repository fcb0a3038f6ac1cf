"""An endpoint for callers who are known: who asks is found out before anything else is looked at.

Must not know: tokens, keys, issuers. What knows them implements `Authenticator`.

A caller may ask who it is: GET with `Accept: application/vnd.lockgate.principal+json` is answered
here, for there is nothing else that the caller could be told by without a call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from lockgate.core.message import Failure, Principal
from lockgate.fronts.dressed import Dressed
from lockgate.fronts.http import Handler, HttpRequest, Responder, nothing_more
from lockgate.fronts.streams import JSON
from lockgate.wire.challenge import Admitted, Challenge
from lockgate.wire.envelope import failure_error

Found = Principal | Admitted | Challenge
WHO: Final = b"application/vnd.lockgate.principal+json"
_NO_STORE: Final = (b"cache-control", b"no-store")


class Authenticator(Protocol):
    """Knows callers."""

    def authenticate(self, request: HttpRequest, /) -> Found | Awaitable[Found]:
        """Who asks, or what is answered instead; awaitable only when it takes time.

        Never raises for anything a client sends.
        """
        ...


class Identified:
    """Hands requests on with their principal, or refuses them."""

    def __init__(
        self,
        inner: Handler,
        authenticator: Authenticator,
        refused: Callable[[HttpRequest, Failure], None] = lambda _request, _failure: None,
    ) -> None:
        """`refused` hears of everybody who is not let in, and why."""
        self._inner = inner
        self._refused = refused
        self._authenticate = authenticator.authenticate

    def __call__(self, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        """Answer one request: done when the result has been awaited."""
        found = self._authenticate(request)
        if isinstance(found, Principal) and request.method == "POST":
            return self._inner(request.replace(principal=found), responder)
        if isinstance(found, Principal | Challenge | Admitted):
            return self._go_on(found, request, responder)
        return self._later(found, request, responder)

    async def _later(
        self, found: Awaitable[Found], request: HttpRequest, responder: Responder
    ) -> None:
        await self._go_on(await found, request, responder)

    def _go_on(self, found: Found, request: HttpRequest, responder: Responder) -> Awaitable[None]:
        if isinstance(found, Challenge):
            self._refused(request, found.failure)
            body = failure_error(None, found.failure)
            responder.send(found.status, (*JSON, _NO_STORE, *found.headers), body)
            return nothing_more()
        if isinstance(found, Admitted):
            found, responder = found.principal, Dressed(responder, found.headers)
        if request.method == "GET" and WHO in request.headers.get(b"accept", b""):
            responder.send(200, ((b"content-type", WHO), _NO_STORE), introduced(found))
            return nothing_more()
        return self._inner(request.replace(principal=found), responder)


def introduced(who: Principal) -> bytes:
    """A principal, as it is told who it is; its claims are in its own token."""
    until = None if who.expires is None else datetime.fromtimestamp(who.expires, UTC)
    return msgspec.json.encode(
        {
            "id": who.id,
            "issuer": who.issuer,
            "client": who.client,
            "scopes": sorted(who.scopes),
            "groups": sorted(who.groups),
            "expires": until,
        }
    )
