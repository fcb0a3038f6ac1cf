"""Who may ask at which endpoint, from one configuration to the next.

Must not know: how tokens are judged, fronts' handling of calls.

Endpoints outlive reloads, and so do their doors; what stands behind a door is made anew from each
configuration. What an issuer's keys are, and which proofs were seen, is kept as long as anybody
needs it, so that a reload lets nobody in twice and asks no issuer again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.config import identity as config
from lockgate.config.model import Config
from lockgate.core.clock import Clock
from lockgate.core.message import Failure
from lockgate.core.secret import Secret
from lockgate.errors import LockgateError
from lockgate.fronts.documents import document
from lockgate.fronts.http import Handler
from lockgate.fronts.identified import Identified
from lockgate.gateway.endpoint_sights import endpoints_of, sse_path_of
from lockgate.gateway.issuing import OwnIssuer

if TYPE_CHECKING:
    # What signatures need takes long to import, and most configurations authenticate nobody.
    from lockgate.gateway.fetching import PoolFetch
    from lockgate.identity.authentication import Authentication
    from lockgate.identity.introspection import Introspection
    from lockgate.identity.keys import ApiKey
    from lockgate.identity.proofs import Proofs
    from lockgate.identity.settings import EndpointSettings, IssuerSettings
    from lockgate.identity.tokens import Issuer

ApiKeys = Mapping[tuple[Path | None, str | None], "tuple[ApiKey, ...]"]
"""The keys that were read, by the file and the variable they were read from."""
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class Door:
    """One endpoint's: who stands behind it changes with the configuration."""

    def __init__(self) -> None:
        self.authentication: Authentication | None = None
        self.document: bytes | None = None
        self.describe: Handler = document(lambda: self.document)

    def step_up(self, failure: Failure) -> Sequence[tuple[bytes, bytes]]:
        """The challenge that goes with a refusal for want of scopes."""
        data: object = failure.data
        if self.authentication is None or not isinstance(data, Mapping):
            return ()
        scopes: object = cast("Mapping[str, Any]", data).get("scopes")
        if not isinstance(scopes, list):
            return ()
        return self.authentication.answers.step_up(map(str, cast("list[object]", scopes)))

    def guard(self, inner: Handler) -> Handler:
        """`inner` for callers who are known; `inner` itself where nobody has to be."""
        return inner if self.authentication is None else Identified(inner, self.authentication)


class Doors:
    """The doors of all endpoints."""

    def __init__(self, clock: Clock, own: OwnIssuer) -> None:
        self._clock = clock
        self._own = own
        self._base = ""
        self.base = ""
        """What clients call the gateway."""
        self._doors: dict[str, Door] = {}
        self._default = ""
        self._fetch: PoolFetch | None = None
        self._proofs: Proofs | None = None
        self._issuers: dict[IssuerSettings, Issuer] = {}
        self._introspections: dict[IssuerSettings, Introspection] = {}
        self._made: dict[str, tuple[object, Authentication]] = {}

    def door(self, path: str) -> Door:
        """The door of the endpoint at `path`."""
        return self._doors.setdefault(path, Door())

    def turn_to(
        self,
        wanted: Config,
        auths: Mapping[str, config.AuthSettings],
        listed: ApiKeys,
        base: str | None = None,
    ) -> None:
        """Judge callers by this configuration from now on.

        Args:
            wanted: the configuration.
            auths: who may ask, by path of the endpoint; the first is the default one.
            listed: their API keys.
            base: where the gateway listens, for one that has no public URL.
        """
        self._base = base or self._base
        self.base = public = wanted.lockgate.public_url or self._base
        self._own.turn_to(wanted, public, [public + path.rstrip("/") for path in auths])
        shown = wanted.lockgate.tls.clients != "off"
        made = {
            path: self._made_of(path, one, public, listed, certificates=shown)
            for path, one in auths.items()
        }
        self._default = next(iter(auths), "")
        self._made = {path: one for path, one in made.items() if one is not None}
        for path in {*self._doors, *auths}:
            found = self._made.get(path)
            door = self.door(path)
            door.authentication = found[1] if found else None
            door.document = self._document(found[1], auths[path]) if found else None
        needed = {one for auth in auths.values() for one in map(issuer_settings, auth.issuers)}
        for kept in (self._issuers, self._introspections):
            for gone in kept.keys() - needed:
                del kept[gone]

    def _made_of(
        self,
        path: str,
        auth: config.AuthSettings,
        public: str,
        every: ApiKeys,
        *,
        certificates: bool,
    ) -> tuple[object, Authentication] | None:
        own = self._own.issuer
        if not auth.asks and own is None:
            return None
        # Imported here for what it costs; see above.
        from lockgate.identity.authentication import Authentication  # noqa: PLC0415 - see above
        from lockgate.identity.keys import Keyring  # noqa: PLC0415 - see above
        from lockgate.identity.proofs import Proofs  # noqa: PLC0415 - see above

        listed = every.get(_place(auth), ())
        oauth = own is not None
        settings = endpoint_settings(auth, public, path, certificates=certificates, oauth=oauth)
        issuers = [issuer_settings(one) for one in auth.issuers]
        told = (settings, tuple(issuers), listed, own)
        before = self._made.get(path)
        if before is not None and before[0] == told:
            return before
        self._proofs = self._proofs or Proofs()
        made = Authentication(
            settings,
            self._clock,
            issuers=[*([own] if own else []), *map(self._issuer, issuers)],
            introspections=[self._introspection(one) for one in issuers if one.introspection],
            keys=Keyring(listed, settings.implied) if _has_keys(auth) else None,
            proofs=self._proofs,
        )
        return told, made

    def _fetches(self) -> PoolFetch:
        from lockgate.gateway.fetching import PoolFetch  # noqa: PLC0415 - see above

        self._fetch = self._fetch or PoolFetch()
        return self._fetch

    def _issuer(self, settings: IssuerSettings) -> Issuer:
        from lockgate.identity.jwks import FetchedKeys  # noqa: PLC0415 - see above
        from lockgate.identity.tokens import Issuer  # noqa: PLC0415 - see above

        known = self._issuers.get(settings)
        if known is None:
            known = Issuer(settings, FetchedKeys(settings, self._fetches(), self._clock))
            self._issuers[settings] = known
        return known

    def _introspection(self, settings: IssuerSettings) -> Introspection:
        from lockgate.identity.introspection import Introspection  # noqa: PLC0415 - see above

        known = self._introspections.get(settings)
        if known is None:
            assert settings.introspection is not None  # noqa: S101 - only such are asked for
            known = Introspection(settings, settings.introspection, self._fetches(), self._clock)
            self._introspections[settings] = known
        return known

    def _document(self, made: Authentication, auth: config.AuthSettings) -> bytes | None:
        from lockgate.identity.resource import document as written  # noqa: PLC0415 - see above

        own = self._own.issuer
        issuers = [*([own.settings.issuer] if own else []), *(one.issuer for one in auth.issuers)]
        return written(made.settings, issuers) if issuers else None

    def documents(self, auths: Collection[str], public_url: str | None) -> dict[str, Handler]:
        """What describes the endpoints (RFC 9728), by path: at the place of each, and at the root.

        A gateway whose public URL has a path of its own may get requests with it or without.
        """
        prefix = (public_url or "").partition("://")[2].partition("/")[2]
        found: dict[str, Handler] = {}
        for path in auths:
            answer = self.door(path).describe
            found[WELL_KNOWN + path.rstrip("/")] = answer
            if prefix:
                found[f"{WELL_KNOWN}/{prefix}{path}".rstrip("/")] = answer
        found[WELL_KNOWN] = self.door(self._default).describe
        return found

    async def close(self) -> None:
        """Fetch nothing any more."""
        for _, made in self._made.values():
            await made.close()
        await self._own.close()
        if self._fetch is not None:
            await self._fetch.close()


def endpoint_auths(wanted: Config) -> dict[str, config.AuthSettings]:
    """Who may ask, by path of the endpoint; the default endpoint is the first.

    The path of the oldest transport is one of its own, because it is what its clients know the
    gateway by.
    """
    found: dict[str, config.AuthSettings] = {}
    for path, one in endpoints_of(wanted).items():
        auth = one.auth or wanted.lockgate.auth
        found[path] = found[sse_path_of(wanted, path)] = auth
    return found


def _has_keys(auth: config.AuthSettings) -> bool:
    return bool(auth.keys_file or auth.keys_env)


def read_api_keys(auths: Iterable[config.AuthSettings]) -> ApiKeys:
    """The API keys of files and variables.

    Raises:
        LockgateError: one of them cannot be read, or a file and the variable beside it have a name
            or id in common.
    """
    return {_place(one): _read(one) for one in auths if _has_keys(one)}


def _place(auth: config.AuthSettings) -> tuple[Path | None, str | None]:
    return auth.keys_file, auth.keys_env


def _read(auth: config.AuthSettings) -> tuple[ApiKey, ...]:
    from lockgate.identity.keys import BadKeys, read_keys, write_keys  # noqa: PLC0415 - see above

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


def endpoint_settings(
    auth: config.AuthSettings,
    public: str,
    path: str,
    *,
    certificates: bool = False,
    oauth: bool = False,
) -> EndpointSettings:
    """What authentication at one endpoint is told; `oauth`: it has an issuer beside `auth`'s."""
    from lockgate.identity.resource import metadata_url  # noqa: PLC0415 - see above
    from lockgate.identity.settings import EndpointSettings  # noqa: PLC0415 - see above

    resource = public + path.rstrip("/")
    return EndpointSettings(
        resource=resource,
        base=public,
        metadata=metadata_url(resource) if auth.issuers or oauth else None,
        scopes=tuple(auth.scopes),
        supported=tuple(auth.scopes_supported),
        implied={scope: frozenset(others) for scope, others in auth.scopes_implied.items()},
        dpop=auth.dpop,
        window=auth.dpop_window,
        certificates=certificates,
    )


def issuer_settings(one: config.IssuerSettings) -> IssuerSettings:
    """What is known of one issuer."""
    from lockgate.identity.settings import (  # noqa: PLC0415 - see above
        ALGORITHMS,
        ClaimNames,
        IntrospectionSettings,
        IssuerSettings,
    )

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
