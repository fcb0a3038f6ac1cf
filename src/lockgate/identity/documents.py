"""What an issuer says of itself: its metadata, found where two standards put it.

Must not know: tokens, keys. Sources: RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4,
revision 2026-07-28, basic/authorization/authorization-server-discovery.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import msgspec

from lockgate.identity.fetch import Fetch, FetchFailed

OAUTH: Final = "/.well-known/oauth-authorization-server"
OPENID: Final = "/.well-known/openid-configuration"
_OK: Final = 200
_read = msgspec.json.Decoder(dict[str, Any]).decode


class NoDocument(Exception):
    """A document cannot be had, or is not what it should be; in words for the log."""


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where the metadata of an issuer may be, in the order in which to look."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    if not path:
        return origin + OAUTH, origin + OPENID
    return origin + OAUTH + path, origin + OPENID + path, origin + path + OPENID


async def issuer_metadata(fetch: Fetch, issuer: str) -> Mapping[str, Any]:
    """The metadata of `issuer`.

    Raises:
        NoDocument: none of its places has it, or it is that of another issuer.
    """
    why = "it has no metadata"
    for url in metadata_urls(issuer):
        try:
            found = await document(fetch, url)
        except NoDocument as error:
            why = str(error)
            continue
        # Character for character: what differs in spelling may differ in who answers.
        if found.get("issuer") == issuer:
            return found
        why = "its metadata names another issuer"
    raise NoDocument(f"the issuer {issuer}: {why}")


async def document(fetch: Fetch, url: str) -> Mapping[str, Any]:
    """The JSON object at `url`.

    Raises:
        NoDocument: there is none.
    """
    try:
        answer = await fetch("GET", url)
    except FetchFailed as error:
        raise NoDocument(str(error)) from None
    if answer.status != _OK:
        raise NoDocument(f"status {answer.status} in place of a document")
    try:
        return _read(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise NoDocument("what came is no JSON object") from None


def place(metadata: Mapping[str, Any], name: str) -> str | None:
    """A URL in the metadata, if it is one that may be asked."""
    url: object = metadata.get(name)
    return url if isinstance(url, str) and secure(url) else None


def secure(url: str) -> bool:
    """Whether what goes there and comes from there can be read and changed by nobody in between."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    local = host in ("localhost", "127.0.0.1", "::1")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def strings(value: object) -> tuple[str, ...]:
    """The texts of a JSON array; a lone text is one of its own, and anything else none."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(one for one in cast("list[object]", value) if isinstance(one, str))
    return ()
