"""What clients wish for, and what a browser carries while a person decides and logs in.

Must not know: HTTP, pages, seals. Sources: RFC 6749 section 4.1.1, RFC 8707.
"""

from __future__ import annotations

import msgspec

from lockgate.identity.documents import strings
from lockgate.identity.facade.provider import Person
from lockgate.identity.facade.refusals import REQUEST, Refusal
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.web import Pairs


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks a person for.

    client  the digest of its identifier; `face` of what the person saw of it.
    """

    client: str
    face: str
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str
    resource: str


class Shown(msgspec.Struct, frozen=True):
    """A wish on a consent page; `serial` is what is used once."""

    wish: Wish
    serial: str
    rememberable: bool


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """A login under way, as the browser carries it.

    remembered  the digest of the browser that consented earlier; empty: the person did just now.
    remember    whether the consent is to be remembered once they have logged in.
    """

    wish: Wish
    state: str
    nonce: str
    verifier: str
    remembered: str = ""
    remember: bool = False


class Consented(msgspec.Struct, frozen=True):
    """A consent that is remembered: whose, and for what."""

    subject: str
    scopes: tuple[str, ...]


def resource_of(pairs: Pairs, settings: FacadeSettings) -> str | Refusal:
    """The endpoint a request is about (RFC 8707); the first when it does not say."""
    asked = [value for name, value in pairs if name == "resource"]
    if not asked:
        return settings.resources[0]
    known = {_spelled(one): one for one in settings.resources}
    found = known.get(_spelled(asked[0])) if len(asked) == 1 else None
    if found is None:
        return Refusal("invalid_target", "resource is not one endpoint of this gateway.", REQUEST)
    return found


def _spelled(resource: str) -> str:
    """Scheme and host are of no case, and a slash at the end means nobody else."""
    scheme, mark, rest = resource.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}".rstrip("/")


def granted(scopes: tuple[str, ...], person: Person, settings: FacadeSettings) -> tuple[str, ...]:
    """Of the scopes a person consented to, those that are theirs to grant."""
    groups = set(strings(person.claims.get("groups")))
    return tuple(
        one
        for one in scopes
        if (told := settings.scopes.get(one)) is not None
        and (not told.groups or not told.groups.isdisjoint(groups))
    )


def consent_name(browser: str, wish: Wish) -> str:
    """What a consent is remembered by: another of any of these is another consent."""
    parts = [browser, wish.client, wish.face, wish.redirect_uri, wish.resource]
    return "\0".join(parts)
