"""Claims become a principal: one mapping for signed tokens and for what introspection says.

Must not know: how claims were come by, or whether they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from lockgate.core.message import Principal
from lockgate.core.secret import Secret
from lockgate.identity.documents import strings
from lockgate.identity.settings import ClaimNames

_LONGEST_SUBJECT = 512


def principal(
    claims: Mapping[str, Any],
    issuer: str,
    names: ClaimNames,
    implied: Mapping[str, frozenset[str]],
    token: str,
    expires: float | None,
) -> Principal | None:
    """Who the claims are about; None when they name nobody.

    Its id is the issuer and its subject. Who acts by itself and has no subject has the client in
    its place, spelled so that no subject can spell the same.
    """
    subject = claims.get(names.subject)
    client = next((one for name in names.client if isinstance(one := at(claims, name), str)), None)
    if isinstance(subject, str) and _proper(subject) and not subject.startswith("#"):
        name = subject
    elif subject is None and client is not None and _proper(client):
        name = f"#{client}"
    else:
        return None
    return Principal(
        id=f"{issuer}#{name}",
        issuer=issuer,
        client=client,
        scopes=including(_scopes(claims, names), implied),
        groups=frozenset(one for path in names.groups for one in strings(at(claims, path))),
        claims=MappingProxyType(dict(claims)),
        expires=expires,
        subject=Secret(token),
    )


def _proper(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_SUBJECT and name.isprintable()


def _scopes(claims: Mapping[str, Any], names: ClaimNames) -> frozenset[str]:
    """A text lists scopes with spaces between them, an array one by one."""
    found = (at(claims, path) for path in names.scopes)
    return frozenset(one for value in found for text in strings(value) for one in text.split())


def including(scopes: frozenset[str], implied: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Scopes, with what they include."""
    if not implied:
        return scopes
    found, left = set(scopes), list(scopes)
    while left:
        new = implied.get(left.pop(), frozenset()) - found
        found |= new
        left += new
    return frozenset(found)


def at(claims: Mapping[str, Any], path: str) -> object:
    """The claim of that name, or where dots lead into objects; None when there is none."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = cast("Mapping[str, object]", found).get(step)
    return found
