"""What judges callers' credentials, from configuration: issuers, keys, proofs.

Must not know: paths that are served, documents, when the configuration changes.

Imported only where somebody has to say who they are: what signatures need takes long to import.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from lockgate.config import identity as config
from lockgate.core.clock import Clock
from lockgate.core.secret import Secret
from lockgate.core.store import Counters
from lockgate.errors import LockgateError
from lockgate.gateway.fetching import PoolFetch
from lockgate.identity.authentication import Authentication
from lockgate.identity.introspection import Introspection
from lockgate.identity.jwks import FetchedKeys
from lockgate.identity.keys import ApiKey, BadKeys, Keyring, read_keys, write_keys
from lockgate.identity.nonces import Nonces
from lockgate.identity.proofs import Proofs
from lockgate.identity.resource import document, metadata_url
from lockgate.identity.settings import (
    ALGORITHMS,
    ClaimNames,
    EndpointSettings,
    IntrospectionSettings,
    IssuerSettings,
)
from lockgate.identity.tokens import Issuer
from lockgate.wire.seal import KeyRing


class Wanted(NamedTuple):
    """What one endpoint asks of callers.

    public  what clients call the gateway.
    listed  its API keys; None: it takes none.
    own     the gateway's own issuer, if it has one.
    """

    path: str
    auth: config.AuthSettings
    public: str
    listed: tuple[ApiKey, ...] | None
    own: Issuer | None
    certificates: bool


class Judges:
    """Those of all endpoints. What is the same from one configuration to the next is kept."""

    def __init__(self, clock: Clock, keys: KeyRing, store: Counters | None) -> None:
        """`keys` make nonces, and `store` is what replicas share, if they share one."""
        self._clock = clock
        self._keys = keys
        self._fetch = PoolFetch()
        self._proofs = Proofs(store=store)
        self._issuers: dict[IssuerSettings, Issuer] = {}
        self._introspections: dict[IssuerSettings, Introspection] = {}
        self._made: dict[str, tuple[object, Authentication]] = {}

    def turn_to(self, every: Collection[Wanted]) -> dict[str, Authentication]:
        """What judges by this configuration, by path."""
        self._made = {one.path: self._made_of(one) for one in every}
        needed = {issuer_settings(one) for wanted in every for one in wanted.auth.issuers}
        for kept in (self._issuers, self._introspections):
            for gone in kept.keys() - needed:
                del kept[gone]
        return {path: made for path, (_, made) in self._made.items()}

    def _made_of(self, wanted: Wanted) -> tuple[object, Authentication]:
        auth, own, listed = wanted.auth, wanted.own, wanted.listed
        settings = endpoint_settings(wanted)
        issuers = tuple(map(issuer_settings, auth.issuers))
        told = (settings, issuers, listed, own)
        before = self._made.get(wanted.path)
        if before is not None and before[0] == told:
            return before
        asked = [(one, one.introspection) for one in issuers]
        return told, Authentication(
            settings,
            self._clock,
            issuers=[*([own] if own else []), *map(self._issuer, issuers)],
            introspections=[self._introspection(one, told) for one, told in asked if told],
            keys=None if listed is None else Keyring(listed, settings.implied),
            proofs=self._proofs,
            nonces=self._nonces(settings),
        )

    def _nonces(self, settings: EndpointSettings) -> Nonces | None:
        if settings.nonce == "off":
            return None
        return Nonces(self._keys, settings.nonce_life, demanded=settings.nonce == "require")

    def _issuer(self, settings: IssuerSettings) -> Issuer:
        known = self._issuers.get(settings)
        if known is None:
            known = Issuer(settings, FetchedKeys(settings, self._fetch, self._clock))
            self._issuers[settings] = known
        return known

    def _introspection(
        self, settings: IssuerSettings, asked: IntrospectionSettings
    ) -> Introspection:
        known = self._introspections.get(settings)
        if known is None:
            known = Introspection(settings, asked, self._fetch, self._clock)
            self._introspections[settings] = known
        return known

    async def close(self) -> None:
        """Fetch nothing any more."""
        for _, made in self._made.values():
            await made.close()
        await self._fetch.close()


def described(made: Authentication, wanted: Wanted) -> bytes | None:
    """The document that describes an endpoint (RFC 9728); None: there is no issuer to name."""
    own = wanted.own
    issuers = [*([own.settings.issuer] if own else [])]
    issuers += [one.issuer for one in wanted.auth.issuers]
    return document(made.settings, issuers) if issuers else None


def read(auth: config.AuthSettings) -> tuple[ApiKey, ...]:
    """The API keys of a file and a variable.

    Raises:
        LockgateError: one of them cannot be read, or the two have a name or id in common.
    """
    where = ""
    try:
        found: list[ApiKey] = []
        if auth.keys_file is not None:
            where = str(auth.keys_file)
            found += read_keys(auth.keys_file.read_bytes())
        if auth.keys_env is not None:
            where = f"the variable {auth.keys_env}"
            found += read_keys(os.environ.get(auth.keys_env, "").encode())
        where = "the file and the variable together"
        return tuple(read_keys(write_keys(found)))
    except (OSError, BadKeys) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise LockgateError(
            f"The API keys cannot be used: {where}: {said}.",
            "`lockgate keys new FILE NAME` makes a key and the file; `lockgate keys list FILE` "
            "reads it.",
            reason="api-keys",
        ) from error


def endpoint_settings(wanted: Wanted) -> EndpointSettings:
    """What authentication at one endpoint is told."""
    auth = wanted.auth
    resource = wanted.public + wanted.path.rstrip("/")
    return EndpointSettings(
        resource=resource,
        base=wanted.public,
        metadata=metadata_url(resource) if auth.issuers or wanted.own is not None else None,
        scopes=tuple(auth.scopes),
        supported=tuple(auth.scopes_supported),
        implied={scope: frozenset(others) for scope, others in auth.scopes_implied.items()},
        dpop=auth.dpop,
        window=auth.dpop_window,
        nonce=auth.dpop_nonce,
        nonce_life=auth.dpop_nonce_life,
        certificates=wanted.certificates,
    )


def issuer_settings(one: config.IssuerSettings) -> IssuerSettings:
    """What is known of one issuer."""
    asked = one.introspection
    claims = one.claims
    types = {"types": frozenset(map(str.lower, one.token_types))} if one.token_types else {}
    return IssuerSettings(
        issuer=one.issuer,
        audiences=frozenset(one.audience),
        jwks_uri=one.jwks_uri,
        algorithms=tuple(one.algorithms) or ALGORITHMS,
        **types,
        leeway=one.leeway,
        keep=one.cache,
        refresh=one.keys_refresh,
        pause=one.keys_pause,
        last_good=one.keys_last_good,
        claims=ClaimNames(
            scopes=tuple(claims.scopes),
            groups=tuple(claims.groups),
            client=tuple(claims.client),
            subject=claims.subject,
        ),
        introspection=None
        if asked is None
        else IntrospectionSettings(
            url=asked.url,
            client_id=asked.client_id,
            client_secret=Secret(asked.client_secret.get_secret_value()),
            method=asked.method,
            keep=asked.cache,
            keep_refused=asked.cache_refused,
            any_audience=asked.any_audience,
        ),
    )
