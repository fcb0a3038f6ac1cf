"""The credentials that a configuration gets for its servers, for a diagnosis of them.

Must not know: OAuth. What the gateway would show a server, the diagnosis shows it; where somebody
has to log in first, or each request needs a proof of its own, it goes without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from inspect import isawaitable
from typing import Final

from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM
from lockgate.core.credentials import Credentials, Headers
from lockgate.core.message import Failure
from lockgate.gateway.build import key_ring
from lockgate.gateway.fetching import PoolFetch
from lockgate.gateway.outbound import Outbound
from lockgate.gateway.sights import OPERATOR
from lockgate.identity.fetch import FetchFailed

WITHIN: Final = 20.0
"""Seconds for one server's."""
_REFUSED: Final = (401, 403)
_BEARER: Final = b"authorization"
_TRY: Final = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_POSTED: Final = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
)

Pairs = tuple[tuple[str, str], ...]


async def credentials_of(config: Config) -> Mapping[str, Pairs | Failure]:
    """Headers for each server that gets any beside its configured ones, or why there are none.

    Raises:
        LockgateError: a key, or what logins are kept in, cannot be used.
    """
    outbound = Outbound(key_ring(config), SYSTEM)
    fetch = PoolFetch()
    found: dict[str, Pairs | Failure] = {}
    try:
        for name, one in outbound.turn_to(config).items():
            url = config.enabled[name].addresses[0]
            try:
                async with asyncio.timeout(WITHIN):
                    headers = await _headers(one, fetch, url)
                    found[name] = headers if isinstance(headers, Failure) else _plain(headers)
            except (TimeoutError, FetchFailed):
                continue
    finally:
        await fetch.close()
        await outbound.close()
    return found


async def _headers(one: Credentials, fetch: PoolFetch, url: str) -> Headers | Failure:
    """What is sent along; got from the server's own challenge if there is nothing yet."""
    found = await _at_hand(one)
    if found:
        return found
    answer = await fetch("POST", url, headers=_POSTED, body=_TRY)
    if answer.status not in _REFUSED:
        return ()
    new = await one.refused(OPERATOR, answer.headers.get("www-authenticate"))
    if isinstance(new, Failure):
        return new
    return await _at_hand(one) if new else ()


async def _at_hand(one: Credentials) -> Headers | Failure:
    found = one.headers(OPERATOR)
    return await found if isawaitable(found) else found


def _plain(headers: Headers) -> Pairs:
    """Only what may be sent more than once."""
    if not all(name.lower() == _BEARER for name, _ in headers):
        return ()
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)
