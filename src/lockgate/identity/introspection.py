"""Tokens that say nothing themselves: their issuer is asked (RFC 7662).

Must not know: signed tokens, HTTP toward clients, what is remembered of answers.
"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from lockgate.core.clock import Clock
from lockgate.identity.documents import NoDocument, issuer_metadata, place
from lockgate.identity.fetch import Fetch, FetchFailed
from lockgate.identity.settings import EndpointSettings, IntrospectionSettings, IssuerSettings
from lockgate.identity.tokens import accepted, in_time, meant_for
from lockgate.identity.verdicts import Accepted, Refused

_log: Final = logging.getLogger("lockgate.identity")
_FORM: Final[tuple[str, str]] = ("Content-Type", "application/x-www-form-urlencoded")
_OK: Final = 200
_METADATA_FOR: Final = 3600.0
_ACCESS: Final = frozenset({"bearer", "dpop", "access_token", "access"})
INACTIVE: Final = Refused("The token is not active.")
AWAY: Final = Refused("The issuer of the token cannot be asked.", "away")
_read = msgspec.json.Decoder(dict[str, Any]).decode


class Introspection:
    """One issuer that can be asked about its tokens."""

    def __init__(
        self, issuer: IssuerSettings, told: IntrospectionSettings, fetch: Fetch, clock: Clock
    ) -> None:
        self.issuer = issuer
        self.told = told
        self._fetch = fetch
        self._clock = clock
        self._url = told.url
        self._learned = float("-inf")

    async def ask(self, token: str, endpoint: EndpointSettings) -> Accepted | Refused:
        """Whose token it is, if it is active and meant for the endpoint."""
        try:
            claims = await self._claims(token)
        except (NoDocument, FetchFailed) as error:
            _log.warning("the issuer %s cannot be asked: %s", self.issuer.issuer, error)
            return AWAY
        if claims.get("active") is not True:
            return INACTIVE
        return self._judged(claims, token, endpoint)

    def _judged(
        self, claims: Mapping[str, Any], token: str, endpoint: EndpointSettings
    ) -> Accepted | Refused:
        told = [claims[name] for name in ("token_type", "typ", "token_use") if name in claims]
        if any(not isinstance(one, str) or one.lower() not in _ACCESS for one in told):
            return Refused("The token is no access token.")
        if claims.get("iss", self.issuer.issuer) != self.issuer.issuer:
            return Refused("The token is of another issuer.")
        silent = "aud" not in claims and self.told.any_audience
        if not silent and not meant_for(claims.get("aud"), self.issuer, endpoint):
            return Refused("The token is not meant for this endpoint.")
        now = self._clock.wall()
        when = in_time(claims, self.issuer.leeway, now)
        if isinstance(when, Refused):
            return when
        return accepted(claims, self.issuer, endpoint, token, when, now + self.told.keep)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        told = self.told
        form = {"token": token, "token_type_hint": "access_token"}
        headers: list[tuple[str, str]] = [_FORM]
        secret = told.client_secret.reveal()
        if told.method == "basic":
            pair = f"{quote(told.client_id, safe='')}:{quote(secret, safe='')}"
            headers.append(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"))
        else:
            form |= {"client_id": told.client_id, "client_secret": secret}
        url = await self._place()
        answer = await self._fetch("POST", url, headers=headers, body=urlencode(form).encode())
        if answer.status != _OK:
            raise NoDocument(f"its introspection endpoint answers with status {answer.status}")
        try:
            return _read(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise NoDocument("its introspection endpoint answers with no JSON object") from None

    async def _place(self) -> str:
        now = self._clock.monotonic()
        if self._url is None or (self.told.url is None and now - self._learned >= _METADATA_FOR):
            metadata = await issuer_metadata(self._fetch, self.issuer.issuer)
            self._url = place(metadata, "introspection_endpoint")
            self._learned = now
        if self._url is None:
            raise NoDocument("its metadata names no introspection_endpoint")
        return self._url
