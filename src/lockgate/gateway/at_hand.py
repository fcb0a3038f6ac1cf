"""The list that calls of one client are routed by, kept where it costs least to find.

Must not know: how lists are fetched or merged.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.core.message import Call, ClientFacts
from lockgate.gateway.face import Face


class AtHand(NamedTuple):
    """The face that calls of one client are routed by, while nothing has changed."""

    client: ClientFacts
    principal: str
    edition: int
    expires: float
    face: Face

    def serves(self, call: Call, edition: int, now: float) -> bool:
        """Whether `call` is routed by it."""
        return (
            self.client is call.client
            and self.edition == edition
            and now < self.expires
            and self.principal == call.principal.id
        )
