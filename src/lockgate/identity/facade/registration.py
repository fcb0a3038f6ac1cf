"""Clients register themselves (RFC 7591): what they say, judged, becomes an identifier.

Must not know: HTTP, people. Sources: RFC 7591 sections 2 and 3, RFC 7592 not offered,
revision 2026-07-28, basic/authorization/client-registration, "Dynamic Client Registration".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from joserfc.errors import JoseError

from lockgate.identity.facade import redirects
from lockgate.identity.facade.clients import (
    LONGEST_ID,
    Client,
    grants_of,
    sealed,
    secret_digest,
    shown_name,
)
from lockgate.identity.facade.refusals import REDIRECT, REGISTRATION, Refusal
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.wire.seal import KeyRing

MOST_BYTES: Final = 16 * 1024
METHODS: Final = ("none", "client_secret_basic", "client_secret_post")
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def register(
    body: bytes, settings: FacadeSettings, ring: KeyRing, now: float
) -> dict[str, Any] | Refusal:
    """What a client that asks to be registered is answered, with status 201 unless refused."""
    if len(body) > MOST_BYTES:
        return _refused("the metadata is too long")
    try:
        said = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _refused("the metadata is no JSON object")
    uris = redirect_uris(said, settings)
    if isinstance(uris, Refusal):
        return uris
    wrong = metadata_wrong(said)
    if wrong is not None:
        return _refused(wrong)
    method: object = said.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in METHODS:
        return _refused(f"token_endpoint_auth_method is one of {', '.join(METHODS)}")
    secret = secrets.token_urlsafe(32) if method != "none" else None
    client = Client(
        id="",
        name=shown_name(said.get("client_name"), "An app without a name"),
        kind="registered",
        redirect_uris=uris,
        method=method,
        secret_digest=secret_digest(secret) if secret else b"",
        grants=grants_of(said.get("grant_types", [])),
    )
    client_id = sealed(ring, client, now, settings.client_ttl)
    if len(client_id) > LONGEST_ID:
        return _refused("the redirect URIs are too long together")
    answer: dict[str, Any] = {
        "client_id": client_id,
        "client_id_issued_at": int(now),
        "client_name": client.name,
        "redirect_uris": list(uris),
        "grant_types": list(client.grants),
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    }
    if secret:
        answer["client_secret"] = secret
        answer["client_secret_expires_at"] = int(now + settings.client_ttl)
    if isinstance(said.get("application_type"), str):
        answer["application_type"] = said["application_type"]
    return answer


def redirect_uris(said: Mapping[str, Any], settings: FacadeSettings) -> tuple[str, ...] | Refusal:
    """The redirect URIs of a client's metadata, each of them fit."""
    listed: object = said.get("redirect_uris")
    if not isinstance(listed, list) or not listed:
        return Refusal("invalid_redirect_uri", "redirect_uris names at least one.", REDIRECT)
    uris = cast("list[object]", listed)
    if len(uris) > redirects.MOST:
        return Refusal(
            "invalid_redirect_uri", f"redirect_uris names at most {redirects.MOST}.", REDIRECT
        )
    for uri in uris:
        wrong = redirects.unfit(uri, settings.schemes)
        if wrong is not None:
            return Refusal("invalid_redirect_uri", f"{wrong}.", REDIRECT)
    return tuple(dict.fromkeys(cast("list[str]", uris)))


def metadata_wrong(said: Mapping[str, Any]) -> str | None:
    """What of a client's metadata is wrong, redirect URIs and authentication apart."""
    for name in ("grant_types", "response_types"):
        listed: object = said.get(name, [])
        if not isinstance(listed, list) or any(
            not isinstance(one, str) for one in cast("list[object]", listed)
        ):
            return f"{name} is a list of texts"
    if "authorization_code" not in (said.get("grant_types") or ["authorization_code"]):
        return "grant_types has authorization_code"
    if "code" not in (said.get("response_types") or ["code"]):
        return "response_types has code"
    plain = {name: said[name] for name in ClientMetadataClaims.REGISTERED_CLAIMS if name in said}
    if any(isinstance(plain.get(name, ""), str) is False for name in _TEXTS):
        return f"these are texts: {', '.join(_TEXTS)}"
    try:
        ClientMetadataClaims(plain, {}).validate()
    except JoseError as error:
        return str(getattr(error, "description", None) or "the metadata does not hold together")
    except (ValueError, TypeError, AttributeError):
        return "the metadata does not hold together"
    return None


_TEXTS: Final = ("client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "scope")


def _refused(why: str) -> Refusal:
    return Refusal("invalid_client_metadata", f"{why[:1].upper()}{why[1:]}.", REGISTRATION)
