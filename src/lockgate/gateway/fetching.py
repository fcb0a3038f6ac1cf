"""What carries out `identity.fetch.Fetch`: exchanges over the pool that servers are reached with.

Must not know: what the documents are for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from lockgate.identity.fetch import MOST, WITHIN, Fetched, FetchFailed
from lockgate.upstreams.failures import ConnectFailed, HttpFailure, TimedOut, TooLarge
from lockgate.upstreams.pool import BadUrl, HttpPool, PoolLimits, Url
from lockgate.wire.addresses import is_public

_LIMITS: Final = PoolLimits(connections=8, waiting=64, wait_seconds=10.0)
AT_ONCE: Final = 64
"""Exchanges that run at the same time; strangers choose how many they begin."""


class PoolFetch:
    """A `Fetch` over a pool of its own.

    public_only  for addresses that strangers choose: https only, and connections only to addresses
                 of the public internet, judged as they are connected to, so that no name can
                 change what it stands for between the check and the use.
    tls          what https connections are made with; the system's authorities by default.
    reachable    judges each address as it is connected to, where `public_only` does not.
    limits       of the pool.
    """

    def __init__(
        self,
        *,
        public_only: bool = False,
        tls: ssl.SSLContext | None = None,
        reachable: Callable[[str], bool] | None = None,
        limits: PoolLimits = _LIMITS,
    ) -> None:
        self._public_only = public_only
        self._pool = HttpPool(limits, tls=tls, reachable=is_public if public_only else reachable)
        self._running = 0

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
        """See `Fetch`."""
        where = self._where(url)
        if self._running >= AT_ONCE:
            raise FetchFailed("too many documents are being fetched", "busy")
        sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if not any(name.lower() == "accept" for name, _ in headers):
            sent.append((b"accept", b"application/json"))
        # Nothing is unpacked here, so that what is small on the way stays small.
        sent.append((b"accept-encoding", b"identity"))
        self._running += 1
        try:
            async with asyncio.timeout(within):
                return await self._exchange(where, method.encode("ascii"), sent, body, most)
        except TimeoutError:
            raise FetchFailed(f"{where.shown} took too long to answer", "timeout") from None
        except HttpFailure as error:
            raise _failed(error) from None
        finally:
            self._running -= 1

    async def close(self) -> None:
        """Drop every connection; exchanges under way fail."""
        await self._pool.close()

    def _where(self, url: str) -> Url:
        try:
            where = Url.parse(url)
        except BadUrl as error:
            raise FetchFailed(str(error), "url") from None
        if self._public_only and where.scheme != "https":
            raise FetchFailed("only https addresses are fetched", "url")
        return where

    async def _exchange(
        self, where: Url, method: bytes, headers: list[tuple[bytes, bytes]], body: bytes, most: int
    ) -> Fetched:
        async with await self._pool.request(where, method, headers, body) as reply:
            found = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reply.headers.items()
            }
            if found.get("content-encoding", "identity").lower() != "identity":
                raise FetchFailed(f"{where.shown} sends a packed answer", "broken")
            return Fetched(reply.status, found, await reply.read(most))


def _failed(error: HttpFailure) -> FetchFailed:
    if isinstance(error, TimedOut):
        return FetchFailed(str(error), "timeout")
    if isinstance(error, TooLarge):
        return FetchFailed(str(error), "too-large")
    if isinstance(error, ConnectFailed):
        if error.cause == "forbidden":
            return FetchFailed(str(error), "forbidden")
        return FetchFailed(str(error), "busy" if error.cause == "busy" else "unreachable")
    return FetchFailed(str(error), "broken")
