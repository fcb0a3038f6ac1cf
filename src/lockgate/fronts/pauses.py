"""When a refused client may come again, as HTTP headers.

Must not know: why it was refused.

Source: RFC 9110 section 10.2.3 (Retry-After), draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final, cast

from lockgate.core.message import Failure, Reply
from lockgate.fronts.http import Headers
from lockgate.wire.envelope import retry_after

TEMPORARY: Final = frozenset({429, 503})


def pause_headers(status: int, reply: Reply | None, otherwise: int) -> Headers:
    """Retry-After for an answer that asks for patience, with the rate that was exceeded if one was.

    `otherwise`: seconds to wait when the reply does not say.
    """
    if status not in TEMPORARY:
        return ()
    wait = retry_after(reply) if isinstance(reply, Failure) else None
    seconds = otherwise if wait is None else max(1, ceil(wait))
    said: object = reply.data if isinstance(reply, Failure) else None
    data: Mapping[str, Any] = {}
    if isinstance(said, Mapping):
        data = cast("Mapping[str, Any]", said)
    retry = (b"retry-after", b"%d" % seconds)
    quota, window, scope = data.get("quota"), data.get("window"), data.get("scope")
    if not (isinstance(quota, int) and isinstance(window, int) and isinstance(scope, str)):
        return (retry,)
    name = scope.encode()
    return (
        retry,
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, quota, window)),
        (b"ratelimit", b'"%b";r=0;t=%d' % (name, seconds)),
    )
