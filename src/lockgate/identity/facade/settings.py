"""What the facade is told: plain data, made from the configuration by the gateway.

Must not know: configuration files. Times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from lockgate.core.rate import Rate
from lockgate.core.secret import Secret

DAY: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSettings:
    """One scope clients may ask for.

    description  what it allows, in words for the consent page.
    default      whether it is asked for by a client that asks for none in particular.
    groups       who may grant it, by group; empty: everybody.
    """

    description: str = ""
    default: bool = True
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """The identity provider people log in at.

    name       what the consent page calls it.
    issuer     its issuer identifier; its metadata says what is not set here.
    scopes     what is asked of it.
    subject    the claim that says who somebody is; with `userinfo`, of that answer.
    claims     which further claims go into the gateway's tokens.
    params     further parameters of authorization requests.
    userinfo   whether people are known by its userinfo endpoint, for providers of OAuth 2.0 alone,
               in place of an ID token.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: Secret | None = None
    method: Literal["basic", "post"] = "basic"
    scopes: tuple[str, ...] = ("openid",)
    subject: str = "sub"
    claims: tuple[str, ...] = ("email", "name", "groups")
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    userinfo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """A client whoever runs the gateway registered.

    own  it is the gateway itself, which wants to know who is at a browser and nothing more.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    secret: Secret | None = None
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeRates:
    """How often one address may do what costs something."""

    registrations: tuple[Rate, ...] = (Rate(30, 60), Rate(500, 86400))
    authorizations: tuple[Rate, ...] = (Rate(120, 60),)
    tokens: tuple[Rate, ...] = (Rate(240, 60),)


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeSettings:
    """The whole of it.

    issuer       our issuer identifier: the URL clients know the gateway by, without a path behind.
    name         what pages call the gateway.
    resources    the identifiers of the endpoints tokens are issued for; the first is the default.
    keys         32 bytes each: the first signs and seals, all verify and open.
    registration whether clients may register themselves (RFC 7591).
    documents    whether clients may be known by a URL that describes them.
    hosts        hosts such URLs may have; empty: any that is public.
    internal     hosts, with a port where it is not 443, such URLs may have although they are not
                 public.
    schemes      private-use URI schemes that redirect URIs may have.
    access_ttl   how long an access token is good.
    code_ttl     the same of an authorization code.
    login_ttl    how long a person may take for consenting, and again for logging in.
    session_ttl  how long a client may refresh after one login.
    consent_ttl  how long a consent is remembered; 0: never.
    client_ttl   how long a registration is good.
    """

    issuer: str
    provider: ProviderSettings
    resources: tuple[str, ...]
    keys: tuple[bytes, ...]
    name: str = "Lockgate"
    scopes: Mapping[str, ScopeSettings] = field(default_factory=dict[str, ScopeSettings])
    clients: tuple[KnownClient, ...] = ()
    registration: bool = True
    documents: bool = True
    hosts: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()
    schemes: frozenset[str] = frozenset()
    access_ttl: float = 600.0
    code_ttl: float = 60.0
    login_ttl: float = 600.0
    session_ttl: float = 7 * DAY
    consent_ttl: float = 30 * DAY
    client_ttl: float = 365 * DAY
    rates: FacadeRates = field(default_factory=FacadeRates)
