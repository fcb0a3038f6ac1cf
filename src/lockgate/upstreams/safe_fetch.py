"""Fetches what a stranger's URL names, and only from where strangers may send us.

Must not know: who wants it, or what for.

    | what could go wrong                      | what is done                                     |
    |------------------------------------------|--------------------------------------------------|
    | the URL has more than one reading        | it is refused (`lockgate.wire.url`)              |
    | its name leads inside                    | each address is judged as it is connected to     |
    | its name leads elsewhere the second time | what was judged is what is connected to          |
    | it redirects                             | each step is judged like the first; only a few   |
    | it redirects to another origin           | nothing that may be a credential goes along      |
    | it answers without end, or packed        | bounded in bytes and time; nothing is unpacked   |
    | it is not what was asked for             | the media types that are taken are given         |
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final, Literal
from urllib.parse import urljoin

import msgspec

from lockgate.upstreams.failures import ConnectFailed, HttpFailure, TooLarge
from lockgate.upstreams.pool import HttpPool, PoolLimits
from lockgate.wire.addresses import is_public
from lockgate.wire.url import BadUrl, Url

Why = Literal[
    "url", "forbidden", "redirects", "type", "too-large", "timeout", "unreachable", "broken"
]
MOST: Final = 1024 * 1024
WITHIN: Final = 10.0
REDIRECTS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_AGAIN: Final = frozenset({307, 308})
_READING: Final = frozenset({"GET", "HEAD"})
_ANYBODY: Final = frozenset({"accept", "accept-language", "user-agent"})
"""Headers that anybody may see: any other may be a credential, whatever it is called."""
_LIMITS: Final = PoolLimits(connections=8, waiting=64, wait_seconds=10.0)

Pairs = Sequence[tuple[str, str]]


class NotFetched(Exception):
    """Nothing was fetched. The message names no path, query, header, body or address."""

    def __init__(self, message: str, why: Why) -> None:
        super().__init__(message)
        self.why: Final = why


class Document(msgspec.Struct, frozen=True):
    """What came. `url` is where from, after redirects; header names are in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


class SafeFetch:
    """Fetches over a pool of its own, for whoever may not choose where requests go."""

    def __init__(
        self,
        *,
        schemes: Sequence[str] = ("https",),
        reachable: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
        allowed: Callable[[str], bool] | None = None,
    ) -> None:
        """Nothing is connected to yet.

        Args:
            schemes: those a URL may have, redirects included.
            reachable: judges each address as it is about to be connected to.
            tls: what https connections are made with; the system's authorities by default.
            allowed: judges each URL, redirects included; None: by its scheme alone.
        """
        self._schemes = frozenset(schemes)
        self._allowed = allowed
        self._pool = HttpPool(_LIMITS, tls=tls, reachable=reachable)

    async def __call__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Pairs = (),
        body: bytes = b"",
        types: Sequence[str] = (),
        most: int = MOST,
        within: float = WITHIN,
        redirects: int = REDIRECTS,
    ) -> Document:
        """What `url` names.

        Args:
            url: where to begin.
            method: in upper case.
            headers: but for a few that are no secret, they go to the origin of `url` alone.
            body: what is sent.
            types: media types that are taken, such as `text/` or `application/json`; none: any.
            most: bytes of the answer.
            within: seconds in all.
            redirects: how many are followed.

        Raises:
            NotFetched: it may not be, or could not be.
        """
        try:
            async with asyncio.timeout(within):
                return await self._follow(url, method, headers, body, types, most, redirects)
        except TimeoutError:
            raise NotFetched("it took too long to answer", "timeout") from None
        except HttpFailure as error:
            raise _failed(error) from None

    async def close(self) -> None:
        """Drop every connection."""
        await self._pool.close()

    async def _follow(
        self,
        url: str,
        method: str,
        headers: Pairs,
        body: bytes,
        types: Sequence[str],
        most: int,
        redirects: int,
    ) -> Document:
        for _ in range(redirects + 1):
            where = self._where(url)
            found = await self._ask(url, where, method, headers, body, types, most)
            if isinstance(found, Document):
                return found
            status, url = found
            if self._where(url).origin != where.origin:
                if method not in _READING:
                    raise NotFetched("it redirects what is sent to another origin", "redirects")
                headers = [one for one in headers if one[0].lower() in _ANYBODY]
            if status not in _AGAIN and method not in _READING:
                method, body = "GET", b""
        raise NotFetched("it redirects too often", "redirects")

    async def _ask(
        self,
        url: str,
        where: Url,
        method: str,
        headers: Pairs,
        body: bytes,
        types: Sequence[str],
        most: int,
    ) -> Document | tuple[int, str]:
        """What came, or the status and target of a redirect."""
        sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        # Nothing is unpacked, and what is packed is refused: small on the way, small here.
        sent.append((b"accept-encoding", b"identity"))
        async with await self._pool.request(where, method.encode("ascii"), sent, body) as reply:
            given = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reply.headers.items()
            }
            if reply.status in _MOVED and "location" in given:
                return reply.status, urljoin(url, given["location"])
            kind = given.get("content-type", "").lower()
            if types and not kind.startswith(tuple(types)):
                raise NotFetched("it is of a media type that is not taken", "type")
            return Document(url, reply.status, given, await reply.read(most))

    def _where(self, url: str) -> Url:
        try:
            where = Url.parse(url)
        except BadUrl as error:
            raise NotFetched(str(error), "url") from None
        if where.scheme not in self._schemes:
            raise NotFetched("URLs of this scheme are not fetched", "url")
        if self._allowed is not None and not self._allowed(url):
            raise NotFetched("it is not one of the hosts that are allowed", "forbidden")
        return where


def _failed(error: HttpFailure) -> NotFetched:
    if isinstance(error, TooLarge):
        return NotFetched("it is larger than is taken", "too-large")
    if isinstance(error, ConnectFailed) and error.cause == "forbidden":
        return NotFetched("it is not on the public internet", "forbidden")
    if isinstance(error, ConnectFailed):
        return NotFetched("it cannot be reached", "unreachable")
    return NotFetched("what comes is no answer, or is cut off or packed", "broken")
