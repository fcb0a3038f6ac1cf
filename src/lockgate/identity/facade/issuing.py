"""The token endpoint: codes and refresh tokens become access tokens, each once.

Must not know: pages, what serves HTTP. Sources: RFC 6749 sections 4.1.3, 5 and 6, RFC 7009,
RFC 8707 section 2.2, RFC 9068, RFC 9449 section 5, RFC 9700 sections 2.2.2 and 4.14.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final

from msgspec.structs import replace

from lockgate.core.clock import Clock
from lockgate.identity.facade import web
from lockgate.identity.facade.clients import Client
from lockgate.identity.facade.directory import Directory
from lockgate.identity.facade.protocol import (
    Grant,
    TokenAnswer,
    client_id_of,
    client_wrong,
    repeated,
    token_answer,
)
from lockgate.identity.facade.provider import Person, Provider
from lockgate.identity.facade.refusals import AWAY, GRANT, REQUEST, REUSED, Refusal
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.signing import Signer
from lockgate.identity.facade.vault import Vault
from lockgate.identity.facade.web import Answer, Asked, Pairs
from lockgate.identity.facade.wishes import granted, resource_of
from lockgate.identity.proofs import Proofs, Terms
from lockgate.identity.verdicts import Refused

_log: Final = logging.getLogger("lockgate.identity")
TOKEN: Final = "/token"  # noqa: S105 - a path
REVOKE: Final = "/revoke"
LONGEST_HANDLE: Final = 128
PROOF_WINDOW: Final = 60.0
_PROTECTED: Final = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "client_id", "auth_time", "cnf"}
)
"""Claims that are ours to make, whatever the provider says."""


class Issuing:
    """Serves `/token` and `/revoke`."""

    def __init__(
        self,
        settings: FacadeSettings,
        directory: Directory,
        provider: Provider,
        vault: Vault,
        signer: Signer,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._provider = provider
        self._vault = vault
        self._signer = signer
        self._clock = clock
        self._proofs = Proofs()

    async def token(self, request: Asked) -> Answer:
        """Tokens for a code or for a refresh token."""
        found = await self._client(request)
        if not isinstance(found, tuple):
            return found
        pairs, authorization, client = found
        data = dict(pairs)
        kind = "refresh" if data.get("grant_type") == "refresh_token" else "code"
        handle = data.get("refresh_token" if kind == "refresh" else "code", "")
        grant = await self._grant(kind, handle)
        if isinstance(grant, Refusal):
            return web.refused(grant)
        answer = token_answer(pairs, authorization, client, grant)
        if isinstance(answer, Refusal):
            return web.refused(answer)
        if grant is None:
            return web.refused(_GONE)
        bound = self._bound(request, grant)
        if isinstance(bound, Refusal):
            return web.refused(bound)
        wrong = self._another_resource(pairs, grant) or await self._used(kind, handle, grant)
        if wrong is not None:
            return web.refused(wrong)
        if kind == "refresh":
            still = await self._still(handle, grant)
            if isinstance(still, Refusal):
                return web.refused(still)
            grant = replace(
                grant, person=still, scopes=granted(grant.scopes, still, self._settings)
            )
        return await self._issued(client, grant, answer, bound)

    async def _client(self, request: Asked) -> tuple[Pairs, str, Client] | Answer:
        """The fields of a request, what authenticates it, and the client it is from."""
        if request.method != "POST":
            return web.only("POST")
        often = await self._vault.admit("token", request.peer, self._settings.rates.tokens)
        pairs = often if often is not None else web.form(request)
        if isinstance(pairs, Refusal):
            return web.refused(pairs)
        doubled = repeated(pairs, but=("resource",))
        if doubled is not None or b"authorization" in request.repeated:
            return web.refused(doubled or _TWICE)
        authorization = request.headers.get(b"authorization", b"").decode("latin-1")
        named = client_id_of(pairs, authorization)
        found = (
            named if isinstance(named, Refusal) else await self._directory.find(named, request.peer)
        )
        return web.refused(found) if isinstance(found, Refusal) else (pairs, authorization, found)

    def _bound(self, request: Asked, grant: Grant) -> str | Refusal:
        """The key an access token is to be bound to (RFC 9449 section 5); empty: to none."""
        proof = request.headers.get(b"dpop", b"").decode("latin-1")
        if not proof and not grant.bound:
            return ""
        if b"dpop" in request.repeated:
            return _PROOF
        url = self._settings.issuer.rstrip("/") + TOKEN
        terms = Terms("POST", url, self._clock.wall(), PROOF_WINDOW)
        found = self._proofs.thumbprint(proof, terms)
        if isinstance(found, Refused):
            return replace(_PROOF, why=found.why)
        # Whoever has the refresh token of a public client has to have its key as well.
        return found if grant.bound in {"", found} else _PROOF

    async def _grant(self, kind: str, handle: str) -> Grant | Refusal | None:
        if not handle or len(handle) > LONGEST_HANDLE:
            return None
        found = await self._vault.find(kind, handle, Grant)
        if not isinstance(found, Grant):
            return found
        goes_on = await self._vault.goes_on(found.family)
        if isinstance(goes_on, Refusal):
            return goes_on
        # A code stays one, so that it is seen when it comes again.
        return found if goes_on or kind == "code" else None

    def _another_resource(self, pairs: Pairs, grant: Grant) -> Refusal | None:
        if not any(name == "resource" for name, _ in pairs):
            return None
        asked = resource_of(pairs, self._settings)
        if isinstance(asked, Refusal):
            return asked
        if asked != grant.resource:
            return Refusal("invalid_target", "It was granted for another endpoint.", REQUEST)
        return None

    async def _used(self, kind: str, handle: str, grant: Grant) -> Refusal | None:
        """Count it as used; a second use ends everything that came of the same login."""
        settings = self._settings
        ttl = settings.code_ttl if kind == "code" else settings.session_ttl
        first = await self._vault.first(kind, f"{handle}#{grant.attempt}", ttl)
        if isinstance(first, Refusal):
            return first
        if first:
            return None
        _log.warning(
            "a %s was used a second time; the login it came from is over (client %s)",
            "refresh token" if kind == "refresh" else "code",
            grant.client,
        )
        return await self._vault.forget(grant.family) or _REUSED

    async def _still(self, handle: str, grant: Grant) -> Person | Refusal:
        """Whether the provider still knows the person, where it gave something to ask with."""
        if not grant.person.refresh:
            return grant.person
        found = await self._provider.still(grant.person)
        if not isinstance(found, Refusal):
            return found
        if found.entry is AWAY:
            # Nothing was issued for it, so it may be tried again.
            again = replace(grant, attempt=grant.attempt + 1)
            await self._vault.keep("refresh", handle, again, self._left(grant), grant.family)
            return found
        await self._vault.forget(grant.family)
        return _GONE

    def _left(self, grant: Grant) -> float:
        return grant.began + self._settings.session_ttl - self._clock.wall()

    async def _issued(
        self, client: Client, grant: Grant, answer: TokenAnswer, bound: str
    ) -> Answer:
        settings = self._settings
        scopes = tuple(one for one in answer.scopes if one in grant.scopes)
        said: dict[str, Any] = {
            "access_token": self._signer.sign(self._claims(client, grant, scopes, bound)),
            "token_type": "DPoP" if bound else "Bearer",
            "expires_in": int(settings.access_ttl),
            "scope": " ".join(scopes),
        }
        left = self._left(grant)
        if answer.refresh and client.check_grant_type("refresh_token") and left > 0:
            handle = secrets.token_urlsafe(32)
            keeper = grant.bound or (bound if client.method == "none" else "")
            kept = replace(grant, attempt=0, redirect_uri="", challenge="", bound=keeper)
            lost = await self._vault.keep("refresh", handle, kept, left, grant.family)
            if lost is not None:
                return web.refused(lost)
            said["refresh_token"] = handle
        return web.json(200, said)

    def _claims(
        self, client: Client, grant: Grant, scopes: tuple[str, ...], bound: str
    ) -> dict[str, Any]:
        now = int(self._clock.wall())
        theirs = {
            name: value for name, value in grant.person.claims.items() if name not in _PROTECTED
        }
        return {
            **theirs,
            "iss": self._settings.issuer,
            "sub": grant.person.subject,
            "aud": grant.resource,
            "client_id": client.alias,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + int(self._settings.access_ttl),
            "auth_time": int(grant.began),
            "jti": secrets.token_urlsafe(16),
            **({"cnf": {"jkt": bound}} if bound else {}),
        }

    async def revoke(self, request: Asked) -> Answer:
        """A client is done: all that came of the same login ends (RFC 7009)."""
        found = await self._client(request)
        if not isinstance(found, tuple):
            return found
        pairs, authorization, client = found
        unproved = client_wrong(pairs, authorization, client)
        if unproved is not None:
            return web.refused(unproved)
        handle = dict(pairs).get("token", "")
        if handle.count(".") == 2:
            return web.refused(_LIVES_ON)
        grant = await self._grant("refresh", handle)
        if isinstance(grant, Grant) and grant.check_client(client):
            grant = await self._vault.forget(grant.family)
        return web.refused(grant) if isinstance(grant, Refusal) else web.json(200, {})


_GONE: Final = Refusal("invalid_grant", "What was granted is over; log in again.", GRANT)
_REUSED: Final = Refusal(
    "invalid_grant", "It was used before, so the login it came from is over; log in again.", REUSED
)
_TWICE: Final = Refusal("invalid_request", "A client authenticates in one way.", REQUEST)
_PROOF: Final = Refusal("invalid_dpop_proof", "The proof of possession does not hold.", GRANT)
_LIVES_ON: Final = Refusal(
    "unsupported_token_type", "Access tokens end by themselves; revoke the refresh token.", GRANT
)
