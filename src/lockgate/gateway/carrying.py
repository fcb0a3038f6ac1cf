"""Headers of requests that servers are to see, carried along with whoever asks.

Must not know: which server wants what. They are carried as a claim of the principal and not among a
call's facts: what a server sees of a caller decides which sessions, lists and answers are whose,
and all of that is told apart by the principal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Final

import msgspec

from lockgate.fronts.http import Handler, HttpRequest, Responder

CARRIED: Final = "lockgate:headers"
LONGEST: Final = 8192


def carrying(inner: Handler, names: Collection[str]) -> Handler:
    """`inner` for requests that carry these headers, each of them at most once."""
    wanted = [(name.lower(), name.lower().encode()) for name in sorted(names)]
    if not wanted:
        return inner

    def answer(request: HttpRequest, responder: Responder) -> Awaitable[None]:
        headers, repeated = request.headers, request.repeated
        found = {
            name: headers[key]
            for name, key in wanted
            if key in headers and key not in repeated and len(headers[key]) <= LONGEST
        }
        claims = request.principal.claims
        if not found and CARRIED not in claims:
            return inner(request, responder)
        # What a token claims under this name is not believed.
        claims = {**claims, CARRIED: found}
        principal = msgspec.structs.replace(request.principal, claims=claims)
        return inner(request.replace(principal=principal), responder)

    return answer
