"""The handshake era of a server that was first met in the other one.

Must not know: transports, supervision. Nothing but trying shows whether such a server also speaks
the older era; it is tried when the first caller of that era comes.
"""

from __future__ import annotations

from collections.abc import Callable

from lockgate.core.message import Call, Failure, Reply
from lockgate.upstreams.bridging import Link
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.remote import Stale


class SecondEra:
    """A link that is tried once, then known to be there or not."""

    def __init__(
        self, link: Handshake, proven: Callable[[], None], disproven: Callable[[], Link]
    ) -> None:
        """One of the two is told how it went; the second says which link serves instead."""
        self._link = link
        self._proven = proven
        self._disproven = disproven

    async def send(self, call: Call) -> Reply:
        """See `Link.send`."""
        try:
            session = await self._link.session(call)
        except Stale:
            return await self._disproven().send(call)
        if isinstance(session, Failure):
            return session
        self._proven()
        return await self._link.send(call)
