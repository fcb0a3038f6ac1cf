"""Who is let in: the challenge, what it leads to, and whether a token is looked at.

Must not know: how tokens are made. Sources: RFC 6750, RFC 8414, RFC 9728; revision 2026-07-28,
basic/authorization.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.doctor.checks.reach import is_local
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import HttpLine
from lockgate.doctor.http_voices import ModernHttp
from lockgate.doctor.visit import HttpSubject, Visit
from lockgate.identity.documents import metadata_urls, secure, strings
from lockgate.identity.resource import metadata_url
from lockgate.wire.url import BadUrl, Url

NO_TOKEN: Final = "lockgate-check-no-such-token"  # noqa: S105 - it says itself that it is none
_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_param: Final = re.compile(r'([a-z_]{1,40})="((?:[^"\\]|\\.){0,2000})"', re.IGNORECASE)
_REFUSED: Final = (401, 403)
_OK: Final = 200
_read = msgspec.json.Decoder(dict[str, Any]).decode


async def auth(visit: Visit, line: HttpLine, first: Heard, *, credential: bool) -> None:
    """Judge who is let in. `first` is the answer to the first request, `credential` and all."""
    stranger = first if not credential else await _discover(line)
    if stranger.status not in _REFUSED:
        _open(visit, line, credential=credential)
        return
    await _challenge(visit, line, stranger)
    if credential and first.status not in _REFUSED:
        visit.saw("the credential is taken")
        return
    if credential:
        params = challenge(first)
        scope = first.status == 403 or params.get("error") == "insufficient_scope"
        said = params.get("error_description") or params.get("scope") or ""
        visit.find("auth-scope" if scope else "auth-refused", f"HTTP {first.status} {said}".strip())
        visit.bar("the credential is refused")
        return
    if await _takes_anything(line):
        visit.find("auth-open", "a made-up token is let in")
    if isinstance(visit.subject, HttpSubject) and visit.subject.without:
        visit.find("auth-missing", visit.subject.without)
    visit.find("auth-required", f"HTTP {first.status}")
    visit.guarded = True
    visit.bar("it wants a credential")


def _open(visit: Visit, line: HttpLine, *, credential: bool) -> None:
    visit.saw("nobody is asked who they are")
    if credential:
        visit.saw("the credential makes no difference")
    if not is_local(line.url.host):
        visit.find("auth-none", line.url.shown)


async def _discover(line: HttpLine, token: str | None = None) -> Heard:
    """The first request of a stranger."""
    voice = ModernHttp(line.without_own())
    if token is None:
        return await voice.ask("server/discover")
    own = [("authorization", f"Bearer {token}")]
    return await ModernHttp(line.without_own(own)).ask("server/discover")


async def _takes_anything(line: HttpLine) -> bool:
    return (await _discover(line, NO_TOKEN)).result is not None


def challenge(heard: Heard) -> dict[str, str]:
    """The parameters of WWW-Authenticate."""
    found: dict[str, str] = {}
    for name, value in _param.findall(heard.headers.get("www-authenticate", "")[:8000]):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", value))
    return found


async def _challenge(visit: Visit, line: HttpLine, stranger: Heard) -> None:
    told = stranger.headers.get("www-authenticate")
    if told is None:
        visit.find("auth-challenge", f"HTTP {stranger.status}")
    elif not told.lower().startswith("bearer"):
        visit.saw(f"strangers get {stranger.status}, {told.split()[0][:20]}")
        return
    else:
        visit.saw(f"strangers get {stranger.status} and a Bearer challenge")
    pointer = challenge(stranger).get("resource_metadata")
    metadata = await _metadata(visit, line, pointer)
    if metadata is None:
        visit.find("auth-metadata", f"at {pointer or _WELL_KNOWN}")
        return
    if pointer is None and told is not None:
        visit.find("auth-pointer")
    _resource(visit, line, metadata)
    issuers = strings(metadata.get("authorization_servers"))
    if not issuers:
        visit.find("auth-issuers")
    for issuer in issuers[:3]:
        await _issuer(visit, line, issuer)


async def _metadata(visit: Visit, line: HttpLine, pointer: str | None) -> dict[str, Any] | None:
    """The resource's metadata, where the challenge says, or where clients guess."""
    whole = f"{line.url.shown}{line.url.target.decode()}"
    for place in [pointer] if pointer else [metadata_url(whole), line.url.shown + _WELL_KNOWN]:
        found = await _document(visit, line, place)
        if found is not None:
            visit.saw(f"metadata at {urlsplit(place).path}")
            return found
    return None


async def _document(visit: Visit, line: HttpLine, place: str) -> dict[str, Any] | None:
    if not secure(place) and urlsplit(place).hostname != line.url.host:
        return None
    with suppress(BadUrl, msgspec.MsgspecError):
        url = Url.parse(place)
        heard = await line.send(
            "GET",
            [("accept", "application/json")],
            url=url,
            own=False,
            within=min(visit.patience.answer, visit.left),
        )
        return _read(heard.body) if heard.status == _OK else None
    return None


def _resource(visit: Visit, line: HttpLine, metadata: Mapping[str, Any]) -> None:
    named = metadata.get("resource")
    whole = f"{line.url.shown}{line.url.target.decode()}"
    try:
        said = Url.parse(named) if isinstance(named, str) else None
    except BadUrl:
        said = None
    mine = line.url.target.decode().rstrip("/")
    # A resource may be the whole origin, or a folder the endpoint is in.
    same = (
        said is not None
        and said.origin == line.url.origin
        and (mine + "/").startswith(said.target.decode().rstrip("/") + "/")
    )
    if not same:
        shown = shortened(visible(str(named)), 120)
        visit.find("auth-resource", f"it is {shown}, and clients use {whole}")


async def _issuer(visit: Visit, line: HttpLine, issuer: str) -> None:
    shown = shortened(visible(issuer), 120)
    seen = "no document"
    for place in metadata_urls(issuer) if secure(issuer) else ():
        found = await _document(visit, line, place)
        if found is None:
            continue
        if found.get("issuer") == issuer:
            visit.saw(f"issuer {shown}")
            _able(visit, found)
            return
        seen = f"it names {shortened(visible(str(found.get('issuer'))), 120)}"
    visit.find("auth-issuer", f"{shown}: {seen}")


def _able(visit: Visit, metadata: Mapping[str, Any]) -> None:
    """What clients need of an authorization server."""
    lacking = [
        name
        for name in ("authorization_endpoint", "token_endpoint")
        if not (isinstance(place := metadata.get(name), str) and secure(place))
    ]
    if lacking:
        visit.find("auth-endpoints", ", ".join(lacking))
    if "S256" not in strings(metadata.get("code_challenge_methods_supported")):
        visit.find("auth-pkce")
    if (
        "registration_endpoint" not in metadata
        and metadata.get("client_id_metadata_document_supported") is not True
    ):
        visit.find("auth-registration")
