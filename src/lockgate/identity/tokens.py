"""Access tokens that are signed (RFC 9068): is this one good for this endpoint, and whose is it.

Must not know: HTTP, how keys are fetched. Sources: RFC 9068 section 4, RFC 8725 section 3,
RFC 8707 section 2, revision 2026-07-28, basic/authorization, "Token Handling".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

from lockgate.identity.documents import strings
from lockgate.identity.jose import Key, Signed, verified
from lockgate.identity.jwks import Keys, KeysAway
from lockgate.identity.principals import principal
from lockgate.identity.settings import EndpointSettings, IssuerSettings
from lockgate.identity.verdicts import Accepted, Bound, Refused

_ID_TOKEN: Final = ("nonce", "at_hash", "c_hash", "s_hash")
"""Claims that only ID tokens have (OpenID Connect Core 1.0 sections 2 and 3.3.2.11)."""
_BEARERS: Final = frozenset({"bearer", "dpop", "access"})
_FARTHEST: Final = 2**53
_KEY: Final = "jkt"
_CERTIFICATE: Final = "x5t#S256"
SIGNATURE: Final = Refused("The token is not signed by its issuer.")
AWAY: Final = Refused("The issuer of the token cannot be reached.", "away")


class Issuer:
    """One issuer whose tokens are signed."""

    def __init__(self, settings: IssuerSettings, keys: Keys) -> None:
        self.settings = settings
        self.keys = keys

    async def close(self) -> None:
        """Fetch no more."""
        close = getattr(self.keys, "close", None)
        if close is not None:
            await close()


def unfit(signed: Signed, settings: IssuerSettings) -> Refused | None:
    """What makes a token unfit whatever key it is signed with."""
    if signed.algorithm not in settings.algorithms:
        return Refused("The token is signed by an algorithm that is not accepted.")
    kind = signed.header.get("typ", "")
    if not isinstance(kind, str) or kind.lower() not in settings.types:
        return Refused("The token is not of the type of access tokens.")
    kid = signed.header.get("kid")
    if kid is not None and not isinstance(kid, str):
        return Refused("The token does not name its key properly.")
    return None


def key_id(signed: Signed) -> str | None:
    """The key that a token which is not `unfit` says it is signed with."""
    return signed.header.get("kid")


def judged(
    signed: Signed,
    keys: Sequence[Key],
    issuer: IssuerSettings,
    endpoint: EndpointSettings,
    now: float,
) -> Accepted | Refused:
    """The whole judgement, with the keys at hand."""
    if not any(verified(signed, key) for key in keys):
        return SIGNATURE
    # From here on the claims are the issuer's word.
    return read_claims(signed.claims, signed, issuer, endpoint, now)


def read_claims(
    claims: Mapping[str, Any],
    signed: Signed,
    issuer: IssuerSettings,
    endpoint: EndpointSettings,
    now: float,
) -> Accepted | Refused:
    """What the claims of a token whose signature holds come to."""
    if not _is_access_token(signed):
        return Refused("The token is no access token.")
    if claims.get("iss") != issuer.issuer:
        return Refused("The token is of another issuer.")
    if not meant_for(claims.get("aud"), issuer, endpoint):
        return Refused("The token is not meant for this endpoint.")
    when = in_time(claims, issuer.leeway, now)
    if isinstance(when, Refused):
        return when
    if when is None:
        return Refused("The token does not say when it expires.")
    return accepted(claims, issuer, endpoint, signed.text, when, now + issuer.keep)


def accepted(
    claims: Mapping[str, Any],
    issuer: IssuerSettings,
    endpoint: EndpointSettings,
    token: str,
    expires: float | None,
    until: float,
) -> Accepted | Refused:
    """Whose token it is, once it is known to be good."""
    bound = binding(claims)
    if isinstance(bound, Refused):
        return bound
    who = principal(claims, issuer.issuer, issuer.claims, endpoint.implied, token, expires)
    if who is None:
        return Refused("The token does not say whose it is.")
    return Accepted(who, until if expires is None else min(until, expires), bound)


def _is_access_token(signed: Signed) -> bool:
    if str(signed.header.get("typ", "")).lower().endswith("at+jwt"):
        return True
    claims = signed.claims
    # What some issuers write into the claims: Keycloak `typ`, Cognito `token_use`.
    said = [claims[name] for name in ("typ", "token_use") if name in claims]
    if any(not isinstance(one, str) or one.lower() not in _BEARERS for one in said):
        return False
    # `events` is what logout and security event tokens have (RFC 8417).
    return not any(name in claims for name in (*_ID_TOKEN, "events"))


def meant_for(audience: object, issuer: IssuerSettings, endpoint: EndpointSettings) -> bool:
    """Whether one of the audiences is this endpoint's."""
    wanted = issuer.audiences or {endpoint.resource}
    found = strings(audience)
    return any(one in wanted for one in found) or any(_canonical(one) in wanted for one in found)


def _canonical(uri: str) -> str:
    """A resource identifier with scheme and host in lower case; nothing else is made alike."""
    try:
        parts = urlsplit(uri)
        return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))
    except ValueError:
        return uri


def in_time(claims: Mapping[str, Any], leeway: float, now: float) -> float | Refused | None:
    """When the token expires, leeway included; None: never; Refused: it is not valid now."""
    times: dict[str, float] = {}
    for name in ("exp", "nbf", "iat"):
        value: object = claims.get(name)
        if value is None and name not in claims:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Refused("The token's times are no numbers.")
        if not -_FARTHEST < value < _FARTHEST:
            return Refused("The token's times are no times.")
        times[name] = float(value)
    if times.get("nbf", now) > now + leeway:
        return Refused("The token is not valid yet.")
    if times.get("iat", now) > now + leeway:
        return Refused("The token is from the future.")
    if "exp" not in times:
        return None
    if times["exp"] + leeway <= now:
        return Refused("The token has expired.", "expired")
    return times["exp"] + leeway


def binding(claims: Mapping[str, Any]) -> Bound | Refused | None:
    """What a token is bound to (RFC 7800, RFC 8705 section 3.1, RFC 9449 section 6)."""
    confirmation: object = claims.get("cnf")
    if confirmation is None:
        return None
    unknown = Refused("The token is bound in a way that is not supported.")
    if not isinstance(confirmation, Mapping):
        return unknown
    members = cast("Mapping[str, object]", confirmation)
    # Bound in a way that is not checked here, it would be accepted from a thief.
    if not members or not members.keys() <= {_KEY, _CERTIFICATE}:
        return unknown
    if not all(isinstance(one, str) and one for one in members.values()):
        return unknown
    texts = cast("Mapping[str, str]", members)
    return Bound(texts.get(_KEY), texts.get(_CERTIFICATE))


async def judged_later(
    signed: Signed, issuer: Issuer, endpoint: EndpointSettings, now: float
) -> Accepted | Refused:
    """As `judged`, when no key is at hand."""
    try:
        keys = await issuer.keys.fetched(key_id(signed), signed.algorithm)
    except KeysAway:
        return AWAY
    if not keys:
        return Refused("The token is signed with a key its issuer does not have.")
    return judged(signed, keys, issuer.settings, endpoint, now)
