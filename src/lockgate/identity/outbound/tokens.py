"""Asking a token endpoint for a token, and reading what it answers.

Must not know: who wants the token, where it is kept. Sources: RFC 6749 sections 4 to 6, RFC 8693
(token exchange), RFC 7523 (JWT bearer), RFC 8707 (resource), RFC 9449 section 5 (DPoP).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

import msgspec

from lockgate.core.secret import Secret
from lockgate.identity.fetch import Fetched
from lockgate.identity.outbound.challenge import split_scopes
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.trouble import Trouble, error_code

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG: Final = "urn:ietf:params:oauth:token-type:id-jag"
_WHAT: Final = "the token endpoint"
_LONGEST: Final = 64 * 1024
_LATER: Final = frozenset({408, 425, 429})


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token and what came with it.

    expires  on the wall clock; None: nobody said.
    scopes   what was granted; None: what was asked for.
    subject  whose it is, where that could be read.
    """

    access: Secret
    kind: str = "Bearer"
    expires: float | None = None
    refresh: Secret | None = None
    scopes: tuple[str, ...] | None = None
    subject: str | None = None


class Asking(msgspec.Struct, frozen=True):
    """Everything a token request needs beside its grant."""

    reach: Reach
    server: AuthorizationServer
    client: Client
    prover: Prover | None = None


async def ask(asking: Asking, grant: Mapping[str, str], now: float) -> Token:
    """One token request.

    Raises:
        Trouble: `token-refused` with the endpoint's error code, or `token-unavailable`.
    """
    answer = await _post(asking, grant, now)
    nonce = answer.headers.get("dpop-nonce")
    prover = asking.prover
    if answer.status >= 400 and prover is not None and prover.take(asking.server.token, nonce):
        answer = await _post(asking, grant, now)
    return _read(answer, now)


async def _post(asking: Asking, grant: Mapping[str, str], now: float) -> Fetched:
    form = {name: value for name, value in grant.items() if value}
    headers = asking.client.authenticate(asking.server, form, now)
    headers.append(("content-type", "application/x-www-form-urlencoded"))
    url = asking.server.token
    if asking.prover is not None:
        headers.append(("dpop", asking.prover.proof("POST", url, now)))
    return await asking.reach("POST", url, _WHAT, headers=headers, body=urlencode(form).encode())


def _read(answer: Fetched, now: float) -> Token:
    said = _object(answer.body)
    if answer.status != 200:
        raise _refusal(answer.status, said)
    access = said.get("access_token")
    kind = said.get("token_type")
    if not isinstance(access, str) or not sendable(access):
        raise _refusal(answer.status, {})
    return Token(
        access=Secret(access),
        kind="DPoP" if isinstance(kind, str) and kind.lower() == "dpop" else "Bearer",
        expires=_expiry(said.get("expires_in"), now),
        refresh=_secret(said.get("refresh_token")),
        scopes=split_scopes(said["scope"]) if isinstance(said.get("scope"), str) else None,
        subject=_subject(said.get("id_token")) or _subject(access),
    )


def sendable(token: str) -> bool:
    """Whether a token can stand in a header: visible ASCII, and not endless."""
    return (
        0 < len(token) <= _LONGEST and token.isascii() and token.isprintable() and " " not in token
    )


def _expiry(seconds: object, now: float) -> float | None:
    # Some servers write the number as a string.
    if isinstance(seconds, str) and seconds.isdigit() and len(seconds) < 12:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return now + max(0.0, float(seconds))


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _subject(token: object) -> str | None:
    """Whose a JWT says it is; unverified, and only for telling one account from another."""
    if not isinstance(token, str) or token.count(".") != 2:
        return None
    payload = token.split(".")[1]
    try:
        said = _object(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    subject = said.get("sub")
    return subject if isinstance(subject, str) and len(subject) <= 256 else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said: object = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _refusal(status: int, said: Mapping[str, Any]) -> Trouble:
    if status >= 500 or status in _LATER:
        return Trouble(
            "token-unavailable",
            f"{_WHAT} answered HTTP {status}.",
            "Try again later; the authorization server's own log says what ails it.",
            retry_after=5,
        )
    error = error_code(said.get("error"))
    shown = f"with the error {error}" if error else f"with HTTP {status} and no token"
    return Trouble(
        "token-refused",
        f"{_WHAT} answered {shown}.",
        _REMEDIES.get(error or "", "Ask whoever runs the authorization server."),
        error=error,
    )


_REMEDIES: Final = {
    "invalid_client": "Correct `auth.client_id` and its secret or key.",
    "unauthorized_client": "Have this grant allowed for the client, at the authorization server.",
    "invalid_scope": "Correct `auth.scopes`.",
    "invalid_target": "Correct `auth.resource` and `auth.audience`.",
    "unsupported_grant_type": "Choose another `auth.type`: this one is not offered there.",
    "invalid_grant": "What was shown is expired, revoked, used already, or of somebody else.",
}
