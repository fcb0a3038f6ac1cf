"""Whose list it is: who sees the same one, and the one that calls of a client are routed by.

Must not know: how lists are fetched or merged.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.core.message import ClientFacts, Era
from lockgate.gateway.face import Face


class View(NamedTuple):
    """Callers with equal views see equal lists.

    `capabilities` and `session` matter to servers of the handshake era only, which may list what
    suits the client they were introduced to; `session` is set once such a server has changed its
    lists for that one session.
    """

    principal: str
    era: Era
    capabilities: str = ""
    session: str | None = None


class AtHand(NamedTuple):
    """The face that calls of one client are routed by, while nothing has changed."""

    client: ClientFacts
    principal: str
    edition: int
    expires: float
    face: Face
