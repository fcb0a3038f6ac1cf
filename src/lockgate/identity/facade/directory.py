"""Which client an identifier stands for, whichever way it came to be known.

Must not know: requests, people. The order is that of revision 2026-07-28: those the configuration
has, those a document describes, those that registered themselves.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.clock import Clock
from lockgate.identity.facade.clients import LONGEST_ID, Client, known, opened
from lockgate.identity.facade.described import Described, is_url
from lockgate.identity.facade.refusals import CLIENT, Refusal
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.vault import Vault
from lockgate.wire.seal import KeyRing

UNKNOWN: Final = Refusal("invalid_client", "No such client is known here.", CLIENT, 401)


class Directory:
    """Finds clients."""

    def __init__(
        self,
        settings: FacadeSettings,
        described: Described,
        ring: KeyRing,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._configured = {one.id: known(one) for one in settings.clients}
        self._described = described
        self._ring = ring
        self._vault = vault
        self._clock = clock

    async def find(self, client_id: str, peer: str) -> Client | Refusal:
        """The client; documents are fetched only so often for one address."""
        if not client_id or len(client_id) > LONGEST_ID:
            return UNKNOWN
        found = self._configured.get(client_id)
        if found is not None:
            return found
        if is_url(client_id):
            return await self._describe(client_id, peer)
        return opened(self._ring, client_id, self._clock.wall()) or UNKNOWN

    async def _describe(self, url: str, peer: str) -> Client | Refusal:
        if not self._settings.documents:
            return UNKNOWN
        found = self._described.at_hand(url)
        if found is not None:
            return found
        # As dear as a registration: a stranger has us ask somebody.
        often = await self._vault.admit("document", peer, self._settings.rates.registrations)
        return often if often is not None else await self._described.find(url)
