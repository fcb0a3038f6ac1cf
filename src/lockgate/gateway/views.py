"""Whose list it is: who is told the same one by a server, and who sees the same one of them all.

Must not know: how lists are fetched or merged.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from lockgate.core.message import Era


class View(NamedTuple):
    """Callers with equal views are told equal lists by one server.

    `partition` says whose credentials it was shown. `capabilities` and `session` matter to servers
    of the handshake era only, which may list what suits the client they were introduced to;
    `session` is set once such a server has changed its lists for that one session.
    """

    partition: str
    era: Era
    capabilities: str = ""
    session: str | None = None


class Outlook(NamedTuple):
    """Callers with equal outlooks see equal lists.

    sight       the key of their sight.
    partitions  by server, of those that have credentials of their own for some principals.
    """

    sight: Hashable
    era: Era
    capabilities: str = ""
    session: str | None = None
    partitions: tuple[tuple[str, str], ...] = ()

    def view(self, server: str) -> View:
        """The view they have of one server."""
        for name, partition in self.partitions:
            if name == server:
                return View(partition, self.era, self.capabilities, self.session)
        return View("", self.era, self.capabilities, self.session)
