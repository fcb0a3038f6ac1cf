"""Fetches what a stranger's URL names, and only from where strangers may send us.

Must not know: what it is for. What could go wrong on the way, and what is done about it, is in
`lockgate.upstreams.safe_fetch`, which this gives errors that a model can act on.
"""

from __future__ import annotations

import ssl
from collections.abc import Coroutine, Mapping, Sequence
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import Any, Final

import msgspec

from lockgate.guard.places.hosts import UrlRule, judged
from lockgate.kit.errors import (
    InvalidInput,
    NotAllowed,
    TimedOut,
    TooLarge,
    ToolError,
    Unavailable,
)
from lockgate.kit.page import Page
from lockgate.upstreams.safe_fetch import NotFetched, SafeFetch
from lockgate.wire.addresses import is_public, keeps_credentials

__all__ = ["PLAIN", "Client", "Page"]

AGENT: Final = "lockgate-kit (+https://pypi.org/project/lockgate/)"
PLAIN: Final = ("text/", "application/json", "application/xml", "application/xhtml+xml")
"""Media types of what can be read as text."""

_KINDS: Final[Mapping[str, type[ToolError]]] = {
    "url": InvalidInput,
    "forbidden": NotAllowed,
    "redirects": Unavailable,
    "type": InvalidInput,
    "too-large": TooLarge,
    "timeout": TimedOut,
    "unreachable": Unavailable,
    "broken": Unavailable,
}


class Client:
    """Keeps connections; one for a server, closed with it: `async with Client() as client:`."""

    def __init__(
        self,
        *,
        schemes: Sequence[str] = ("https", "http"),
        hosts: Sequence[str] | None = None,
        networks: Sequence[str] = (),
        max_bytes: int = 5_000_000,
        timeout: float = 15.0,
        redirects: int = 3,
        agent: str = AGENT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing is connected to yet.

        Args:
            schemes: those a URL may have, redirects included.
            hosts: the only hosts there are: `example.com`, `*.example.com`; None: any.
            networks: addresses that may be reached beside public ones: `10.1.2.0/24`. Those at
                which a cloud keeps credentials never may.
            max_bytes: of an answer.
            timeout: seconds for all of it, redirects included.
            redirects: how many are followed.
            agent: what we say we are.
            tls: what https connections are made with; the system's authorities by default.
        """
        self._rule = None if hosts is None else UrlRule(tuple(schemes), False, tuple(hosts))
        self._networks = tuple(map(ip_network, networks))
        self._agent = agent
        self._most = max_bytes
        self._within = timeout
        self._redirects = redirects
        self._fetch = SafeFetch(
            schemes=schemes, reachable=self._reachable, tls=tls, allowed=self._allowed
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        types: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, Page]:
        """See `request`."""
        return self.request("GET", url, headers=headers, types=types, timeout=timeout)

    def post(
        self,
        url: str,
        *,
        json: object = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        types: Sequence[str] = (),
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, Page]:
        """See `request`; `json` is sent as JSON."""
        sent = {"content-type": "application/json"} if json is not None else {}
        return self.request(
            "POST",
            url,
            body=body if json is None else msgspec.json.encode(json),
            headers={**sent, **(headers or {})},
            types=types,
            timeout=timeout,
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        types: Sequence[str] = (),
        timeout: float | None = None,  # noqa: ASYNC109 - a part of what is asked for, as for `get`
    ) -> Page:
        """What came, whatever its status; see `Page.require_ok`.

        Args:
            method: of HTTP.
            url: where to begin.
            body: what is sent.
            headers: go to the origin of `url` alone, but for a few that are no secret.
            types: media types that are taken, such as `text/`; `fetch.PLAIN`; none: any.
            timeout: seconds in all, instead of the client's.

        Raises:
            InvalidInput, NotAllowed, TooLarge, TimedOut, Unavailable: nothing was fetched.
        """
        said = {"user-agent": self._agent, **{n.lower(): v for n, v in (headers or {}).items()}}
        try:
            document = await self._fetch(
                url,
                method=method.upper(),
                headers=tuple(said.items()),
                body=body,
                types=types,
                most=self._most,
                within=self._within if timeout is None else timeout,
                redirects=self._redirects,
            )
        except NotFetched as error:
            raise _KINDS[error.why](f"The URL was not fetched: {error}") from None
        return Page(document)

    async def close(self) -> None:
        """Drop every connection."""
        await self._fetch.close()

    def _allowed(self, url: str) -> bool:
        return self._rule is None or judged(url, self._rule) is None

    def _reachable(self, address: str) -> bool:
        if is_public(address):
            return True
        one = ip_address(address.partition("%")[0])
        return not keeps_credentials(address) and any(one in network for network in self._networks)
