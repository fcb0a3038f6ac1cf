"""The login of one owner at one server: kept in the vault, shared with other processes, renewed.

Must not know: who asks for it, what people are told, how they log in.

The vault has the truth: what another process put there counts from the next look on, and what it
took away is over. A refresh token is used by one process at a time (`claim`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from secrets import token_hex
from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.identity.outbound.challenge import Challenge
from lockgate.identity.outbound.claim import Claim
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.login import Login, pack, unpack
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.renewal import Renewal
from lockgate.identity.outbound.shown import Shown
from lockgate.identity.outbound.tokens import Asking, Token, ask
from lockgate.identity.outbound.trouble import Trouble
from lockgate.identity.outbound.vault import Vault

_log: Final = logging.getLogger("lockgate.identity")
LOOK_AGAIN: Final = 2.0
"""Seconds in which the vault is not asked again for a login that was not there."""
POLL: Final = 0.2
"""Seconds between two looks for what another process is just getting."""
UNKNOWN: Final = frozenset({"invalid_client", "unauthorized_client"})
"""What an authorization server says of a client that it does not know, or not any more."""
PATIENCE: Final = 50
"""How often that is looked for: ten seconds in all."""


class Place:
    """Where the logins of one server are kept, and how they are renewed."""

    def __init__(
        self,
        server: str,
        url: str,
        *,
        vault: Vault,
        reach: Reach,
        client: Client | None,
        clock: Clock,
        tell: Callable[[], None],
    ) -> None:
        """`tell` is called when somebody has logged in or out."""
        self.server: Final = server
        self.url: Final = url
        self.vault: Final = vault
        self.reach: Final = reach
        self.client: Final = client
        self.clock: Final = clock
        self.tell: Final = tell


class Owned:
    """What is known of one owner."""

    def __init__(self, place: Place, owner: str) -> None:
        self._place = place
        self._key = f"{place.server}\0{place.url}\0{owner}"
        self._claim = Claim(place.vault, place.clock)
        # What the vault still has, where it was away when a renewed login was to be put there.
        self._behind: Login | None = None
        self.shown = Shown(place.url, place.clock)
        self.login: Login | None = None
        self.renewal: Renewal | None = None
        self.looked = -LOOK_AGAIN
        # Nothing that was seen without this login is ever taken for what it shows.
        self.since = 0.0
        self.account = f"none-{token_hex(8)}"
        self.challenge: Challenge | None = None
        # The client that the authorization server does not know any more.
        self.forgotten: str | None = None
        self.steps: dict[tuple[str, ...], int] = {}
        self.changed = asyncio.Event()

    async def put(self, login: Login) -> None:
        """This is the login from now on, in every process. Raises `Trouble`."""
        await self._place.vault.put("login", self._key, pack(login))
        self._take(login)

    async def remove(self) -> None:
        """There is none any more, in no process. Raises `Trouble`."""
        await self._place.vault.delete("login", self._key)
        self._forget()

    async def look(self) -> bool:
        """Look into the vault; whether there is another token than the one in use.

        Raises:
            Trouble: it is away.
        """
        kept = await self._place.vault.get("login", self._key)
        self.looked = self._place.clock.monotonic()
        if kept is None:
            if self.login is not None:
                self._forget()
            return False
        try:
            login = unpack(kept, self._place.client)
        except (msgspec.MsgspecError, KeyError, ValueError):
            return False
        access = login.token.access
        behind, self._behind = self._behind, None
        if behind is not None and self.login is not None and access == behind.token.access:
            await self._keep(behind, self.login)
            return False
        current = self.renewal.token if self.renewal is not None else None
        if self.login is not None and access == self.login.token.access:
            return False
        if current is not None and access == current.access:
            return False
        self._take(login)
        return True

    async def _keep(self, before: Login, login: Login) -> None:
        """Put a renewed login where the one before it is. Raises `Trouble`."""
        self._behind = before
        await self._place.vault.put("login", self._key, pack(login))
        self._behind = None

    def _take(self, login: Login) -> None:
        clock = self._place.clock
        self.login, self._behind = login, None
        self.renewal = Renewal(self._refreshed, clock, login.token)
        self.account = login.account
        self.since = clock.wall()
        self.challenge = None
        self.changed.set()
        self.changed = asyncio.Event()
        self._place.tell()

    def _forget(self) -> None:
        self.login = self.renewal = self._behind = None
        self.account = f"none-{token_hex(8)}"
        self._place.tell()

    # Renewing.

    async def _refreshed(self) -> Token:
        """A new token by the refresh token; another process may have been quicker."""
        login = self.login
        if login is None or await self._differs(login):
            return self._newest()
        refresh = login.token.refresh
        if refresh is None:
            raise _over()
        if not await self._claim.take(refresh):
            return await self._elsewhere(login)
        # Whoever had it before may have put what came of it there just now.
        if await self._differs(login):
            return self._newest()
        grant = {
            "grant_type": "refresh_token",
            "refresh_token": refresh.reveal(),
            "resource": login.resource,
        }
        asking = Asking(self._place.reach, login.server, login.client, login.prover)
        try:
            token = await ask(asking, grant, self._place.clock.wall())
        except Trouble as trouble:
            if trouble.error in UNKNOWN:
                # Registrations are forgotten too; with another one it is logged in anew.
                self.forgotten = login.client.id
            elif trouble.error != "invalid_grant":
                raise
            if await self._differs(login):
                return self._newest()
            self.login = login.without_refresh()
            raise
        if self.login is not login:
            # Its owner has logged in or out meanwhile, and that counts.
            return self._newest()
        return await self._renewed(login, login.renewed(token))

    async def _renewed(self, before: Login, login: Login) -> Token:
        self.login = login
        try:
            # Another process may have a login anew, or none any more.
            self._behind = before
            await self.look()
        except Trouble as trouble:
            # The token is good all the same, and is put there as soon as that is possible.
            _log.warning("a renewed login at %s is not kept yet: %s", self._place.server, trouble)
        return self._newest()

    async def _elsewhere(self, login: Login) -> Token:
        """What another process gets for the refresh token that it is using."""
        for _ in range(PATIENCE):
            await asyncio.sleep(POLL)
            if await self._differs(login):
                return self._newest()
        raise Trouble(
            "token-unavailable",
            "another process is renewing this login, and has not finished.",
            "Try again; if it stays so, log in again.",
            retry_after=5,
        )

    async def _differs(self, login: Login) -> bool:
        """Whether this is not the login any more, as the vault knows it."""
        return await self.look() or self.login is not login

    def _newest(self) -> Token:
        if self.login is None:
            raise _over()
        return self.login.token


def _over() -> Trouble:
    return Trouble(
        "token-refused", "the login is over, and there is no way to renew it.", "Log in again."
    )
