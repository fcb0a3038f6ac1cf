"""The gateway's own authorization server, in front of an identity provider without registration.

Must not know: the protocol, endpoints, keys.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from lockgate.config.identity import safe_url
from lockgate.config.limits import Section
from lockgate.config.quantities import Seconds, time
from lockgate.config.rates import RateText

DAY: Final = 86400
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*\Z")
_HOST: Final = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?\Z")
_MOST: Final = 1000
_RESERVED: Final = frozenset(
    {"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
     "code_challenge_method"}
)  # fmt: skip


class ProviderSettings(Section):
    """The identity provider people log in at, where the gateway is registered as one client.

    The redirect URI to register there is `public_url` and `/oauth/callback`.
    """

    issuer: str = Field(description="Its issuer identifier; its metadata says where it has what.")
    client_id: str = Field(min_length=1, max_length=512, description="Who we are to it.")
    client_secret: SecretStr | None = Field(
        default=None, description="What proves it; best a `${VARIABLE}`."
    )
    method: Literal["basic", "post"] = Field(
        default="basic", description="How the two are sent: in a header, or in the form."
    )
    name: str | None = Field(
        default=None,
        max_length=80,
        description="What the consent page calls it; by default its host.",
    )
    scopes: list[str] = Field(
        default=["openid"],
        max_length=100,
        description=(
            "What is asked of it. With `offline_access`, where it has that, it is asked again at "
            "each refresh whether the person may still come in."
        ),
    )
    subject: str = Field(
        default="sub", min_length=1, max_length=128, description="The claim that says who it is."
    )
    claims: list[str] = Field(
        default=["email", "name", "groups"],
        max_length=100,
        description="Which further claims the gateway's own tokens have, for rules of access.",
    )
    params: dict[str, str] = Field(
        default={},
        max_length=32,
        description='Further parameters of authorization requests: `{"prompt": "select_account"}`.',
    )
    authorization_endpoint: str | None = Field(
        default=None, description="Where people log in; by default what its metadata says."
    )
    token_endpoint: str | None = Field(
        default=None, description="Where codes are redeemed; by default what its metadata says."
    )
    jwks_uri: str | None = Field(
        default=None, description="Where its keys are; by default what its metadata says."
    )
    userinfo_endpoint: str | None = Field(
        default=None, description="Where it says who somebody is, for `userinfo`."
    )
    userinfo: bool = Field(
        default=False,
        description=(
            "Learn who somebody is from its userinfo endpoint and not from an ID token: for "
            "providers of OAuth 2.0 without OpenID Connect."
        ),
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        return safe_url(issuer, "issuer")

    @field_validator("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    @classmethod
    def _check_places(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "an endpoint of the provider")

    @field_validator("params")
    @classmethod
    def _check_params(cls, params: dict[str, str]) -> dict[str, str]:
        taken = sorted(_RESERVED & params.keys())
        if taken:
            raise ValueError(f"`params` cannot have {', '.join(taken)}: the gateway sets these")
        return params


class ScopeSettings(Section):
    """One scope that clients may ask for."""

    description: str = Field(
        default="", max_length=200, description="What it allows, in words for the consent page."
    )
    default: bool = Field(
        default=True, description="Whether it is asked for when a client names no scope."
    )
    groups: list[str] = Field(
        default=[],
        max_length=_MOST,
        description="Who may grant it, by the claim `groups`; empty: everybody.",
    )


class KnownClient(Section):
    """A client that whoever runs the gateway registers."""

    name: str = Field(min_length=1, max_length=80, description="What the consent page calls it.")
    redirect_uris: list[str] = Field(
        min_length=1,
        max_length=16,
        description="Where it may have people sent back to, exactly; on loopback, at any port.",
    )
    secret: SecretStr | None = Field(
        default=None, description="What it proves itself with; None: it is a public client."
    )


class FacadeRates(Section):
    """How often one address may do what costs something."""

    registrations: list[RateText] = Field(
        default=["30/min", "500/day"],
        max_length=8,
        description="Registering, or having us fetch the document that describes a client.",
    )
    authorizations: list[RateText] = Field(
        default=["120/min"], max_length=8, description="Asking for the consent page."
    )
    tokens: list[RateText] = Field(
        default=["240/min"], max_length=8, description="Asking for tokens."
    )


class FacadeSettings(Section):
    """The gateway as the authorization server of its clients.

    For identity providers where clients cannot register by themselves. Needs `public_url`, unless
    clients are on this machine, and the extra `lockgate[facade]`. Tokens are signed with keys made
    of `session.keys`; without those, logins end with the process.
    """

    provider: ProviderSettings = Field(description="Where people log in.")
    name: str = Field(
        default="Lockgate", min_length=1, max_length=80, description="What pages call the gateway."
    )
    scopes: dict[str, ScopeSettings] = Field(
        default={}, max_length=_MOST, description="The scopes there are, by name."
    )
    clients: dict[str, KnownClient] = Field(
        default={}, max_length=_MOST, description="Clients known beforehand, by identifier."
    )
    registration: bool = Field(
        default=True, description="Whether clients may register themselves (RFC 7591)."
    )
    documents: bool = Field(
        default=True,
        description="Whether clients may be known by the URL of a document that describes them.",
    )
    document_hosts: list[str] = Field(
        default=[],
        max_length=_MOST,
        description="The only hosts such URLs may have; empty: every public one.",
    )
    internal_hosts: list[str] = Field(
        default=[],
        max_length=_MOST,
        description=(
            "Hosts such URLs may have although they are not on the public internet, with a port "
            "where it is not 443."
        ),
    )
    redirect_schemes: list[str] = Field(
        default=[],
        max_length=_MOST,
        description=(
            "Private-use URI schemes of apps that redirect URIs may have beside https and, on "
            "loopback, http."
        ),
    )
    access_ttl: Seconds = time(600, 30, 86400, "How long an access token is good.")
    code_ttl: Seconds = time(60, 5, 600, "How long an authorization code is good.")
    login_ttl: Seconds = time(
        600, 30, 3600, "How long a person may take to consent, and again to log in."
    )
    session_ttl: Seconds = time(
        7 * DAY, 60, 365 * DAY, "How long a client may refresh its tokens after one login."
    )
    consent_ttl: Seconds = time(
        30 * DAY,
        0,
        365 * DAY,
        "How long a consent is remembered, if the person wants it; 0: never.",
    )
    client_ttl: Seconds = time(
        365 * DAY, 3600, 3650 * DAY, "How long the registration of a client is good."
    )
    rates: FacadeRates = Field(default=FacadeRates(), description="How often one address may ask.")

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: dict[str, ScopeSettings]) -> dict[str, ScopeSettings]:
        for scope in scopes:
            if not _SCOPE.match(scope):
                raise ValueError(f"{scope!r} is no scope: it has no spaces, quotes or backslashes")
        return scopes

    @field_validator("clients")
    @classmethod
    def _check_clients(cls, clients: dict[str, KnownClient]) -> dict[str, KnownClient]:
        for client in clients:
            if not client.isprintable() or not client.isascii() or len(client) > 512:
                raise ValueError(f"{client[:40]!r} is no identifier of a client")
        return clients

    @field_validator("redirect_schemes")
    @classmethod
    def _check_schemes(cls, schemes: list[str]) -> list[str]:
        for scheme in schemes:
            if not _SCHEME.match(scheme) or scheme in _UNSAFE:
                raise ValueError(f"{scheme!r} is no private-use scheme; write it in lower case")
        return schemes

    @field_validator("document_hosts", "internal_hosts")
    @classmethod
    def _check_hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not _HOST.match(host):
                raise ValueError(f"{host!r} is no host; write it in lower case, without https://")
        return hosts

    @model_validator(mode="after")
    def _check_documents(self) -> FacadeSettings:
        if not self.documents and (self.document_hosts or self.internal_hosts):
            raise ValueError("hosts of documents need `documents: true`")
        return self


_UNSAFE: Final = frozenset(
    {"http", "https", "javascript", "data", "file", "vbscript", "about", "blob", "ftp", "ws", "wss"}
)
