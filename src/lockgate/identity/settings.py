"""What authentication is told: plain data, made from the configuration by the gateway.

Must not know: configuration files, how any of it is used. Times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from lockgate.core.secret import Secret

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Signatures that only the holder of a private key makes. There is no setting for others."""

Binding = Literal["off", "allow", "require"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNames:
    """Where an issuer's tokens have what: names of claims, or paths with dots into objects."""

    scopes: tuple[str, ...] = ("scope", "scp")
    groups: tuple[str, ...] = ("groups",)
    client: tuple[str, ...] = ("client_id", "azp", "cid")
    subject: str = "sub"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionSettings:
    """How an issuer is asked about tokens that say nothing themselves (RFC 7662).

    url          where; None: what the issuer's metadata says.
    keep         an active token is asked about again after so long.
    keep_refused the same for one that is not active.
    any_audience the issuer only calls tokens active that are meant for us, and names no audience.
    """

    url: str | None
    client_id: str
    client_secret: Secret
    method: Literal["basic", "post"] = "basic"
    keep: float = 60.0
    keep_refused: float = 10.0
    any_audience: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One issuer of tokens.

    issuer       its identifier, character for character as tokens and metadata have it.
    audiences    what tokens may be meant for, in place of the endpoint's resource identifier.
    jwks_uri     where its keys are; None: what its metadata says.
    types        the `typ` its tokens may have, in lower case; empty text: none at all.
    leeway       how far its clock may be off.
    keep         an accepted token is not looked at again for so long.
    refresh      its keys are fetched again after so long.
    pause        the least time between two fetches that unknown keys cause.
    last_good    how long keys serve on while it cannot be reached.
    """

    issuer: str
    audiences: frozenset[str] = frozenset()
    jwks_uri: str | None = None
    algorithms: tuple[str, ...] = ALGORITHMS
    types: frozenset[str] = frozenset({"at+jwt", "application/at+jwt", "jwt", ""})
    leeway: float = 30.0
    keep: float = 60.0
    refresh: float = 3600.0
    pause: float = 30.0
    last_good: float = 86400.0
    claims: ClaimNames = field(default_factory=ClaimNames)
    introspection: IntrospectionSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Who may ask at one endpoint.

    resource   the endpoint's resource identifier (RFC 8707): the URL clients know it by.
    base       the part of that URL before any path of ours.
    metadata   the URL of the document that describes it (RFC 9728); None: there is none.
    scopes     what every token has to have.
    supported  what the document and challenges name as scopes; `scopes` when empty.
    implied    what a scope includes beside itself.
    dpop       whether tokens are bound to their clients' keys (RFC 9449).
    window     how old a proof of possession may be.
    nonce      whether proofs hold a nonce of ours (section 9).
    nonce_life how long one is good, at most.
    certificates  clients may show certificates, to which tokens may be bound (RFC 8705).
    """

    resource: str
    base: str = ""
    metadata: str | None = None
    scopes: tuple[str, ...] = ()
    supported: tuple[str, ...] = ()
    implied: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    dpop: Binding = "allow"
    window: float = 60.0
    nonce: Binding = "off"
    nonce_life: float = 300.0
    certificates: bool = False
