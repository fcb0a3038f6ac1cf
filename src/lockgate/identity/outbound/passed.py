"""Headers of a call that the configuration lets through to a server, and claims put into headers.

Must not know: HTTP, OAuth. A client's own `Authorization` is never among them: a token is for whom
it was issued to, and for nobody behind them (specification 2026-07-28, security best practices,
"Token Passthrough").
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from hashlib import blake2b
from typing import Any, Final, cast

import msgspec

from lockgate.core.credentials import Credentials, Headers
from lockgate.core.message import Failure, Principal

CARRIED: Final = "lockgate:headers"
"""The claim under which a front carries the headers that some server wants to see."""
LONGEST: Final = 8192


class Passing:
    """The credentials of a server, and beside them what callers bring along."""

    shared = False

    def __init__(
        self, inner: Credentials, forwarded: Mapping[str, str], claims: Mapping[str, str]
    ) -> None:
        """`forwarded`: header of the call to header of the request; `claims`: claim to header."""
        self._inner = inner
        self._forwarded = {one.lower(): other.lower().encode() for one, other in forwarded.items()}
        self._claims = {one: other.lower().encode() for one, other in claims.items()}

    @property
    def inner(self) -> Credentials:
        """The credentials alone."""
        return self._inner

    def partition(self, principal: Principal, /) -> str:
        """See `Credentials`: who brings something else along is somebody else to the server."""
        extra = self._extra(principal)
        inner = self._inner.partition(principal)
        if not extra:
            return inner
        said = msgspec.json.encode(
            [(name.decode(), value.decode("latin-1")) for name, value in extra]
        )
        return f"{inner}+{blake2b(said, digest_size=16).hexdigest()}"

    def headers(
        self, principal: Principal, method: str = "POST", /
    ) -> Headers | Failure | Awaitable[Headers | Failure]:
        """See `Credentials`."""
        extra = self._extra(principal)
        found = self._inner.headers(principal, method)
        if not extra or isinstance(found, Failure):
            return found
        if isinstance(found, Awaitable):
            return _with(found, extra)
        return (*found, *extra)

    async def refused(
        self,
        principal: Principal,
        www_authenticate: str | None,
        nonce: str | None = None,
        /,
    ) -> bool | Failure:
        """See `Credentials`."""
        return await self._inner.refused(principal, www_authenticate, nonce)

    def _extra(self, principal: Principal) -> list[tuple[bytes, bytes]]:
        claims = principal.claims
        found: list[tuple[bytes, bytes]] = []
        if not claims:
            return found
        carried: object = claims.get(CARRIED)
        if isinstance(carried, Mapping):
            for name, value in cast("Mapping[str, bytes]", carried).items():
                header = self._forwarded.get(name)
                if header is not None:
                    found.append((header, value))
        for claim, header in self._claims.items():
            value = written(claims.get(claim))
            if value is not None:
                found.append((header, value))
        return found


async def _with(
    found: Awaitable[Headers | Failure], extra: list[tuple[bytes, bytes]]
) -> Headers | Failure:
    headers = await found
    return headers if isinstance(headers, Failure) else (*headers, *extra)


def written(value: Any) -> bytes | None:
    """A claim as a header's value; None for what no header can hold."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, list | tuple):
        parts = [str(one) for one in cast("list[object]", value) if isinstance(one, str | int)]
        # With a comma inside, one part would read as two.
        value = None if any("," in part for part in parts) else ",".join(parts)
    elif isinstance(value, int):
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > LONGEST:
        return None
    if not value.isprintable() or not value.isascii():
        return None
    return value.encode("ascii")
