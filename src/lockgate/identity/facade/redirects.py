"""Redirect URIs: which may be registered at all, and whether one asked for is one registered.

Must not know: clients, HTTP. Sources: RFC 9700 section 2.1, RFC 8252 sections 7.1 and 7.3,
revision 2026-07-28, basic/authorization/security-considerations, "Open Redirection".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

LONGEST: Final = 512
MOST: Final = 16
LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})
_plain: Final = re.compile(r"[!-~]+\Z", re.ASCII)
_unsafe: Final = re.compile(r'["\\<>^`{|}]', re.ASCII)
_authority: Final = re.compile(
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?\Z"
)
_private: Final = re.compile(r"[a-z][a-z0-9+.-]*\Z")


def unfit(uri: object, schemes: Collection[str]) -> str | None:
    """Why a redirect URI cannot be registered, in words; None when it can be.

    Args:
        uri: what a client sent.
        schemes: private-use schemes that may be used beside https and, on loopback, http.
    """
    if not isinstance(uri, str) or not uri:
        return "a redirect URI is a text"
    if len(uri) > LONGEST:
        return f"a redirect URI has at most {LONGEST} characters"
    if not _plain.match(uri) or _unsafe.search(uri):
        return "a redirect URI has only characters that URIs have"
    if "#" in uri:
        return "a redirect URI has no fragment"
    scheme = uri.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        known = _private.match(scheme) is not None and scheme in schemes
        return None if known else "a redirect URI begins with https://, or http:// on loopback"
    parts = _parts(uri)
    if parts is None or (found := _authority.match(parts.netloc)) is None:
        return "a redirect URI has a host, and nothing before it"
    if scheme == "http" and found["host"].lower() not in LOOPBACK:
        return "a redirect URI begins with https://, or http:// on loopback"
    return None


def registered(asked: str, known: Iterable[str]) -> bool:
    """Whether a redirect URI is one of those registered: character for character.

    Only the port of a loopback address may be another, for clients that listen on whichever is
    free (RFC 8252 section 7.3).
    """
    if any(asked == one for one in known):
        return True
    portless = _portless(asked)
    return portless is not None and any(portless == _portless(one) for one in known)


def _portless(uri: str) -> tuple[str, str] | None:
    """Host, and what follows the port, of a loopback redirect URI; None of any other."""
    if not uri.startswith("http://") or "#" in uri or not _plain.match(uri):
        return None
    authority, slash, rest = uri.removeprefix("http://").partition("/")
    found = _authority.match(authority)
    if found is None or found["host"] not in LOOPBACK:
        return None
    return found["host"], slash + rest


def is_loopback(uri: str) -> bool:
    """Whether it leads to a program on the person's own machine, whichever that is."""
    return _portless(uri) is not None


def host(uri: str) -> str:
    """What the consent page names as the place a redirect URI leads to."""
    parts = _parts(uri)
    if parts is None or parts.scheme not in ("http", "https"):
        return f"{uri.partition(':')[0]}:"
    return parts.netloc


def _parts(uri: str) -> SplitResult | None:
    try:
        return urlsplit(uri)
    except ValueError:
        return None
