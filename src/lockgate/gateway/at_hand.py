"""The list that calls of one client are routed by, kept where it costs least to find.

Must not know: how lists are fetched or merged.
"""

from __future__ import annotations

from typing import NamedTuple

from lockgate.core.message import ClientFacts
from lockgate.gateway.face import Face


class AtHand(NamedTuple):
    """The face that calls of one client are routed by, while nothing has changed."""

    client: ClientFacts
    principal: str
    edition: int
    expires: float
    face: Face
