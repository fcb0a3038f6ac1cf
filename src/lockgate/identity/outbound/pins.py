"""Which authorization server a client that was registered by hand belongs to.

Must not know: what the client is used for. Source: specification 2026-07-28,
basic/authorization/client-registration, "Authorization Server Binding": its credentials are shown
to that authorization server and to no other.
"""

from __future__ import annotations

from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.trouble import Trouble
from lockgate.identity.outbound.vault import Vault


class Pins:
    """Remembers the issuer at which a client was first used."""

    def __init__(self, vault: Vault, server: str) -> None:
        """`server` is the name of the server whose entry holds the client."""
        self._vault = vault
        self._server = server

    async def check(self, issuer: str, client: Client) -> None:
        """Nothing, if this client may be used at `issuer`.

        Raises:
            Trouble: it is known to belong to another one.
        """
        if client.issuer is not None:
            if client.issuer != issuer:
                raise _foreign()
            return
        if client.secret is None and client.signer is None:
            return
        key = f"{self._server}\0{client.id}"
        kept = await self._vault.get("issuer", key)
        if kept is None:
            await self._vault.put("issuer", key, issuer.encode())
        elif kept.decode() != issuer:
            raise _foreign()


def _foreign() -> Trouble:
    return Trouble(
        "oauth-metadata",
        "it names another authorization server than the one the configured client belongs to.",
        "If it has moved, register Lockgate at the new one and set `auth.issuer` to it.",
        origin="gateway",
    )
