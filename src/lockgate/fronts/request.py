"""One whole HTTP request, as every front hands it to a handler.

Must not know: sockets, ASGI, MCP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from lockgate.core.message import ANONYMOUS, Principal
from lockgate.core.value import Value

Headers = Sequence[tuple[bytes, bytes]]
_NONE: Final[frozenset[bytes]] = frozenset()
_FIELDS: Final = (
    "method",
    "path",
    "query",
    "headers",
    "repeated",
    "body",
    "peer",
    "scheme",
    "principal",
    "certificate",
)


class HttpRequest(Value):
    """One whole request: the body has been read and is within the limits.

    method       as sent; methods are case-sensitive.
    path         as sent, percent-encoding and all; starts with `/` (or is `*`, for OPTIONS).
    query        what follows the first `?`, without it; empty when there is none.
    headers      lower-case names. A name sent more than once has its values joined with `, `.
    repeated     the names that were sent more than once.
    peer         IP address of the other end of the connection, without port; empty when unknown.
    scheme       `http` or `https`, of the connection itself; forwarded headers are not believed.
    principal    who asks; set by what authenticates requests, before they reach an MCP endpoint.
    certificate  the SHA-256 thumbprint, in base64url, of the certificate the client has shown and
                 proved to have; empty when it has shown none.
    """

    __slots__ = _FIELDS
    fields: ClassVar[tuple[str, ...]] = _FIELDS

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: dict[bytes, bytes],
        repeated: frozenset[bytes] = _NONE,
        body: bytes = b"",
        peer: str = "",
        scheme: str = "http",
        principal: Principal = ANONYMOUS,
        certificate: str = "",
    ) -> None:
        self.method: Final = method
        self.path: Final = path
        self.query: Final = query
        self.headers: Final = headers
        self.repeated: Final = repeated
        self.body: Final = body
        self.peer: Final = peer
        self.scheme: Final = scheme
        self.principal: Final = principal
        self.certificate: Final = certificate

    def __repr__(self) -> str:
        """Without the query, header values and the body: all of them hold secrets."""
        names = ", ".join(sorted(name.decode("latin-1") for name in self.headers))
        return f"HttpRequest({self.method} {self.path}, {names}, {len(self.body)} bytes)"
