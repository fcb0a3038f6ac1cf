"""People: consent, login at the identity provider, and back to the client with a code.

Must not know: the token endpoint, what serves HTTP. Sources: RFC 6749 section 4.1, RFC 9207,
RFC 9700 sections 2.1 and 4, RFC 8252 section 8.6, the protocol's security best practices,
"Confused Deputy Problem".

    /authorize        -> consent page; a form of ours, bound to this browser and to be used once
    POST /authorize   -> only now a cookie that says a login is under way, and on to the provider
    /oauth/callback   -> that cookie, the same state, the provider's issuer, a person; then a code

Until the last step nothing is stored: what is under way is sealed and carried by the browser.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final, TypeVar

import msgspec

from lockgate.core.clock import Clock
from lockgate.identity.facade import pages, redirects, web
from lockgate.identity.facade.clients import Client, digest
from lockgate.identity.facade.directory import Directory
from lockgate.identity.facade.protocol import Grant, authorization_wrong, challenge_of
from lockgate.identity.facade.provider import Person, Provider
from lockgate.identity.facade.refusals import (
    CONSENT,
    LOGIN,
    PROVIDER,
    REQUEST,
    Refusal,
)
from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.vault import Vault
from lockgate.identity.facade.web import Answer, Asked, Pairs
from lockgate.identity.facade.wishes import (
    Consented,
    Shown,
    UnderWay,
    Wish,
    consent_name,
    granted,
    resource_of,
)
from lockgate.wire.seal import BadSeal, KeyRing

AUTHORIZE: Final = "/authorize"
CALLBACK: Final = "/oauth/callback"
LONGEST_STATE: Final = 1024
LONGEST_SCOPE: Final = 1024
LONGEST_COOKIE: Final = 3800
"""Browsers keep cookies of 4096 bytes, name and attributes included."""
MOST_LOGINS: Final = 6
_FORM: Final = "lockgate-form"
_LOGIN: Final = "lockgate-login-"
_BROWSER: Final = "lockgate-browser"
_encode: Final = msgspec.msgpack.Encoder().encode
_token: Final = re.compile(r"[A-Za-z0-9_-]{10,128}\Z", re.ASCII)
_T = TypeVar("_T")


class Authorizing:
    """Serves `/authorize` and where the provider sends people back to."""

    def __init__(
        self,
        settings: FacadeSettings,
        directory: Directory,
        provider: Provider,
        vault: Vault,
        ring: KeyRing,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._provider = provider
        self._vault = vault
        self._ring = ring
        self._clock = clock

    async def authorize(self, request: Asked) -> Answer:
        """Ask the person, or hear what they said."""
        if request.method not in ("GET", "POST"):
            return web.only("GET", "POST")
        often = await self._vault.admit(
            "authorize", request.peer, self._settings.rates.authorizations
        )
        if often is not None:
            return _page_of("This cannot go on", often)
        if request.method == "POST":
            return await self._decided(request)
        pairs = web.query(request)
        if isinstance(pairs, Refusal):
            return _page_of("This cannot be asked for", pairs)
        return await self._asked(request, pairs)

    async def _asked(self, request: Asked, pairs: Pairs) -> Answer:
        ids = [value for name, value in pairs if name == "client_id"]
        found = await self._directory.find(ids[0] if len(ids) == 1 else "", request.peer)
        if isinstance(found, Refusal):
            return _page_of("This app is not known here", found)
        wrong = authorization_wrong(pairs, found)
        if wrong is not None and not wrong[1]:
            return _page_of("This app may not have you sent there", wrong[0])
        wish = wrong[0] if wrong is not None else self._wish(pairs, found)
        if isinstance(wish, Refusal):
            return self._sent_back(found, dict(pairs), wish)
        if found.kind == "own":
            # Nobody but this gateway learns anything, and its own page has asked already.
            return await self._to_provider(request, wish)
        browser = self._opened("facade browser", web.cookie_named(request, _BROWSER))
        if browser and await self._remembered(digest(browser), wish):
            return await self._to_provider(request, wish, remembered=digest(browser))
        return self._consent_page(request, wish, found)

    def _wish(self, pairs: Pairs, client: Client) -> Wish | Refusal:
        data = dict(pairs)
        if "request" in data or "request_uri" in data:
            return Refusal("request_not_supported", "Requests come as parameters here.", REQUEST)
        if data.get("response_mode", "query") != "query":
            return _bad("Only response_mode=query is served.")
        if "none" in data.get("prompt", "").split():
            return Refusal("consent_required", "Nobody is let in without being asked.", REQUEST)
        state, scope = data.get("state"), data.get("scope", "")
        if len(state or "") > LONGEST_STATE or len(scope) > LONGEST_SCOPE:
            return _bad("state or scope is too long.")
        resource = resource_of(pairs, self._settings)
        if isinstance(resource, Refusal):
            return resource
        return Wish(
            client=client.digest,
            face=client.face,
            redirect_uri=data["redirect_uri"],
            state=state,
            scopes=self._scopes(scope.split()),
            challenge=data["code_challenge"],
            resource=resource,
        )

    def _scopes(self, asked: list[str]) -> tuple[str, ...]:
        known = self._settings.scopes
        found = tuple(dict.fromkeys(one for one in asked if one in known))
        return found or tuple(name for name, told in known.items() if told.default)

    def _sent_back(self, client: Client, data: dict[str, str], refusal: Refusal) -> Answer:
        """An error for the client, whose redirect URI is one it registered.

        Only who is known has people sent there without a word: anybody can register an address
        and make a request that cannot be served (RFC 9700 section 4.11.2).
        """
        uri, state = data["redirect_uri"], data.get("state")
        said = {
            "error": refusal.error,
            "error_description": refusal.description,
            "state": None if state is None else state[:LONGEST_STATE],
            "iss": self._settings.issuer,
        }
        back = web.with_params(uri, said)
        if client.kind in ("configured", "own"):
            return web.redirect(back)
        text = pages.wrong(
            f"{client.name} asked for something that cannot be done",
            refusal.why,
            refusal.entry,
            (back, f"Back to {redirects.host(uri)}"),
        )
        return web.page(400, text, pages.STYLE_HASH)

    # Consent.

    def _consent_page(self, request: Asked, wish: Wish, client: Client) -> Answer:
        settings = self._settings
        browser = web.cookie_named(request, _FORM)
        if not _is_token(browser):
            browser = secrets.token_urlsafe(32)
        loopback = redirects.is_loopback(wish.redirect_uri)
        # Who listens on this machine is not known, so that is asked each time (RFC 8252 8.6).
        remember = settings.consent_ttl > 0 and not loopback
        shown = Shown(wish, secrets.token_urlsafe(16), remember)
        form = self._sealed("facade form", shown, settings.login_ttl, browser)
        told = pages.Consent(
            gateway=settings.name,
            provider=settings.provider.name,
            app=client.name,
            kind=client.kind,
            host=client.host,
            target=redirects.host(wish.redirect_uri),
            target_uri=wish.redirect_uri,
            loopback=loopback,
            scopes=[(one, settings.scopes[one].description) for one in wish.scopes],
            resource=wish.resource,
            action=self._own_path(AUTHORIZE),
            form=form,
            remember=remember,
        )
        # Not yet the cookie of a login under way: that comes with the person's yes.
        own = web.cookie(_FORM, browser, settings.login_ttl, same_site="Strict")
        return web.page(200, pages.consent(told), pages.STYLE_HASH, [own])

    async def _decided(self, request: Asked) -> Answer:
        pairs = web.form(request)
        shown = None if isinstance(pairs, Refusal) else self._shown(request, dict(pairs))
        if shown is None or isinstance(pairs, Refusal):
            return _page_of("This form is not valid any more", _STALE)
        first = await self._vault.first("form", shown.serial, self._settings.login_ttl)
        if isinstance(first, Refusal):
            return _page_of("This cannot go on", first)
        if not first:
            return _page_of("This form is not valid any more", _STALE)
        data = dict(pairs)
        if data.get("decision") != "allow":
            return self._denied(shown.wish)
        remember = shown.rememberable and data.get("remember") == "yes"
        return await self._to_provider(request, shown.wish, remember=remember, posted=True)

    def _shown(self, request: Asked, data: dict[str, str]) -> Shown | None:
        """What a form is about: one of ours, sent by a page of ours, in its own browser."""
        browser = web.cookie_named(request, _FORM)
        if not _is_token(browser) or not web.same_origin(request, self._settings.issuer):
            return None
        text = data.get("form", "")
        return self._read("facade form", text, Shown, browser)

    def _denied(self, wish: Wish) -> Answer:
        back = web.with_params(
            wish.redirect_uri,
            {
                "error": "access_denied",
                "error_description": "The person did not allow it.",
                "state": wish.state,
                "iss": self._settings.issuer,
            },
        )
        text = pages.going(back, redirects.host(wish.redirect_uri))
        return web.page(200, text, pages.STYLE_HASH)

    async def _remembered(self, browser: str, wish: Wish) -> bool:
        if redirects.is_loopback(wish.redirect_uri) or self._settings.consent_ttl <= 0:
            return False
        found = await self._vault.find("consent", consent_name(browser, wish), Consented)
        return isinstance(found, Consented) and set(wish.scopes) <= set(found.scopes)

    # Login.

    async def _to_provider(
        self,
        request: Asked,
        wish: Wish,
        *,
        remembered: str = "",
        remember: bool = False,
        posted: bool = False,
    ) -> Answer:
        where = await self._provider.place()
        if isinstance(where, Refusal):
            return _page_of("You cannot log in now", where)
        going = UnderWay(
            wish=wish,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            remembered=remembered,
            remember=remember,
        )
        sealed = self._sealed("facade login", going, self._settings.login_ttl)
        if len(sealed) > LONGEST_COOKIE:
            return _page_of("This cannot be asked for", _bad("The request is too long."))
        url = self._provider.login_url(
            where, going.state, going.nonce, challenge_of(going.verifier)
        )
        own = [
            *_cleared(request),
            web.cookie(_cookie_of(going.state), sealed, self._settings.login_ttl),
        ]
        if not posted:
            return web.redirect(url, own)
        text = pages.going(url, self._settings.provider.name)
        return web.page(200, text, pages.STYLE_HASH, own)

    async def callback(self, request: Asked) -> Answer:
        """Back from the provider."""
        if request.method != "GET":
            return web.only("GET")
        pairs = web.query(request)
        data = {} if isinstance(pairs, Refusal) else dict(pairs)
        if isinstance(pairs, Refusal) or len(data) != len(pairs):
            return _page_of("This login is not one you began here", _LOST)
        going = self._under_way(request, data.get("state", ""))
        if going is None:
            return _page_of("This login is not one you began here", _LOST)
        gone = web.cookie(_cookie_of(going.state), "", 0)
        first = await self._vault.first("login", going.state, self._settings.login_ttl)
        if first is not True:
            refusal = first if isinstance(first, Refusal) else _LOST
            return _page_of("This login is over", refusal, [gone])
        found = await self._person(going, data)
        if isinstance(found, Refusal):
            return self._failed(going.wish, found, gone)
        return await self._back(request, going, found, gone)

    def _under_way(self, request: Asked, state: str) -> UnderWay | None:
        if not _is_token(state):
            return None
        carried = web.cookie_named(request, _cookie_of(state))
        going = self._read("facade login", carried, UnderWay)
        if going is None or not hmac.compare_digest(going.state, state):
            return None
        return going

    async def _person(self, going: UnderWay, data: dict[str, str]) -> Person | Refusal:
        where = await self._provider.place()
        if isinstance(where, Refusal):
            return where
        if self._provider.of_another(where, data.get("iss")):
            # Nothing else of the answer is looked at, its error neither (RFC 9207 section 2.4).
            return Refusal(
                "access_denied", "The answer is not from the identity provider.", PROVIDER
            )
        if "error" in data or not data.get("code"):
            return Refusal("access_denied", "The identity provider let nobody in.", PROVIDER)
        return await self._provider.person(data["code"], going.verifier, going.nonce)

    def _failed(self, wish: Wish, refusal: Refusal, gone: web.Header) -> Answer:
        back = web.with_params(
            wish.redirect_uri,
            {
                "error": refusal.error,
                "error_description": refusal.description,
                "state": wish.state,
                "iss": self._settings.issuer,
            },
        )
        return web.redirect(back, [gone])

    async def _back(
        self, request: Asked, going: UnderWay, person: Person, gone: web.Header
    ) -> Answer:
        wish = going.wish
        own = [gone]
        if going.remembered:
            name = consent_name(going.remembered, wish)
            known = await self._vault.find("consent", name, Consented)
            if not isinstance(known, Consented) or known.subject != person.subject:
                return self._failed(wish, _SOMEBODY_ELSE, gone)
        elif going.remember:
            own += await self._kept(request, wish, person)
        code = secrets.token_urlsafe(32)
        grant = Grant(
            client=wish.client,
            redirect_uri=wish.redirect_uri,
            challenge=wish.challenge,
            scopes=granted(wish.scopes, person, self._settings),
            resource=wish.resource,
            person=person,
            family=secrets.token_urlsafe(16),
            began=self._clock.wall(),
        )
        lost = await self._vault.keep("code", code, grant, self._settings.code_ttl)
        lost = lost or await self._vault.begin(grant.family, self._settings.session_ttl)
        if lost is not None:
            return self._failed(wish, lost, gone)
        back = web.with_params(
            wish.redirect_uri,
            {"code": code, "state": wish.state, "iss": self._settings.issuer},
        )
        return web.redirect(back, own)

    async def _kept(self, request: Asked, wish: Wish, person: Person) -> list[web.Header]:
        """Remember a consent, in the store under a name that this browser has."""
        settings = self._settings
        browser = self._opened("facade browser", web.cookie_named(request, _BROWSER))
        browser = browser or secrets.token_urlsafe(32)
        consented = Consented(person.subject, wish.scopes)
        name = consent_name(digest(browser), wish)
        if await self._vault.keep("consent", name, consented, settings.consent_ttl) is not None:
            return []
        now, ttl = self._clock.wall(), settings.consent_ttl
        sealed = self._ring.seal("facade browser", browser.encode(), now=now, ttl=ttl)
        return [web.cookie(_BROWSER, sealed, ttl)]

    # Seals.

    def _own_path(self, path: str) -> str:
        """A path of ours as browsers know it, behind whatever `issuer` has in front."""
        return self._settings.issuer.rstrip("/") + path

    def _sealed(self, purpose: str, value: object, ttl: float, bind: str = "") -> str:
        return self._ring.seal(purpose, _encode(value), now=self._clock.wall(), ttl=ttl, bind=bind)

    def _opened(self, purpose: str, text: str, bind: str = "") -> str:
        try:
            return self._ring.open(purpose, text, now=self._clock.wall(), bind=bind).decode()
        except BadSeal:
            return ""

    def _read(self, purpose: str, text: str, as_: type[_T], bind: str = "") -> _T | None:
        try:
            data = self._ring.open(purpose, text, now=self._clock.wall(), bind=bind)
            return msgspec.msgpack.decode(data, type=as_)
        except (BadSeal, msgspec.MsgspecError):
            return None


_STALE: Final = Refusal(
    "invalid_request", "It was opened long ago, in another browser, or is answered.", CONSENT
)
_LOST: Final = Refusal(
    "invalid_request", "It began elsewhere, took too long, or is over already.", LOGIN
)
_SOMEBODY_ELSE: Final = Refusal(
    "access_denied", "Somebody else allowed this app in this browser; start again.", CONSENT
)


def _cookie_of(state: str) -> str:
    """Each login under way has a cookie of its own, so that two of them do not meet."""
    return f"{_LOGIN}{digest(state)[:10]}"


def _cleared(request: Asked) -> list[web.Header]:
    """Take cookies of old logins away when there are many, before they fill a request."""
    ours = [name for name in web.cookies(request) if name.startswith(f"__Host-{_LOGIN}")]
    if len(ours) < MOST_LOGINS:
        return []
    plain = [name.removeprefix("__Host-") for name in ours]
    return [web.cookie(name, "", 0) for name in plain if _is_token(name)]


def _is_token(text: str) -> bool:
    """Whether it is a random text as we make them; nothing else gets into a header."""
    return _token.match(text) is not None


def _bad(why: str) -> Refusal:
    return Refusal("invalid_request", why, REQUEST)


def _page_of(title: str, refusal: Refusal, extra: list[web.Header] | None = None) -> Answer:
    status = refusal.status if refusal.status != 401 else 400
    text = pages.wrong(title, refusal.why, refusal.entry)
    return web.page(status, text, pages.STYLE_HASH, extra or ())
