"""The two documents discovery rests on: where they are, and what in them is believed.

Must not know: how they are fetched. Sources: RFC 9728 (protected resource), RFC 8414 and OpenID
Connect Discovery 1.0 (authorization server), specification 2026-07-28,
basic/authorization/authorization-server-discovery.
"""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import urlsplit, urlunsplit

import msgspec

from lockgate.identity.outbound.challenge import MOST_SCOPES
from lockgate.identity.outbound.trouble import Trouble
from lockgate.wire.url import BadUrl, Url

_RESOURCE: Final = "/.well-known/oauth-protected-resource"
MOST_SERVERS: Final = 10
_REPORT: Final = "Report it to whoever runs the server."


class Resource(msgspec.Struct, frozen=True):
    """What a protected resource says of itself, as far as a client needs it.

    scopes  None: it does not say.
    """

    resource: str
    servers: tuple[str, ...]
    scopes: tuple[str, ...] | None = None


class AuthorizationServer(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorization server says of itself; `issuer` is the one it was asked for.

    challenges    PKCE methods; None: it does not say, so it knows none.
    methods       how clients may authenticate at its token endpoint; None: it does not say.
    iss           it names itself in every authorization response (RFC 9207).
    documents     it takes the URL of a metadata document for a client id.
    """

    issuer: str
    token: str
    authorization: str | None = None
    registration: str | None = None
    revocation: str | None = None
    challenges: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    scopes: tuple[str, ...] = ()
    iss: bool = False
    documents: bool = False
    dpop: tuple[str, ...] = ()


def canonical(url: str) -> str:
    """The resource identifier of a server at `url`: no fragment, no slash that stands alone.

    Source: RFC 8707 section 2; basic/authorization, "Canonical Server URI".
    """
    parts = urlsplit(url)
    path = "" if parts.path == "/" else parts.path
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, parts.query, ""))


def resource_places(url: str) -> list[str]:
    """Where a server at `url` may describe itself: by its path, then at the root."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path.rstrip("/")
    root = f"{origin}{_RESOURCE}"
    return [f"{root}{path}", root] if path else [root]


def covers(resource: str, url: str) -> bool:
    """Whether a resource identifier is that of the server at `url`: its own, or one it is below."""
    try:
        ours, theirs = Url.parse(url), Url.parse(resource)
    except BadUrl:
        return False
    if ours.origin != theirs.origin or urlsplit(resource).fragment:
        return False
    own, other = ours.target.partition(b"?"), theirs.target.partition(b"?")
    if other[2] and other[2] != own[2]:
        return False
    below = other[0].rstrip(b"/") + b"/"
    return (own[0].rstrip(b"/") + b"/").startswith(below)


def read_resource(body: bytes, url: str) -> Resource:
    """The metadata of the server at `url`.

    Raises:
        Trouble: it is none, of another resource, or names no authorization server.
    """
    said = _object(body)
    resource = said.get("resource")
    if not isinstance(resource, str) or not covers(resource, url):
        raise _unfit("its resource metadata is that of another resource")
    servers = _strings(said.get("authorization_servers")) or ()
    if not servers:
        raise _unfit("its resource metadata names no authorization server")
    return Resource(resource, servers[:MOST_SERVERS], _scopes(said.get("scopes_supported")))


def read_server(body: bytes, issuer: str) -> AuthorizationServer:
    """The metadata of the authorization server `issuer`.

    Raises:
        Trouble: it is none, or says it is of another issuer (RFC 8414 section 3.3): compared
            letter by letter, for an attacker's server would name an honest one here.
    """
    said = _object(body)
    named = said.get("issuer")
    if named != issuer:
        raise _another(issuer, named)
    token = said.get("token_endpoint")
    if not isinstance(token, str):
        raise _unfit("its authorization server names no token endpoint")
    return AuthorizationServer(
        issuer=issuer,
        token=token,
        authorization=_string(said.get("authorization_endpoint")),
        registration=_string(said.get("registration_endpoint")),
        revocation=_string(said.get("revocation_endpoint")),
        challenges=_strings(said.get("code_challenge_methods_supported")),
        methods=_strings(said.get("token_endpoint_auth_methods_supported")),
        scopes=_scopes(said.get("scopes_supported")) or (),
        iss=said.get("authorization_response_iss_parameter_supported") is True,
        documents=said.get("client_id_metadata_document_supported") is True,
        dpop=_strings(said.get("dpop_signing_alg_values_supported")) or (),
    )


def bare(issuer: str) -> str:
    """An issuer without the slash that stands alone behind its host."""
    host, slash, rest = issuer.partition("://")[2].partition("/")
    return issuer.removesuffix("/") if host and slash and not rest else issuer


def _another(issuer: str, named: object) -> Trouble:
    if isinstance(named, str) and bare(named) == bare(issuer):
        return Trouble(
            "oauth-metadata",
            f"it names {issuer} as its authorization server, which calls itself {named}.",
            f"Set `auth.issuer` of the server to {named}; whoever runs it should spell it so.",
        )
    return _unfit("the metadata of its authorization server is of another issuer")


def _unfit(why: str) -> Trouble:
    return Trouble("oauth-metadata", f"{why}.", _REPORT)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said: object = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        said = None
    if not isinstance(said, dict):
        raise _unfit("a metadata document is no JSON object")
    return cast("dict[str, Any]", said)


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(one for one in cast("list[object]", value) if isinstance(one, str))


def _scopes(value: object) -> tuple[str, ...] | None:
    found = _strings(value)
    return None if found is None else found[:MOST_SCOPES]
