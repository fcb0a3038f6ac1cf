"""The ways to a token that need no browser: one class per grant.

Must not know: sessions, when a token is renewed. Sources: RFC 6749 section 4.4 (client
credentials), RFC 7523 section 2.1 (JWT bearer), RFC 8693 (token exchange),
draft-ietf-oauth-identity-assertion-authz-grant (ID-JAG), and the MCP extensions
oauth-client-credentials and enterprise-managed-authorization.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import Principal
from lockgate.core.secret import Secret
from lockgate.identity.outbound.challenge import Challenge
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.discovery import Discovery, Found
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.tokens import EXCHANGE, ID_JAG, JWT_BEARER, Asking, Token, ask
from lockgate.identity.outbound.trouble import Trouble

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name

Pin = Callable[[str, Client], Awaitable[None]]
"""Raises `Trouble` if the client is registered at another authorization server than this issuer."""


class Means(msgspec.Struct, frozen=True):
    """What every grant uses.

    scopes    the configured ones; empty: what the server demands.
    audience  sent beside `resource` for authorization servers that go by it.
    prover    tokens are to be bound to its key; None: they are not.
    """

    reach: Reach
    discovery: Discovery
    client: Client
    clock: Clock
    pin: Pin
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    prover: Prover | None = None

    def as_client(self, client: Client) -> Means:
        """The same as another client."""
        return msgspec.structs.replace(self, client=client)

    async def found(self, challenge: Challenge | None) -> Found:
        """The authorization server, which is the one this client belongs to. Raises `Trouble`."""
        found = await self.discovery.find(challenge)
        await self.pin(found.server.issuer, self.client)
        return found

    async def ask(self, found: Found, grant: dict[str, str], scopes: tuple[str, ...]) -> Token:
        """One token request for the resource. Raises `Trouble`."""
        asking = Asking(self.reach, found.server, self.client, self.prover)
        wanted = self.scopes or found.scopes or ()
        asked = " ".join(dict.fromkeys([*scopes, *(self.scopes if scopes else wanted)]))
        full = {**grant, "resource": found.resource, "scope": asked}
        return await ask(asking, full, self.clock.wall())


class Grant(Protocol):
    """One way to a token."""

    @property
    def shared(self) -> bool:
        """One token serves everybody."""
        ...

    async def obtain(
        self, principal: Principal, challenge: Challenge | None, scopes: tuple[str, ...]
    ) -> Token:
        """A new token for this principal; `scopes` were demanded so far. Raises `Trouble`."""
        ...


class ClientCredentials:
    """The gateway on its own behalf."""

    shared = True

    def __init__(self, means: Means) -> None:
        self._means = means

    async def obtain(
        self, principal: Principal, challenge: Challenge | None, scopes: tuple[str, ...]
    ) -> Token:
        """See `Grant`."""
        del principal
        found = await self._means.found(challenge)
        grant = {"grant_type": "client_credentials", "audience": self._means.audience or ""}
        return await self._means.ask(found, grant, scopes)


class JwtBearer:
    """The gateway by an assertion that its surroundings give it, such as a workload identity."""

    shared = True

    def __init__(self, means: Means, assertion: Callable[[], str]) -> None:
        """`assertion` reads the current one; it may raise OSError."""
        self._means = means
        self._assertion = assertion

    async def obtain(
        self, principal: Principal, challenge: Challenge | None, scopes: tuple[str, ...]
    ) -> Token:
        """See `Grant`."""
        del principal
        found = await self._means.found(challenge)
        grant = {"grant_type": JWT_BEARER, "assertion": _read(self._assertion)}
        return await self._means.ask(found, grant, scopes)


class Subject(msgspec.Struct, frozen=True):
    """Whose token is exchanged: the caller's, or (`fixed`) one that is configured."""

    kind: str = ACCESS_TOKEN
    fixed: Callable[[], str] | None = None

    @property
    def shared(self) -> bool:
        """It is everybody's."""
        return self.fixed is not None

    def of(self, principal: Principal) -> str:
        """The token to exchange. Raises `Trouble` when the caller came with none."""
        if self.fixed is not None:
            return _read(self.fixed)
        if principal.subject is None:
            raise Trouble(
                "subject-missing",
                "it is asked on behalf of whoever calls, by their own token, and this caller came "
                "with none.",
                "Call with a token of the identity provider; an API key cannot be exchanged.",
                origin="client",
            )
        return principal.subject.reveal()


class Provider:
    """The callers' identity provider, and who the gateway is there."""

    def __init__(
        self,
        client: Client,
        discovery: Discovery,
        *,
        issuer: str | None = None,
        token_url: str | None = None,
    ) -> None:
        """Either of the two; `discovery` reads the metadata of `issuer`."""
        self.client = client
        self._discovery = discovery
        self._issuer = issuer
        self._token_url = token_url
        self._server: AuthorizationServer | None = None

    async def server(self) -> AuthorizationServer:
        """Where it exchanges tokens. Raises `Trouble`."""
        if self._server is None:
            if self._token_url is not None:
                issuer = self.client.issuer or self._token_url
                self._server = AuthorizationServer(issuer=issuer, token=self._token_url)
            else:
                self._server = await self._discovery.server(self._issuer or "")
        return self._server


class TokenExchange:
    """The caller's token, exchanged for one that is good at the server and nowhere else."""

    def __init__(self, means: Means, subject: Subject, provider: Provider | None = None) -> None:
        """`provider`: where tokens are exchanged, if not at the server's own."""
        self._means = means
        self._subject = subject
        self._provider = provider
        self.shared = subject.shared

    async def obtain(
        self, principal: Principal, challenge: Challenge | None, scopes: tuple[str, ...]
    ) -> Token:
        """See `Grant`."""
        subject = self._subject.of(principal)
        grant = {
            "grant_type": EXCHANGE,
            "subject_token": subject,
            "subject_token_type": self._subject.kind,
            "requested_token_type": ACCESS_TOKEN,
            "audience": self._means.audience or "",
        }
        provider = self._provider
        if provider is None:
            return await self._means.ask(await self._means.found(challenge), grant, scopes)
        found = Found(self._means.discovery.resource, await provider.server())
        return await self._means.as_client(provider.client).ask(found, grant, scopes)


class IdentityAssertion:
    """The caller's identity, asserted by their identity provider to the server's own (ID-JAG)."""

    def __init__(self, means: Means, subject: Subject, provider: Provider) -> None:
        self._means = means
        self._subject = subject
        self._provider = provider
        self.shared = subject.shared

    async def obtain(
        self, principal: Principal, challenge: Challenge | None, scopes: tuple[str, ...]
    ) -> Token:
        """See `Grant`."""
        subject = self._subject.of(principal)
        means = self._means
        found = await means.found(challenge)
        wanted = scopes or means.scopes or found.scopes or ()
        asking = Asking(means.reach, await self._provider.server(), self._provider.client)
        grant = {
            "grant_type": EXCHANGE,
            "requested_token_type": ID_JAG,
            "audience": found.server.issuer,
            "resource": found.resource,
            "scope": " ".join(wanted),
            "subject_token": subject,
            "subject_token_type": self._subject.kind,
        }
        assertion: Secret = (await ask(asking, grant, means.clock.wall())).access
        bearer = {"grant_type": JWT_BEARER, "assertion": assertion.reveal()}
        return await means.ask(found, bearer, scopes)


def _read(source: Callable[[], str]) -> str:
    try:
        text = source().strip()
    except OSError as error:
        raise _unreadable() from error
    if not text:
        raise _unreadable()
    return text


def _unreadable() -> Trouble:
    return Trouble(
        "outbound-key",
        "the file that holds its assertion cannot be read, or is empty.",
        "Correct the path, or what writes the file.",
        origin="gateway",
    )
