"""Who may ask: issuers of tokens and API keys, for the gateway or for one endpoint of it.

Must not know: how a token is judged, files of keys, other endpoints.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from lockgate.config.limits import Section
from lockgate.config.oauth_client import SignInSettings
from lockgate.config.quantities import Seconds, time

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_MOST: Final = 1000


def safe_url(url: str, what: str) -> str:
    """A URL that nobody on the way can read along or change.

    Raises ValueError for one that is not https (or http to this machine), or has a fragment, or
    user information.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{what} is no URL") from None
    del port
    local = host in ("localhost", "127.0.0.1", "::1")
    if not host or parts.scheme not in ("https", "http"):
        raise ValueError(f"{what} must be an https URL")
    if parts.scheme == "http" and not local:
        raise ValueError(f"{what} must be https: tokens and keys would travel in clear text")
    if parts.fragment or "#" in url or "@" in parts.netloc or parts.query:
        raise ValueError(f"{what} must have no query, fragment or user name")
    return url


def _scopes(scopes: list[str]) -> list[str]:
    for scope in scopes:
        if not _SCOPE.match(scope):
            raise ValueError(f"{scope!r} is no scope: it has no spaces, quotes or backslashes")
    return scopes


class IntrospectionSettings(Section):
    """How an issuer is asked about opaque tokens (RFC 7662)."""

    url: str | None = Field(
        default=None, description="Where; by default what the issuer's metadata says."
    )
    client_id: str = Field(min_length=1, description="Who we are to the issuer.")
    client_secret: SecretStr = Field(description="What proves it; best a `${VARIABLE}`.")
    method: Literal["basic", "post"] = Field(
        default="basic", description="How the two are sent: in a header, or in the form."
    )
    cache: Seconds = time(
        60,
        0,
        3600,
        "How long an active token is not asked about again; never longer than it is valid. A token "
        "that is revoked may be accepted for so long.",
    )
    cache_refused: Seconds = time(10, 0, 600, "The same for a token that is not active.")
    any_audience: bool = Field(
        default=False,
        description=(
            "Accept tokens that name no audience. Only for an issuer that calls a token active to "
            "us if, and only if, it is meant for us."
        ),
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "url")


class ClaimSettings(Section):
    """Where tokens have what: names of claims, or paths with dots into objects."""

    scopes: list[str] = Field(default=["scope", "scp"], description="Granted scopes; all count.")
    groups: list[str] = Field(
        default=["groups"], description="Groups and roles, such as `realm_access.roles`."
    )
    client: list[str] = Field(
        default=["client_id", "azp", "cid"], description="The OAuth client; the first counts."
    )
    subject: str = Field(
        default="sub",
        min_length=1,
        description="Whom the token is about; unique and never given to anybody else.",
    )


class IssuerSettings(Section):
    """One issuer of tokens: an authorization server or OpenID provider."""

    issuer: str = Field(
        min_length=1,
        description="Its identifier, character for character as in tokens (`iss`) and metadata.",
    )
    audience: list[str] = Field(
        default=[],
        max_length=_MOST,
        description=(
            "What tokens must be meant for (`aud`), in place of the endpoint's own URL; for "
            "issuers that know the gateway by another name. Endpoints with the same audience "
            "accept each other's tokens."
        ),
    )
    jwks_uri: str | None = Field(
        default=None, description="Where its keys are; by default what its metadata says."
    )
    algorithms: list[Algorithm] = Field(
        default=[],
        description=(
            "Signatures that are accepted; by default all that need a private key. Others are "
            "never accepted."
        ),
    )
    token_types: list[str] = Field(
        default=[],
        max_length=16,
        description=(
            "The `typ` of its access tokens. By default `at+jwt`, `JWT` or none, as most issuers "
            "do not say `at+jwt` yet; ID tokens are refused by their claims."
        ),
    )
    leeway: Seconds = time(30, 0, 600, "How far its clock may be off.")
    cache: Seconds = time(
        60,
        0,
        3600,
        "An accepted token is not judged again for so long; never longer than it is valid.",
    )
    keys_refresh: Seconds = time(3600, 60, 86400, "Its keys are fetched again after so long.")
    keys_pause: Seconds = time(
        30, 1, 3600, "Unknown keys have the keys fetched again no more often than this."
    )
    keys_last_good: Seconds = time(
        86400, 60, 30 * 86400, "How long its last keys serve on while it cannot be reached."
    )
    claims: ClaimSettings = Field(
        default=ClaimSettings(), description="Where its tokens have what."
    )
    introspection: IntrospectionSettings | None = Field(
        default=None, description="Ask it about tokens that say nothing themselves (opaque ones)."
    )
    sign_in: SignInSettings = Field(
        default=SignInSettings(),
        description=(
            "Who the gateway is to it when people show who they are before they log in at a "
            "server. By default it registers by itself, as clients do. The redirect URI is "
            "`public_url` and `/login/identity`."
        ),
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        return safe_url(issuer, "issuer")

    @field_validator("jwks_uri")
    @classmethod
    def _check_jwks(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "jwks_uri")


class AuthSettings(Section):
    """Who may ask. Nothing in it: everybody who can reach the gateway."""

    issuers: list[IssuerSettings] = Field(
        default=[],
        max_length=100,
        description="Whose tokens are accepted; opaque ones are shown to each in this order.",
    )
    keys_file: Path | None = Field(
        default=None,
        strict=False,
        description="API keys, as `lockgate keys` keeps them: digests only. Watched for changes.",
    )
    keys_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds such a document; beside `keys_file`.",
    )
    scopes: list[str] = Field(
        default=[],
        max_length=_MOST,
        description="What every caller must have been granted, whatever is asked.",
    )
    scopes_supported: list[str] = Field(
        default=[],
        max_length=_MOST,
        description=(
            "The scopes clients are told to ask for at first: the few that basic use takes. By "
            "default `scopes`."
        ),
    )
    scopes_implied: dict[str, list[str]] = Field(
        default={},
        max_length=_MOST,
        description='What a broader scope includes: `{"files": ["files:read"]}`.',
    )
    dpop: Literal["off", "allow", "require"] = Field(
        default="allow",
        description=(
            "Tokens bound to a key of their client (RFC 9449): `allow` checks those that are, "
            "`require` accepts no others, `off` refuses them."
        ),
    )
    dpop_window: Seconds = time(60, 5, 600, "How old a proof of possession may be.")
    dpop_nonce: Literal["off", "allow", "require"] = Field(
        default="off",
        description=(
            "Nonces in proofs (RFC 9449 section 9), so that none can be made ahead of time: "
            "`allow` gives them and judges those that come back, `require` accepts no proof "
            "without one. Replicas need `lockgate.session.keys` in common."
        ),
    )
    dpop_nonce_life: Seconds = time(
        300, 10, 3600, "How long a nonce is good, at most; at least half as long."
    )

    @property
    def asks(self) -> bool:
        """Whether callers have to say who they are."""
        return bool(self.issuers or self.keys_file or self.keys_env)

    @field_validator("scopes", "scopes_supported")
    @classmethod
    def _check_scopes(cls, scopes: list[str]) -> list[str]:
        return _scopes(scopes)

    @field_validator("scopes_implied")
    @classmethod
    def _check_implied(cls, implied: dict[str, list[str]]) -> dict[str, list[str]]:
        for scope, others in implied.items():
            _scopes([scope, *others])
        return implied

    @field_validator("issuers")
    @classmethod
    def _check_twice(cls, issuers: list[IssuerSettings]) -> list[IssuerSettings]:
        names = [one.issuer for one in issuers]
        if len(set(names)) != len(names):
            raise ValueError("an issuer stands twice")
        return issuers

    @model_validator(mode="after")
    def _check_whole(self) -> AuthSettings:
        if self.dpop == "require" and (self.keys_file or self.keys_env):
            raise ValueError("`dpop: require` lets no API key in; leave `keys_file` out")
        if self.dpop == "off" and self.dpop_nonce != "off":
            raise ValueError("`dpop: off` accepts no proof; leave `dpop_nonce` out")
        return self
