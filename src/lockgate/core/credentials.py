"""What the gateway shows a server to be let in, and for whom.

Must not know: where credentials come from, how they are sent, OAuth.

A client's own credential never reaches a server: what does is the server's, the same for everybody
or made for one principal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from lockgate.core.message import Failure, Principal

__all__ = ["SHARED", "Credentials", "Headers"]

Headers = Sequence[tuple[bytes, bytes]]


class Credentials(Protocol):
    """The credentials of one server."""

    @property
    def shared(self) -> bool:
        """`partition` is empty for every principal, so that it need not be asked."""
        ...

    def partition(self, principal: Principal, /) -> str:
        """Principals with equal partitions are one to the server; empty: everybody is.

        Cheap and without I/O. No secret: it becomes part of keys.
        """
        ...

    def headers(
        self, principal: Principal, method: str = "POST", /
    ) -> Headers | Failure | Awaitable[Headers | Failure]:
        """What to send along with a request of this HTTP method made for this principal.

        Nothing to await when it is at hand. A Failure says what the caller has to do first.
        """
        ...

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool | Failure:
        """The server refused what was sent (401, 403), with this challenge.

        `nonce` is what it wants to see in proofs from now on (the header `DPoP-Nonce`).
        True: there is something new, so try once more. False: there is nothing to be done. A
        Failure says what the caller has to do.
        """
        ...


class _Shared:
    """Everybody's the same, and no headers beside those of the configuration."""

    @property
    def shared(self) -> bool:
        return True

    def partition(self, principal: Principal, /) -> str:
        del principal
        return ""

    def headers(self, principal: Principal, method: str = "POST", /) -> Headers:
        del principal, method
        return ()

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool:
        del principal, www_authenticate, nonce
        return False


SHARED: Final[Credentials] = _Shared()
"""The credentials of a server that was given none, or fixed ones."""
