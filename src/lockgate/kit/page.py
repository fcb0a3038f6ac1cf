"""What was fetched, as whoever asked for it reads it.

Must not know: how it was fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

import msgspec

from lockgate.kit.errors import (
    NotAllowed,
    NotFound,
    RateLimited,
    TimedOut,
    ToolError,
    Unavailable,
)
from lockgate.upstreams.safe_fetch import Document

_charset: Final = re.compile(r"charset\s{0,4}=\s{0,4}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_declared: Final = re.compile(
    rb"<meta[^>]{0,200}charset\s{0,4}=\s{0,4}[\"']?([A-Za-z0-9_.:-]{1,40})"
)


class Page:
    """What came.

    url      where from, after redirects.
    status   of HTTP.
    headers  names in lower case.
    body     as it came.
    """

    def __init__(self, document: Document) -> None:
        """Of what was fetched."""
        self.url = document.url
        self.status = document.status
        self.headers = document.headers
        self.body = document.body

    @property
    def type(self) -> str:
        """The media type, without parameters; empty if it does not say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text: as its header says, as the page says of itself, or UTF-8."""
        said = _charset.search(self.headers.get("content-type", ""))
        inside = None if said else _declared.search(self.body[:2048].lower())
        name = said[1] if said else inside[1].decode("ascii") if inside else "utf-8"
        try:
            return self.body.decode(name, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            Unavailable: it is none.
        """
        try:
            return msgspec.json.decode(self.body)
        except msgspec.MsgspecError:
            raise Unavailable("What came is no JSON") from None

    def require_ok(self) -> Page:
        """The page itself, if its status says that it is what was asked for.

        Raises:
            NotFound: 404, 410. NotAllowed: 401, 403, 451. RateLimited: 429. TimedOut: 504.
            Unavailable: any other that is not 2xx, with what it asks for by `Retry-After`.
        """
        if 200 <= self.status < 300:
            return self
        kind = _STATUSES.get(self.status, Unavailable)
        wait = _wait(self.headers.get("retry-after", ""))
        raise kind(f"The answer was HTTP {self.status}", retry_after=wait)


_STATUSES: Final[Mapping[int, type[ToolError]]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    429: RateLimited,
    451: NotAllowed,
    504: TimedOut,
}


def _wait(said: str) -> float | None:
    """Seconds, from either form of `Retry-After` (RFC 9110 section 10.2.3)."""
    if said.isdecimal() and said.isascii():
        return float(said[:9])
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None
