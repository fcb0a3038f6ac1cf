"""Documents that anybody may read, pages of any origin included: what an endpoint says of itself.

Must not know: what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lockgate.fronts.http import Handler, HttpRequest, Responder

_READABLE: Final = (b"access-control-allow-origin", b"*")
_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, max-age=300"),
    _READABLE,
)
_PREFLIGHT: Final = (
    _READABLE,
    (b"access-control-allow-methods", b"GET, HEAD"),
    # What clients of MCP send along with every request, these included.
    (b"access-control-allow-headers", b"MCP-Protocol-Version"),
    (b"access-control-max-age", b"600"),
)


def document(body: Callable[[], bytes | None]) -> Handler:
    """Serves what `body` gives at the time of asking; 404 while that is None."""

    async def answer(request: HttpRequest, responder: Responder) -> None:
        found = body()
        if found is None:
            responder.send(404, (_READABLE,))
        elif request.method in ("GET", "HEAD"):
            responder.send(200, _HEADERS, found)
        elif request.method == "OPTIONS":
            responder.send(204, _PREFLIGHT)
        else:
            responder.send(405, ((b"allow", b"GET, HEAD, OPTIONS"), _READABLE))

    return answer
