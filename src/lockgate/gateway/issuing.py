"""The gateway's own authorization server, from one configuration to the next.

Must not know: how it does what it does. Its keys and what it granted outlive reloads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from lockgate.config.facade import FacadeSettings as Wanted
from lockgate.config.model import Config
from lockgate.core.clock import Clock
from lockgate.core.rate import Rate, parse
from lockgate.core.secret import Secret
from lockgate.core.store import Store
from lockgate.errors import LockgateError
from lockgate.fronts.http import Handler, HttpRequest, Responder
from lockgate.gateway.outbound import DOCUMENT, IDENTITY
from lockgate.identity.fetch import MOST, WITHIN, Fetched, FetchFailed
from lockgate.stores.memory import MemoryStore
from lockgate.wire.seal import KEY_BYTES

if TYPE_CHECKING:
    # It takes long to import, and most configurations have none.
    from lockgate.gateway.fetching import PoolFetch
    from lockgate.identity.facade.facade import Facade, Serves
    from lockgate.identity.facade.settings import FacadeSettings, KnownClient
    from lockgate.identity.tokens import Issuer

_log: Final = logging.getLogger("lockgate.gateway")
MEMORY: Final = 32 * 1024 * 1024
_READABLE: Final = (b"access-control-allow-origin", b"*")
_PREFLIGHT: Final = (
    _READABLE,
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Content-Type, Authorization, MCP-Protocol-Version"),
    (b"access-control-max-age", b"600"),
)
_FOR_PEOPLE: Final = frozenset({"/authorize", "/oauth/callback"})
"""What browsers open; everything else is for programs, those in pages of other origins included."""


class OwnIssuer:
    """The authorization server there is now, if there is one."""

    def __init__(self, clock: Clock, store: Store | None) -> None:
        self._clock = clock
        self._store = store
        self._fetches: tuple[PoolFetch, PoolFetch] | None = None
        self._facade: Facade | None = None
        self._issuer: Issuer | None = None
        self._random: bytes | None = None
        self._gone: list[Facade] = []

    @property
    def issuer(self) -> Issuer | None:
        """What endpoints accept its tokens by; None when there is none."""
        return self._issuer

    def turn_to(self, wanted: Config, public: str, resources: Sequence[str]) -> None:
        """Serve by this configuration from now on.

        Args:
            wanted: the configuration.
            public: what clients call the gateway; empty while that is not known.
            resources: the identifiers of its endpoints, the default one first.

        Raises:
            LockgateError: it cannot be served; everything is as it was.
        """
        told = wanted.lockgate.facade
        if told is None or not public:
            self._let_go()
            return
        self.check(wanted)
        from lockgate.identity.facade.facade import Facade  # noqa: PLC0415 - see above

        settings = facade_settings(told, public, resources, self._keys(wanted))
        if self._facade is not None and self._facade.settings == settings:
            return
        store = self._store = self._store or MemoryStore(self._clock, max_bytes=MEMORY)
        strangers, named = self._fetching()
        self._put(Facade(settings, store, self._clock, public=strangers, internal=named))

    def check(self, wanted: Config) -> None:
        """See to it that a configuration can be served, before anything is changed for it.

        Raises:
            LockgateError: it cannot.
        """
        if wanted.lockgate.facade is None:
            return
        if find_spec("authlib") is None:
            raise LockgateError(
                "`lockgate.facade` needs a library that is not installed.",
                "Install lockgate[facade].",
                reason="facade-unusable",
            )
        self._keys(wanted)

    def _put(self, facade: Facade) -> None:
        from lockgate.identity.facade.issuer import own_issuer  # noqa: PLC0415 - see above

        self._let_go()
        self._facade = facade
        self._issuer = own_issuer(facade.settings, facade.jwks())

    def _let_go(self) -> None:
        if self._facade is not None:
            self._gone.append(self._facade)
        self._facade = self._issuer = None

    def _keys(self, wanted: Config) -> tuple[bytes, ...]:
        try:
            keys = tuple(wanted.lockgate.session.key_bytes())
        except (OSError, ValueError) as error:
            raise LockgateError(
                f"The session keys cannot be used: {error}",
                "Correct lockgate.session.keys_file; `openssl rand -base64 32` makes a key.",
                reason="session-keys",
            ) from error
        if keys:
            return keys
        if self._random is None:
            self._random = os.urandom(KEY_BYTES)
            _log.warning("logins end with this process: `lockgate.session.keys` has no keys")
        return (self._random,)

    def _fetching(self) -> tuple[PoolFetch, PoolFetch]:
        from lockgate.gateway.fetching import PoolFetch  # noqa: PLC0415 - see above

        if self._fetches is None:
            self._fetches = PoolFetch(public_only=True), PoolFetch()
        return self._fetches

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        most: int = MOST,
        within: float = WITHIN,
    ) -> Fetched:
        """See `lockgate.identity.fetch.Fetch`: what it answers to this very process.

        Which way leads from here to the address that browsers know us by, nobody has to know.
        """
        del most, within
        facade = self._facade
        under = facade.settings.issuer.rstrip("/") if facade is not None else ""
        path = url.removeprefix(under) if url.startswith(under + "/") else urlsplit(url).path
        serves = None if facade is None else facade.paths().get(path)
        if serves is None:
            raise FetchFailed("the gateway is no authorization server now", "unreachable")
        said = {name.encode("latin-1"): value.encode("latin-1") for name, value in headers}
        request = HttpRequest(method=method, path=path, query="", headers=said, body=body)
        answer = await serves(request)
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return Fetched(answer.status, told, answer.body)

    def for_people(self) -> dict[str, Handler]:
        """What browsers open, by path: answered to pages of ours alone."""
        return {path: one for path, one in self._handlers().items() if path in _FOR_PEOPLE}

    def for_programs(self) -> dict[str, Handler]:
        """What clients ask, by path: nothing there depends on whose browser asks."""
        return {path: one for path, one in self._handlers().items() if path not in _FOR_PEOPLE}

    def _handlers(self) -> Mapping[str, Handler]:
        if self._facade is None:
            return {}
        return {path: handler(path, serves) for path, serves in self._facade.paths().items()}

    async def close(self) -> None:
        """Ask nobody any more."""
        for one in (*self._gone, *([self._facade] if self._facade else [])):
            await one.close()
        for fetch in self._fetches or ():
            await fetch.close()


def handler(path: str, serves: Serves) -> Handler:
    """What fronts call for a path of the authorization server."""

    async def for_people(request: HttpRequest, responder: Responder) -> None:
        answer = await serves(request)
        responder.send(answer.status, answer.headers, answer.body)

    async def for_programs(request: HttpRequest, responder: Responder) -> None:
        if request.method == "OPTIONS":
            responder.send(204, _PREFLIGHT)
            return
        answer = await serves(request)
        responder.send(answer.status, (*answer.headers, _READABLE), answer.body)

    return for_people if path in _FOR_PEOPLE else for_programs


def facade_settings(
    told: Wanted, public: str, resources: Sequence[str], keys: tuple[bytes, ...]
) -> FacadeSettings:
    """What the authorization server is told."""
    from lockgate.identity.facade import settings as own  # noqa: PLC0415 - see above

    provider = told.provider
    return own.FacadeSettings(
        issuer=public,
        resources=tuple(dict.fromkeys(resources)),
        keys=keys,
        name=told.name,
        provider=own.ProviderSettings(
            name=provider.name or provider.issuer.partition("://")[2].partition("/")[0],
            issuer=provider.issuer,
            client_id=provider.client_id,
            client_secret=_secret(provider.client_secret),
            method=provider.method,
            scopes=tuple(provider.scopes),
            subject=provider.subject,
            claims=tuple(provider.claims),
            params=provider.params,
            authorization_endpoint=provider.authorization_endpoint,
            token_endpoint=provider.token_endpoint,
            jwks_uri=provider.jwks_uri,
            userinfo_endpoint=provider.userinfo_endpoint,
            userinfo=provider.userinfo,
        ),
        scopes={
            name: own.ScopeSettings(
                description=one.description, default=one.default, groups=frozenset(one.groups)
            )
            for name, one in told.scopes.items()
        },
        clients=(*_clients(told), _itself(told, public)),
        registration=told.registration,
        documents=told.documents,
        hosts=frozenset(told.document_hosts),
        internal=frozenset(told.internal_hosts),
        schemes=frozenset(told.redirect_schemes),
        access_ttl=told.access_ttl,
        code_ttl=told.code_ttl,
        login_ttl=told.login_ttl,
        session_ttl=told.session_ttl,
        consent_ttl=told.consent_ttl,
        client_ttl=told.client_ttl,
        rates=own.FacadeRates(
            registrations=_rates(told.rates.registrations),
            authorizations=_rates(told.rates.authorizations),
            tokens=_rates(told.rates.tokens),
        ),
    )


def _clients(told: Wanted) -> Iterator[KnownClient]:
    from lockgate.identity.facade.settings import KnownClient  # noqa: PLC0415 - see above

    for name, one in told.clients.items():
        uris = tuple(one.redirect_uris)
        yield KnownClient(id=name, name=one.name, redirect_uris=uris, secret=_secret(one.secret))


def _itself(told: Wanted, public: str) -> KnownClient:
    """The gateway as a client of its own, by which its pages know who is at a browser."""
    from lockgate.identity.facade.settings import KnownClient  # noqa: PLC0415 - see above

    back = (public + IDENTITY,)
    return KnownClient(id=public + DOCUMENT, name=told.name, redirect_uris=back, own=True)


def _rates(texts: Sequence[str]) -> tuple[Rate, ...]:
    return tuple(map(parse, texts))


def _secret(value: SecretStr | None) -> Secret | None:
    return None if value is None else Secret(value.get_secret_value())
