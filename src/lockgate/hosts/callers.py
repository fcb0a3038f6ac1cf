"""Who calls, as the handlers of a hardened server see it: the user of their own SDK.

Must not know: how callers are recognised, configuration, how requests are sent.

The same object stands at both ends of the way to the server in this process: it is the credentials
that requests carry, and takes them off again before the application sees the request. What travels
in between is a number that means nothing anywhere else; what the caller showed is never in it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from typing import Any, Final

from lockgate.core.message import ANONYMOUS, Principal
from lockgate.upstreams.identity import GATEWAY
from lockgate.upstreams.inprocess import AsgiApp, Event

HEADER: Final = b"lockgate-caller"
MOST: Final = 4096
"""Callers known at once; one that is forgotten is told again with its next request."""
_PRIVATE: Final = "lockgate:"
"""What claims begin with that the gateway has made up for itself."""
Shown = Sequence[tuple[bytes, bytes]]


class Callers:
    """The credentials of one server in this process; see `lockgate.core.credentials`."""

    shared = False

    def __init__(self) -> None:
        self._numbers = count(1)
        self._shown: OrderedDict[str, tuple[Principal, Shown]] = OrderedDict()
        self._known: dict[bytes, Principal] = {}

    def partition(self, principal: Principal, /) -> str:
        """Callers with other scopes may see other tools, so each set of them is one by itself."""
        if principal is GATEWAY or principal.id in (GATEWAY.id, ANONYMOUS.id):
            return ""
        said = "\n".join((principal.id, principal.client or "", *sorted(principal.scopes)))
        return blake2b(said.encode(), digest_size=16).hexdigest()

    def headers(self, principal: Principal, method: str = "POST", /) -> Shown:
        """A number for the caller; nobody's, for the gateway itself."""
        del method
        key = self.partition(principal)
        found = self._shown.get(key)
        if found is not None and (found[0] is principal or found[0] == principal):
            return found[1]
        if found is not None:
            self._known.pop(found[1][0][1], None)
        number = b"%d" % next(self._numbers)
        shown: Shown = ((HEADER, number),)
        self._shown[key] = principal, shown
        self._shown.move_to_end(key)
        self._known[number] = principal
        while len(self._shown) > MOST:
            _, (_, old) = self._shown.popitem(last=False)
            self._known.pop(old[0][1], None)
        return shown

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool:
        """There is nothing else to show."""
        del principal, www_authenticate, nonce
        return False

    def take(self, scope: Event) -> None:
        """Have the application see the caller of a request, in place of its number."""
        lines: list[tuple[bytes, bytes]] = scope["headers"]
        for place, (name, value) in enumerate(lines):
            if name == HEADER:
                del lines[place]
                principal = self._known.get(value)
                if principal is not None and self.partition(principal):
                    user = user_of(principal)
                    scope["user"], scope["auth"] = user
                return


def with_users(app: AsgiApp) -> AsgiApp:
    """The application of an SDK, with its requests' users where its handlers look for them."""
    from mcp.server.auth.middleware.auth_context import (  # noqa: PLC0415 - only once such a server is there
        AuthContextMiddleware,
    )

    wrapped: Any = AuthContextMiddleware(app)  # type: ignore[arg-type] - the same, by other names
    return wrapped


def user_of(principal: Principal) -> tuple[Any, Any]:
    """A caller as the SDK's middleware for authentication gives it: user and credentials.

    Its access token is an empty one: what the caller showed was meant for Lockgate.
    """
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser  # noqa: PLC0415 - only once such a server is there
    from mcp.server.auth.provider import AccessToken  # noqa: PLC0415 - as above
    from starlette.authentication import AuthCredentials  # noqa: PLC0415 - as above

    own = {name: one for name, one in principal.claims.items() if not name.startswith(_PRIVATE)}
    claims = {"iss": principal.issuer, **own, "groups": sorted(principal.groups)}
    scopes = sorted(principal.scopes)
    token = AccessToken(
        token="",
        client_id=principal.client or principal.id,
        scopes=scopes,
        expires_at=None if principal.expires is None else int(principal.expires),
        subject=str(claims.get("sub", principal.id)),
        claims=claims,
    )
    return AuthenticatedUser(token), AuthCredentials(scopes)
