"""Who may use a refresh token now: one at a time, among all who share the store of logins.

Must not know: what it is used for. Source: RFC 9700 section 4.14.2: authorization servers that give
a new refresh token each time take a second use of the old one for theft, and end the whole login.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.clock import Clock
from lockgate.core.secret import Secret
from lockgate.identity.outbound.vault import Vault

SECONDS: Final = 45
"""How long nobody else uses it: whoever crashed on the way holds others up for so long."""
OURS: Final = 25.0
"""How long we may try it again: what is begun then is over before others may begin."""


class Claim:
    """The refresh token that one login of one process may use."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._held: tuple[str, float] = ("", 0.0)

    async def take(self, refresh: Secret) -> bool:
        """Whether it may be used now; False: somebody else does.

        Raises:
            Trouble: the store is away.
        """
        token = refresh.reveal()
        held, until = self._held
        if held == token and self._clock.monotonic() < until:
            return True
        ends = self._clock.monotonic() + OURS
        if not await self._vault.first("refresh", token, SECONDS):
            return False
        self._held = (token, ends)
        return True
