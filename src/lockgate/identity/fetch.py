"""How identity reads a document of somebody else: one HTTP exchange, bounded in size and time.

Must not know: sockets, pools, TLS. The gateway provides what carries it out, in two kinds: one for
addresses the configuration names, and one for addresses that strangers choose, which reaches public
addresses only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

FetchCause = Literal["url", "forbidden", "busy", "unreachable", "timeout", "too-large", "broken"]
MOST: Final = 256 * 1024
WITHIN: Final = 10.0


class FetchFailed(Exception):
    """No answer came. The message names an origin at most: no path, query, header or body.

    cause  url: it is none, or not of an allowed scheme; forbidden: its host has no address that may
           be reached; busy: too many at once; unreachable; timeout; too-large; broken: what came is
           no usable answer.
    """

    def __init__(self, message: str, cause: FetchCause) -> None:
        super().__init__(message)
        self.cause: Final[FetchCause] = cause


class Fetched(msgspec.Struct, frozen=True):
    """An answer of any status; redirects are not followed, so they are answers too.

    headers  lower-case names; a name sent more than once has its values joined with `, `.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
    """Sends one request and reads the whole answer."""

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        most: int = MOST,
        within: float = WITHIN,
    ) -> Fetched:
        """Ask `url`; the body of the answer is at most `most` bytes, all of it in `within` seconds.

        Raises:
            FetchFailed: there is no answer, or not one that may be read.
        """
        ...
