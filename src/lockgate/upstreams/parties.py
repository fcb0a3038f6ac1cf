"""A server of the stateless era that tells callers apart: for each party, what it was told.

Must not know: supervision, where credentials come from. What one party learns of the server, such
as which arguments a tool repeats in headers, is nothing to another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable
from typing import Final

from lockgate.core.message import Call, Principal, Reply
from lockgate.upstreams.authorized import Authorized, Parties
from lockgate.upstreams.eras import Probe
from lockgate.upstreams.http_modern import ModernHttp

MOST: Final = 1024


class ModernForEach:
    """Sends calls to one server, each on behalf of its caller. See `ModernHttp`."""

    def __init__(self, parties: Parties) -> None:
        self._parties = parties
        self._links: OrderedDict[Authorized, ModernHttp] = OrderedDict()

    def send(self, call: Call) -> Awaitable[Reply]:
        """See `ModernHttp.send`."""
        return self._of(call.principal).send(call)

    async def probe(self, principal: Principal) -> tuple[Probe, bytes | None]:
        """See `ModernHttp.probe`; on behalf of `principal`."""
        return await self._of(principal).probe(principal)

    def _of(self, principal: Principal) -> ModernHttp:
        remote = self._parties.of(principal)
        link = self._links.get(remote)
        if link is None:
            link = self._links[remote] = ModernHttp(remote)
            while len(self._links) > MOST:
                self._links.popitem(last=False)[1].close()
        else:
            self._links.move_to_end(remote)
        return link

    def close(self) -> None:
        """Stop what runs by itself."""
        for link in self._links.values():
            link.close()
