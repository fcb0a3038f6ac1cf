"""Clients known by a URL where a document describes them (Client ID Metadata Documents).

Must not know: HTTP servers, consent; what fetches sees to it that a stranger's URL leads to the
public internet only. Sources: draft-ietf-oauth-client-id-metadata-document-00 sections 3, 4 and 6,
revision 2026-07-28, basic/authorization/client-registration.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

from lockgate.core.clock import Clock
from lockgate.identity.facade.clients import Client, grants_of, shown_name
from lockgate.identity.facade.refusals import DOCUMENT, Refusal
from lockgate.identity.facade.registration import metadata_wrong, redirect_uris
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.fetch import Fetch, Fetched, FetchFailed

MOST_BYTES: Final = 5 * 1024
WITHIN: Final = 5.0
MOST_KEPT: Final = 1000
SHORTEST: Final = 5.0
"""A document is not asked for again sooner, whatever its headers say: it may be a weapon."""
LONGEST: Final = 86400.0
_USUAL: Final = 300.0
LONGEST_URL: Final = 512
_OK: Final = 200
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_plain: Final = re.compile(r"https://[!-~]+\Z", re.ASCII)
_unsafe: Final = re.compile(r'["\\<>^`{|}]', re.ASCII)
_max_age: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_SECRETS: Final = ("client_secret", "client_secret_expires_at")


class _Kept(NamedTuple):
    client: Client
    until: float


class Described:
    """Fetches and keeps the documents that describe clients.

    public    fetches what strangers name.
    internal  fetches from hosts the configuration names.
    """

    def __init__(
        self, settings: FacadeSettings, public: Fetch, internal: Fetch, clock: Clock
    ) -> None:
        self._settings = settings
        self._public = public
        self._internal = internal
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Client | Refusal]] = {}

    def at_hand(self, url: str) -> Client | None:
        """The client, if its document was fetched not long ago."""
        kept = self._kept.get(url)
        return kept.client if kept is not None and kept.until > self._clock.monotonic() else None

    async def find(self, url: str) -> Client | Refusal:
        """The client a URL stands for."""
        found = self.at_hand(url)
        if found is not None:
            return found
        parts = _parts(url)
        if isinstance(parts, Refusal):
            return parts
        if not self._welcome(parts):
            return _refused("This gateway takes no clients from that host.")
        task = self._asking.get(url)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(url, parts))
            self._asking[url] = task
            task.add_done_callback(lambda _: self._asking.pop(url, None))
        return await asyncio.shield(task)

    def _welcome(self, parts: SplitResult) -> bool:
        hosts = self._settings.hosts
        return not hosts or parts.hostname in hosts or parts.netloc in self._settings.internal

    async def _ask(self, url: str, parts: SplitResult) -> Client | Refusal:
        fetch = self._internal if parts.netloc in self._settings.internal else self._public
        try:
            answer = await fetch("GET", url, most=MOST_BYTES, within=WITHIN)
        except FetchFailed as error:
            return _refused(f"The document that describes the client cannot be had: {error}.")
        found = read(url, parts, answer, self._settings)
        if isinstance(found, Client):
            self._keep(url, _Kept(found, self._clock.monotonic() + freshness(answer.headers)))
        return found

    def _keep(self, url: str, kept: _Kept) -> None:
        self._kept.pop(url, None)
        self._kept[url] = kept
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def is_url(client_id: str) -> bool:
    """Whether an identifier is one that a document may stand behind."""
    return client_id.startswith("https://")


def _parts(url: str) -> SplitResult | Refusal:
    """A client's URL taken apart, if it is of the form they have (section 3)."""
    wrong = _refused("The client identifier is no URL that a document can be at.")
    if len(url) > LONGEST_URL or not _plain.match(url) or _unsafe.search(url) or "#" in url:
        return wrong
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return wrong
    dots = {".", "..", "%2e", "%2e%2e", ".%2e", "%2e."}
    steps = [step.lower() for step in parts.path.split("/")]
    if not parts.hostname or "@" in parts.netloc or parts.netloc != parts.netloc.lower():
        return wrong
    if parts.path in ("", "/") or not dots.isdisjoint(steps):
        return wrong
    return parts


def read(
    url: str, parts: SplitResult, answer: Fetched, settings: FacadeSettings
) -> Client | Refusal:
    """The client a fetched document describes."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status != _OK or (kind != "application/json" and not kind.endswith("+json")):
        return _refused("There is no JSON document where the client identifier points.")
    try:
        said = _decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _refused("The document that describes the client is no JSON object.")
    # Character for character (section 4.1): what differs in spelling may differ in who answers.
    if said.get("client_id") != url:
        return _refused("The document that describes the client is that of another.")
    if any(name in said for name in _SECRETS):
        return _refused("A document anybody can read has no client secret.")
    if said.get("token_endpoint_auth_method", "none") != "none":
        return _refused("Only public clients (none) can be described by a document here.")
    if not isinstance(said.get("client_name"), str) or not said["client_name"].strip():
        return _refused("The document that describes the client has no client_name.")
    uris = redirect_uris(said, settings)
    if isinstance(uris, Refusal):
        return _refused(f"Of the document that describes the client: {uris.why}")
    wrong = metadata_wrong(said)
    if wrong is not None:
        return _refused(f"Of the document that describes the client: {wrong}.")
    return Client(
        id=url,
        name=shown_name(said["client_name"], parts.netloc),
        kind="document",
        redirect_uris=uris,
        grants=grants_of(said.get("grant_types", [])),
        host=parts.netloc,
    )


def freshness(headers: Mapping[str, str]) -> float:
    """For how long an answer may be kept (RFC 9111), within bounds of our own."""
    told = headers.get("cache-control", "")
    if "no-store" in told.lower() or "no-cache" in told.lower():
        return SHORTEST
    found = _max_age.search(told)
    if found is None:
        return _USUAL
    age = headers.get("age", "0")
    seconds = int(found[1]) - (int(age) if age.isdecimal() and len(age) < len("1000000000") else 0)
    return min(max(float(seconds), SHORTEST), LONGEST)


def _refused(why: str) -> Refusal:
    return Refusal("invalid_client", why, DOCUMENT, 401)
