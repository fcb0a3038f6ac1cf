"""The faces that calls are routed by, at hand for whoever calls again.

Must not know: how faces are made, or when they no longer hold: it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from lockgate.core.message import Call, ClientFacts
from lockgate.core.sight import Sight
from lockgate.gateway.face import Face

Whose = tuple[str, int | str, int]
"""Whose face it is: its method, the client's facts or a session's capabilities, the sight."""
MOST: Final = 1024


class Held:
    """One face.

    principal  whose it is; None: of everybody with this sight.
    expires    from then on it is to be made anew.
    """

    __slots__ = ("client", "expires", "face", "principal", "sight")

    def __init__(
        self, client: ClientFacts, sight: Sight, principal: str | None, expires: float, face: Face
    ) -> None:
        self.client: Final = client
        self.sight: Final = sight
        self.principal: Final = principal
        self.expires: Final = expires
        self.face: Final = face


class Hands:
    """Bounded. `edition` is another one whenever faces may be."""

    __slots__ = ("_held", "_now", "_own_lists", "edition")

    def __init__(self, now: Callable[[], float], own_lists: Container[str | None]) -> None:
        """`own_lists` has the sessions that some server lists for otherwise than for others."""
        self._now = now
        self._own_lists = own_lists
        self._held: dict[Whose, Held] = {}
        self.edition = 0

    def drop(self) -> None:
        """Faces may have changed."""
        self.edition += 1
        self._held.clear()

    def keep(self, whose: Whose, held: Held) -> None:
        """Have a face at hand."""
        if len(self._held) >= MOST:
            self._held.clear()
        self._held[whose] = held

    def of_one(self, method: str, call: Call, sight: Sight, principal: str | None) -> Face | None:
        """What a caller with this sight is routed by; None: it is not at hand."""
        # Fronts keep one ClientFacts for all calls of a stateless client.
        held = self._held.get((method, id(call.client), id(sight)))
        if (
            held is not None
            and held.client is call.client
            and self._now() < held.expires
            and held.sight is sight
            and held.principal == principal
        ):
            return held.face
        return None

    def of_all(self, method: str, call: Call) -> Face | None:
        """The same where everybody sees the same."""
        client = call.client
        # Sessions are many; they see alike by what they can do, unless a server lists for one.
        if client.era == "modern":
            held = self._held.get((method, id(client), 0))
            if held is None or held.client is not client:
                return None
        else:
            held = self._held.get((method, client.capabilities_key, 0))
            if held is None or call.affinity in self._own_lists:
                return None
        return held.face if self._now() < held.expires else None
