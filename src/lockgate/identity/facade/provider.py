"""The identity provider people log in at, of which the gateway is one client.

Must not know: the gateway's own clients, pages. Sources: OpenID Connect Core 1.0 section 3.1,
RFC 6749 section 4.1, RFC 7636, RFC 9207, RFC 8725.

Nothing of what the provider issues leaves this process but what ends up as claims: its tokens are
for the gateway alone.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from lockgate.core.clock import Clock
from lockgate.identity.documents import NoDocument, issuer_metadata, place, strings
from lockgate.identity.facade.refusals import AWAY, PROVIDER, Refusal
from lockgate.identity.facade.settings import ProviderSettings
from lockgate.identity.fetch import Fetch, FetchFailed
from lockgate.identity.jose import BadToken, Signed, looks_signed, read, verified
from lockgate.identity.jwks import FetchedKeys, KeysAway
from lockgate.identity.settings import ALGORITHMS, IssuerSettings
from lockgate.identity.tokens import in_time
from lockgate.identity.verdicts import Refused

_log: Final = logging.getLogger("lockgate.identity")
KEEP: Final = 3600.0
LEEWAY: Final = 30.0
LONGEST_SUBJECT: Final = 255
MOST_CLAIM: Final = 4096
_OK: Final = 200
_BAD: Final = 400
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_FORM: Final[tuple[str, str]] = ("content-type", "application/x-www-form-urlencoded")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the provider has what, and what it says of itself."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    says_iss: bool


class Person(msgspec.Struct, frozen=True):
    """Who has logged in.

    claims   what of them goes into the gateway's tokens.
    refresh  what the provider is asked with whether they still may; empty: it gave nothing.
    """

    subject: str
    claims: dict[str, Any]
    refresh: str = ""


class Provider:
    """Speaks to one identity provider."""

    def __init__(
        self, settings: ProviderSettings, redirect_uri: str, fetch: Fetch, clock: Clock
    ) -> None:
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._fetch = fetch
        self._clock = clock
        self._place: Place | None = None
        self._got = 0.0
        self._keys: FetchedKeys | None = None

    async def place(self) -> Place | Refusal:
        """Where things are, from the configuration and the provider's metadata."""
        if self._place is not None and self._clock.monotonic() - self._got < KEEP:
            return self._place
        told = self.settings
        metadata: Mapping[str, Any] = {}
        explicit = told.authorization_endpoint and told.token_endpoint
        if not (explicit and (told.jwks_uri or told.userinfo)):
            try:
                metadata = await issuer_metadata(self._fetch, told.issuer)
            except NoDocument as error:
                _log.warning("the identity provider cannot be asked: %s", error)
                return self._place or _away("The identity provider cannot be reached.")
        found = Place(
            authorization=told.authorization_endpoint
            or place(metadata, "authorization_endpoint")
            or "",
            token=told.token_endpoint or place(metadata, "token_endpoint") or "",
            jwks=told.jwks_uri or place(metadata, "jwks_uri") or "",
            userinfo=told.userinfo_endpoint or place(metadata, "userinfo_endpoint") or "",
            says_iss=metadata.get("authorization_response_iss_parameter_supported") is True,
        )
        if not (found.authorization and found.token and (found.jwks or told.userinfo)):
            return _away("The identity provider does not say where people log in.")
        if not (found.authorization.isascii() and found.authorization.isprintable()):
            return _away("The identity provider's address to log in at cannot be used.")
        if self._place is None or found.jwks != self._place.jwks:
            await self.close()
            told_keys = IssuerSettings(issuer=told.issuer, jwks_uri=found.jwks or None)
            self._keys = FetchedKeys(told_keys, self._fetch, self._clock)
        self._place, self._got = found, self._clock.monotonic()
        return found

    def login_url(self, where: Place, state: str, nonce: str, challenge: str) -> str:
        """Where a person is sent to log in."""
        told = self.settings
        asked = {
            **told.params,
            "response_type": "code",
            "client_id": told.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(told.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if not told.userinfo:
            asked["nonce"] = nonce
        mark = "&" if urlsplit(where.authorization).query else "?"
        return f"{where.authorization}{mark}{urlencode(asked)}"

    def of_another(self, where: Place, iss: str | None) -> bool:
        """Whether an answer that says this of its issuer is not the provider's (RFC 9207)."""
        if iss is None:
            return where.says_iss
        return iss != self.settings.issuer

    async def person(self, code: str, verifier: str, nonce: str) -> Person | Refusal:
        """Who a code the provider gave stands for."""
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
        }
        said = await self._token(asked)
        return said if isinstance(said, Refusal) else await self._who(said, nonce=nonce)

    async def still(self, before: Person) -> Person | Refusal:
        """The person again, as the provider sees them now; a Refusal when it does no more."""
        said = await self._token({"grant_type": "refresh_token", "refresh_token": before.refresh})
        if isinstance(said, Refusal):
            return said
        renewed: object = said.get("refresh_token")
        refresh = renewed if isinstance(renewed, str) and renewed else before.refresh
        if not self.settings.userinfo and "id_token" not in said:
            # OpenID Connect Core 1.0 section 12.2 lets it say nothing new of the person.
            return msgspec.structs.replace(before, refresh=refresh)
        found = await self._who(said, nonce=None)
        if isinstance(found, Refusal):
            return found
        if found.subject != before.subject:
            return _wrong("The identity provider now says it is somebody else.")
        return msgspec.structs.replace(found, refresh=refresh)

    async def _token(self, asked: Mapping[str, str]) -> Mapping[str, Any] | Refusal:
        where = await self.place()
        if isinstance(where, Refusal):
            return where
        told, content = self.settings, dict(asked)
        headers: list[tuple[str, str]] = [_FORM]
        secret = told.client_secret
        if secret is not None and told.method == "basic":
            pair = f"{quote(told.client_id, safe='')}:{quote(secret.reveal(), safe='')}"
            headers.append(("authorization", "Basic " + b64encode(pair.encode()).decode()))
        else:
            content["client_id"] = told.client_id
            if secret is not None:
                content["client_secret"] = secret.reveal()
        try:
            answer = await self._fetch(
                "POST", where.token, headers=headers, body=urlencode(content).encode()
            )
        except FetchFailed as error:
            _log.warning("the identity provider's token endpoint: %s", error)
            return _away("The identity provider cannot be reached.")
        if answer.status != _OK:
            _log.warning("the identity provider's token endpoint answers %d", answer.status)
            refused = _BAD <= answer.status < 500 and answer.status != 429
            return (
                _wrong("The identity provider does not confirm this login.")
                if refused
                else _away("The identity provider has trouble.")
            )
        try:
            return _decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _wrong("The identity provider's answer cannot be read.")

    async def _who(self, said: Mapping[str, Any], nonce: str | None) -> Person | Refusal:
        if self.settings.userinfo:
            claims = await self._userinfo(said)
        else:
            claims = await self._identified(said.get("id_token"), nonce)
        if isinstance(claims, Refusal):
            return claims
        subject: object = claims.get(self.settings.subject)
        if isinstance(subject, int) and not isinstance(subject, bool):
            subject = str(subject)
        if not isinstance(subject, str) or not _proper(subject):
            return _wrong("The identity provider does not say who it is.")
        refresh: object = said.get("refresh_token")
        return Person(
            subject,
            {name: claims[name] for name in self.settings.claims if _carried(claims.get(name))},
            refresh if isinstance(refresh, str) else "",
        )

    async def _userinfo(self, said: Mapping[str, Any]) -> Mapping[str, Any] | Refusal:
        token: object = said.get("access_token")
        where = await self.place()
        if isinstance(where, Refusal):
            return where
        if not isinstance(token, str) or not token.isprintable() or not where.userinfo:
            return _wrong("The identity provider gave no token to ask with who it is.")
        try:
            answer = await self._fetch(
                "GET", where.userinfo, headers=[("authorization", f"Bearer {token}")]
            )
        except FetchFailed as error:
            _log.warning("the identity provider's userinfo endpoint: %s", error)
            return _away("The identity provider cannot be reached.")
        try:
            return _decode(answer.body) if answer.status == _OK else _wrong(_NOBODY)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _wrong(_NOBODY)

    async def _identified(self, token: object, nonce: str | None) -> Mapping[str, Any] | Refusal:
        """The claims of an ID token, every rule of OpenID Connect Core 3.1.3.7 held."""
        if not isinstance(token, str) or not looks_signed(token):
            return _wrong("The identity provider gave no ID token.")
        try:
            signed = read(token)
        except BadToken:
            return _wrong("The identity provider's ID token cannot be read.")
        keys = await self._signed_by(signed)
        if isinstance(keys, Refusal):
            return keys
        claims = signed.claims
        audiences = strings(claims.get("aud"))
        party: object = claims.get("azp")
        us = self.settings.client_id
        if claims.get("iss") != self.settings.issuer:
            return _wrong("The ID token is of another issuer.")
        if us not in audiences or (party is not None and party != us):
            return _wrong("The ID token is meant for somebody else.")
        if len(audiences) > 1 and party != us:
            return _wrong("The ID token is meant for somebody else as well.")
        if nonce is not None and claims.get("nonce") != nonce:
            return _wrong("The ID token belongs to another login.")
        when = in_time(claims, LEEWAY, self._clock.wall())
        if when is None or isinstance(when, Refused):
            return _wrong("The ID token is not valid now.")
        return claims

    async def _signed_by(self, signed: Signed) -> Refusal | None:
        kid: object = signed.header.get("kid")
        keys = self._keys
        if signed.algorithm not in ALGORITHMS or keys is None:
            return _wrong("The ID token is signed by an algorithm that is not accepted.")
        named = kid if isinstance(kid, str) else None
        found = keys.at_hand(named, signed.algorithm)
        if not found:
            try:
                found = await keys.fetched(named, signed.algorithm)
            except KeysAway:
                return _away("The identity provider's keys cannot be fetched.")
        if not any(verified(signed, key) for key in found):
            return _wrong("The ID token is not signed by the identity provider.")
        return None

    async def close(self) -> None:
        """Ask no more."""
        if self._keys is not None:
            await self._keys.close()


_NOBODY: Final = "The identity provider does not say who it is."


def _proper(subject: str) -> bool:
    # `#` first is how principals without a subject are spelled.
    return 0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable() and subject[0] != "#"


def _carried(value: object) -> bool:
    """Whether a claim is worth carrying, and small enough."""
    if isinstance(value, str):
        return len(value) <= MOST_CLAIM
    if isinstance(value, list):
        listed = cast("list[object]", value)
        texts = [one for one in listed if isinstance(one, str)]
        return len(texts) == len(listed) and sum(map(len, texts)) <= MOST_CLAIM
    return isinstance(value, bool | int | float)


def _wrong(why: str) -> Refusal:
    return Refusal("access_denied", why, PROVIDER)


def _away(why: str) -> Refusal:
    return Refusal("temporarily_unavailable", why, AWAY, 503)
