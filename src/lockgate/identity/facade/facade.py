"""The facade as a whole: which path answers what.

Must not know: what serves HTTP. Sources: RFC 8414, RFC 7591, RFC 9207,
revision 2026-07-28, basic/authorization/authorization-server-discovery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from lockgate.core.clock import Clock
from lockgate.core.store import Store
from lockgate.identity.documents import OAUTH
from lockgate.identity.facade import web
from lockgate.identity.facade.authorizing import AUTHORIZE, CALLBACK, Authorizing
from lockgate.identity.facade.described import Described
from lockgate.identity.facade.directory import Directory
from lockgate.identity.facade.issuing import REVOKE, TOKEN, Issuing
from lockgate.identity.facade.protocol import grants_supported
from lockgate.identity.facade.provider import Provider
from lockgate.identity.facade.refusals import Refusal
from lockgate.identity.facade.registration import register
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.signing import Signer, sealing_ring
from lockgate.identity.facade.vault import Vault
from lockgate.identity.facade.web import Answer, Asked
from lockgate.identity.fetch import Fetch
from lockgate.identity.settings import ALGORITHMS

REGISTER: Final = "/register"
JWKS: Final = "/oauth/jwks"
Serves = Callable[[Asked], Awaitable[Answer]]


class Facade:
    """An authorization server for the gateway's endpoints.

    public    fetches what strangers name, from public addresses only.
    internal  fetches what the configuration names.
    """

    def __init__(
        self,
        settings: FacadeSettings,
        store: Store,
        clock: Clock,
        *,
        public: Fetch,
        internal: Fetch,
    ) -> None:
        self.settings = settings
        ring = sealing_ring(settings.keys)
        self._signer = Signer(settings.keys)
        self._ring = ring
        self._clock = clock
        self._vault = Vault(store, ring, clock)
        self._described = Described(settings, public, internal, clock)
        directory = Directory(settings, self._described, ring, self._vault, clock)
        issuer = settings.issuer.rstrip("/")
        self._provider = Provider(settings.provider, issuer + CALLBACK, internal, clock)
        self._authorizing = Authorizing(
            settings, directory, self._provider, self._vault, ring, clock
        )
        self._issuing = Issuing(
            settings, directory, self._provider, self._vault, self._signer, clock
        )
        self._metadata = web.document(metadata(settings))
        self._jwks = web.document(self._signer.jwks())

    def jwks(self) -> dict[str, Any]:
        """The keys our tokens are verified with."""
        return self._signer.jwks()

    def paths(self) -> Mapping[str, Serves]:
        """What serves each path.

        A proxy in front may take the path of the issuer away, so that metadata is where it belongs
        and at the root as well.
        """
        path = urlsplit(self.settings.issuer).path.rstrip("/")
        found: dict[str, Serves] = {
            OAUTH: self._served(self._metadata),
            OAUTH + path: self._served(self._metadata),
            JWKS: self._served(self._jwks),
            AUTHORIZE: self._authorizing.authorize,
            CALLBACK: self._authorizing.callback,
            TOKEN: self._issuing.token,
            REVOKE: self._issuing.revoke,
        }
        if self.settings.registration:
            found[REGISTER] = self._register
        return found

    @staticmethod
    def _served(answer: Answer) -> Serves:
        async def serve(request: Asked) -> Answer:
            return answer if request.method == "GET" else web.only("GET")

        return serve

    async def _register(self, request: Asked) -> Answer:
        if request.method != "POST":
            return web.only("POST")
        often = await self._vault.admit("register", request.peer, self.settings.rates.registrations)
        if often is not None:
            return web.refused(often)
        found = register(request.body, self.settings, self._ring, self._clock.wall())
        return web.refused(found) if isinstance(found, Refusal) else web.json(201, found)

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._described.close()
        await self._provider.close()


def metadata(settings: FacadeSettings) -> dict[str, Any]:
    """What we say of ourselves (RFC 8414)."""
    issuer = settings.issuer.rstrip("/")
    said: dict[str, Any] = {
        "issuer": settings.issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "revocation_endpoint": issuer + REVOKE,
        "jwks_uri": issuer + JWKS,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        **{name: list(values) for name, values in grants_supported().items()},
        "revocation_endpoint_auth_methods_supported": list(
            grants_supported()["token_endpoint_auth_methods_supported"]
        ),
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "client_id_metadata_document_supported": settings.documents,
    }
    if settings.registration:
        said["registration_endpoint"] = issuer + REGISTER
    if settings.scopes:
        said["scopes_supported"] = list(settings.scopes)
    if issuer.startswith("https://"):
        # It knows of no exception for loopback, which is for trying things out.
        AuthorizationServerMetadata(said).validate()
    return said
