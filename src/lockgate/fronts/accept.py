"""What the Accept and Content-Type headers of a client say (RFC 9110 sections 8.3 and 12.5.1).

Must not know: who asks, or what is answered. Clients send few different values, so verdicts are
remembered.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

JSON_TYPE: Final = b"application/json"
EVENTS_TYPE: Final = b"text/event-stream"
_NEVER: Final = (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
_CHARSETS: Final = (b"", b"charset=utf-8", b"charset=utf8")


@lru_cache(maxsize=256)
def is_json(content_type: bytes) -> bool:
    """Whether a body is JSON in UTF-8."""
    media, _, parameters = content_type.lower().partition(b";")
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    return media.strip() == JSON_TYPE and charset in _CHARSETS


@lru_cache(maxsize=256)
def accepts_both(accept: bytes) -> bool:
    """Whether JSON and event streams are both welcome, as every POST has to say."""
    return _place(accept, JSON_TYPE) is not None and _place(accept, EVENTS_TYPE) is not None


@lru_cache(maxsize=256)
def accepts_events(accept: bytes) -> bool:
    """Whether event streams are welcome."""
    return _place(accept, EVENTS_TYPE) is not None


@lru_cache(maxsize=256)
def prefers_events(accept: bytes) -> bool:
    """Whether event streams are named before JSON: the client would rather have those."""
    events, json = _place(accept, EVENTS_TYPE), _place(accept, JSON_TYPE)
    return events is not None and (json is None or events < json)


def _place(accept: bytes, wanted: bytes) -> int | None:
    kind = wanted.partition(b"/")[0] + b"/*"
    for place, part in enumerate(accept.lower().split(b",")):
        media, _, parameters = part.partition(b";")
        if media.strip() in (wanted, kind, b"*/*") and parameters.replace(b" ", b"") not in _NEVER:
            return place
    return None
