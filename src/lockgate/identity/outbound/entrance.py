"""How a person logs in to one server: to its authorization server and back, once per state.

Must not know: browsers, pages, who may log in, what a login is used for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.identity.outbound import flow as flows
from lockgate.identity.outbound.challenge import Challenge
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.discovery import Discovery, Found
from lockgate.identity.outbound.dpop import ALGORITHM, Prover
from lockgate.identity.outbound.flow import Flow
from lockgate.identity.outbound.login import (
    Login,
    account_after,
    pack_client,
    unpack_client,
)
from lockgate.identity.outbound.owned import UNKNOWN
from lockgate.identity.outbound.pins import Pins
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.registration import register
from lockgate.identity.outbound.tokens import Asking, ask
from lockgate.identity.outbound.trouble import Trouble
from lockgate.identity.outbound.vault import DAY, Vault

MINUTES: Final = 600
"""Seconds a person has to come back."""


class EntranceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who the gateway is to the authorization server, and what it asks for.

    entry     the name of the server.
    client    registered by hand; None: by its document or by itself.
    document  the URL of the client's metadata document, where there is one.
    scopes    asked for in place of what the server demands.
    dpop      have tokens bound to a key where the authorization server can.
    lasting   ask for what lets tokens be renewed, where the authorization server has that.
    """

    entry: str
    client: Client | None = None
    document: str | None = None
    scopes: tuple[str, ...] = ()
    dpop: bool = False
    lasting: bool = True


class Entrance:
    """The way in to one server."""

    def __init__(
        self,
        reach: Reach,
        discovery: Discovery,
        vault: Vault,
        pins: Pins,
        settings: EntranceSettings,
        clock: Clock = SYSTEM,
    ) -> None:
        self._reach = reach
        self._discovery = discovery
        self._vault = vault
        self._pins = pins
        self._settings = settings
        self._clock = clock

    async def begin(
        self,
        owner: str,
        redirect_uri: str,
        *,
        challenge: Challenge | None = None,
        before: Login | None = None,
        forgotten: str | None = None,
        browser: str = "",
    ) -> str:
        """Where to send the person; `browser` is a secret of the browser that will come back.

        `forgotten` is a client that registered itself and is not known there any more.

        Raises:
            Trouble: there is nowhere to send anybody.
        """
        challenge = challenge or await self._discovery.challenge()
        found = await self._discovery.find(challenge)
        flows.ready_for_codes(found.server)
        client = await self._client(found, redirect_uri, forgotten)
        same = before is not None and before.server.issuer == found.server.issuer
        had = (*before.asked, *before.granted) if before is not None and same else ()
        demanded = challenge.scopes if challenge is not None else ()
        scopes = flows.wanted_scopes(
            self._settings.scopes, demanded, found, had, lasting=self._settings.lasting
        )
        bound = self._settings.dpop and ALGORITHM in found.server.dpop
        begun = flows.begin(
            found,
            client.id,
            entry=self._settings.entry,
            owner=owner,
            redirect_uri=redirect_uri,
            scopes=scopes,
            browser=browser,
            key=Prover().keep() if bound else None,
        )
        await self._vault.put("flow", begun.state, msgspec.json.encode(begun), MINUTES)
        return flows.address(begun)

    async def finish(
        self, flow: Flow, params: Mapping[str, str], before: Login | None, browser: str = ""
    ) -> Login:
        """The login that an authorization response leads to.

        Raises:
            Trouble: it leads to none.
        """
        code = flows.judged(flow, params, browser)
        client = await self._known(flow)
        prover = Prover.restored(flow.key) if flow.key else None
        asking = Asking(self._reach, flow.server, client, prover)
        try:
            token = await ask(asking, flows.exchange(flow, code), self._clock.wall())
        except Trouble as trouble:
            if trouble.error in UNKNOWN:
                await self._vault.delete("client", _key(flow.server.issuer, flow.redirect_uri))
            raise
        return Login(
            account=account_after(before, flow.server, token),
            server=flow.server,
            client=client,
            resource=flow.resource,
            asked=flow.scopes,
            token=token,
            prover=prover,
        )

    async def _client(self, found: Found, redirect_uri: str, forgotten: str | None) -> Client:
        """Who to be: registered by hand, else the document, else registered now."""
        server, settings = found.server, self._settings
        if settings.client is not None:
            await self._pins.check(server.issuer, settings.client)
            return settings.client
        if settings.document is not None and server.documents:
            return Client(id=settings.document, method="none")
        key = _key(server.issuer, redirect_uri)
        kept = await self._vault.get("client", key)
        if kept is not None:
            client = unpack_client(msgspec.json.decode(kept))
            lasts = client.expires is None or client.expires > self._clock.wall() + MINUTES
            if lasts and client.id != forgotten:
                return client
        client = await register(self._reach, server, redirect_uri, self._clock.wall())
        await self._vault.put("client", key, msgspec.json.encode(pack_client(client)), DAY)
        return client

    async def _known(self, flow: Flow) -> Client:
        """The client that a flow was begun as."""
        configured = self._settings.client
        if configured is not None and configured.id == flow.client_id:
            return configured
        if flow.client_id == self._settings.document:
            return Client(id=flow.client_id, method="none")
        kept = await self._vault.get("client", _key(flow.server.issuer, flow.redirect_uri))
        client = None if kept is None else unpack_client(msgspec.json.decode(kept))
        if client is None or client.id != flow.client_id:
            raise Trouble(
                "oauth-registration",
                "the client that this login was begun as is not known any more.",
                "Begin the login again.",
                origin="gateway",
            )
        return client


async def take(vault: Vault, state: str) -> Flow:
    """The flow of this state, which is thereby used: whoever else comes with it gets none.

    Raises:
        Trouble: there is none, or it has been used.
    """
    if not state or len(state) > flows.LONGEST_STATE:
        raise flows.stray()
    kept = await vault.get("flow", state)
    if kept is None or not await vault.first("flow", state, MINUTES):
        raise flows.stray()
    await vault.delete("flow", state)
    return msgspec.json.decode(kept, type=Flow)


def _key(issuer: str, redirect_uri: str) -> str:
    """What a registration is kept by: another authorization server knows nothing of it."""
    return f"{issuer}\0{redirect_uri}"
