"""POSTs to one URL, with the headers that are configured for it.

Must not know: eras, sessions, what a message means.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.url import Url

Headers = list[tuple[bytes, bytes]]
JSON: Final = b"application/json"


class Pool(Protocol):
    """What is needed of the HTTP pool."""

    async def request(
        self,
        url: Url,
        method: bytes,
        headers: Headers | KeptHeaders,
        body: bytes = b"",
        *,
        stream: bool = False,
    ) -> HttpReply:
        """One request; see `HttpPool.request`."""
        ...

    def tls(self) -> ssl.SSLContext:
        """What TLS connections are made with."""
        ...


class Post(Protocol):
    """Sends one POST when awaited; see `Posts.send`."""

    def __call__(
        self, headers: KeptHeaders, body: bytes, *, stream: bool = False
    ) -> Awaitable[HttpReply]:
        """The answer."""
        ...


class Posts:
    """Sends bytes to one URL."""

    __slots__ = ("_headers", "_pool", "_url")

    def __init__(self, pool: Pool, url: Url, configured: Sequence[tuple[bytes, bytes]]) -> None:
        """`configured` headers go out with every request."""
        self._pool = pool
        self._url = url
        self._headers: Headers = [
            (b"content-type", JSON),
            (b"accept", b"application/json, text/event-stream"),
            *configured,
        ]

    def headers(self, headers: Headers) -> KeptHeaders:
        """The whole headers of a POST, given those of the protocol."""
        return KeptHeaders(self._headers + headers)

    def send(
        self, headers: KeptHeaders, body: bytes, *, stream: bool = False
    ) -> Awaitable[HttpReply]:
        """POST `body`, with headers from `headers`. Raises what the pool raises.

        stream  the answer is a stream that stays open, and not a call's.
        """
        if stream:
            return self._pool.request(self._url, b"POST", headers, body, stream=True)
        return self._pool.request(self._url, b"POST", headers, body)
