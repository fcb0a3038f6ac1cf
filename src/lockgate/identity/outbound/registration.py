"""Becoming a client of an authorization server, in the order the specification prefers.

Must not know: what the client is used for. Sources: specification 2026-07-28,
basic/authorization/client-registration; RFC 7591; OpenID Connect Dynamic Client Registration 1.0
(application_type).
"""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from lockgate.core.secret import Secret
from lockgate.identity.outbound.clients import Client, Method
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.trouble import Trouble, error_code

NAME: Final = "Lockgate"
GRANTS: Final = ("authorization_code", "refresh_token")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_METHODS: tuple[Method, ...] = ("none", "client_secret_basic", "client_secret_post")


def document(client_id: str, *redirect_uris: str) -> dict[str, Any]:
    """The client's metadata document, served at the URL that is its id."""
    return {
        "client_id": client_id,
        **_described(*redirect_uris),
        "token_endpoint_auth_method": "none",
    }


def usable_document(url: str) -> bool:
    """Whether `url` can be a client id: https, with a path, nothing behind it."""
    parts = urlsplit(url)
    plain = not (parts.query or parts.fragment or parts.username)
    return parts.scheme == "https" and parts.path not in ("", "/") and plain


def local(redirect_uri: str) -> bool:
    """Whether a redirect ends on this machine."""
    return urlsplit(redirect_uri).hostname in LOOPBACK


def _described(*redirect_uris: str) -> dict[str, Any]:
    return {
        "client_name": NAME,
        "redirect_uris": list(redirect_uris),
        "grant_types": list(GRANTS),
        "response_types": ["code"],
        "application_type": "native" if all(map(local, redirect_uris)) else "web",
    }


async def register(
    reach: Reach, server: AuthorizationServer, redirect_uri: str, now: float
) -> Client:
    """Register at `server` (RFC 7591).

    Raises:
        Trouble: it offers no registration, or refuses this one.
    """
    if server.registration is None:
        raise Trouble(
            "oauth-registration",
            "its authorization server lets no client register by itself.",
            "Register Lockgate there by hand, and set `auth.client_id` (and `auth.client_secret`).",
            origin="gateway",
        )
    wanted = {**_described(redirect_uri), "token_endpoint_auth_method": _method(server)}
    answer = await reach(
        "POST",
        server.registration,
        "the registration endpoint",
        headers=(("content-type", "application/json"),),
        body=msgspec.json.encode(wanted),
    )
    said = _object(answer.body)
    client_id = said.get("client_id")
    if answer.status not in (200, 201) or not isinstance(client_id, str) or not client_id:
        raise _rejected(answer.status, error_code(said.get("error")), redirect_uri)
    secret, method = said.get("client_secret"), said.get("token_endpoint_auth_method")
    ends = said.get("client_secret_expires_at")
    return Client(
        id=client_id,
        secret=Secret(secret) if isinstance(secret, str) and secret else None,
        method=method if method in _METHODS else "auto",
        issuer=server.issuer,
        expires=float(ends) if isinstance(ends, int) and ends > now else None,
    )


def _method(server: AuthorizationServer) -> Method:
    taken = server.methods or ("client_secret_basic",)
    for method in _METHODS:
        if method in taken:
            return method
    return "none"


def _rejected(status: int, error: str | None, redirect_uri: str) -> Trouble:
    shown = f"with the error {error}" if error else f"with HTTP {status}"
    remedy = "Register Lockgate there by hand, and set `auth.client_id`."
    if error == "invalid_redirect_uri":
        remedy = f"It does not take {redirect_uri}: set lockgate.public_url, or register by hand."
    return Trouble(
        "oauth-registration",
        f"its authorization server answered the registration {shown}.",
        remedy,
        error=error,
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        said: object = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}
