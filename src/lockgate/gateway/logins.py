"""Where browsers come to log in at servers: `/login`, and `/login/callback` on the way back.

Must not know: OAuth's messages, how a login is kept.

A link names a server and whose login it becomes, sealed, for some minutes. Whoever opens it is
asked first; the answer counts only from the browser that was asked, and so does that of the
authorization server: a cookie ties the two together, and no other site can make a browser do
either. Whether the person at the browser is the one the link was made for, this page cannot know
unless `visitor` tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.codes import CODES
from lockgate.core.message import ANONYMOUS
from lockgate.fronts.http import Handler, HttpRequest, Responder
from lockgate.gateway import login_pages as pages
from lockgate.gateway.outbound import CALLBACK, DOCUMENT, LINK, PAGE, Outbound
from lockgate.upstreams.spec import plain_url
from lockgate.wire.seal import BadSeal

if TYPE_CHECKING:
    from lockgate.config.model import Config
    from lockgate.identity.outbound.person import Person
    from lockgate.identity.outbound.trouble import Trouble

COOKIE: Final = "lockgate_login"
LONGEST: Final = 16 * 1024
_FIELDS: Final = 20

Visitor = Callable[[HttpRequest], Awaitable[str | None]]
"""Who is at a browser, as the id of a principal; None: not known."""


class Logins:
    """The handlers of the login pages."""

    def __init__(
        self,
        outbound: Outbound,
        config: Callable[[], Config],
        clock: Clock,
        visitor: Visitor | None = None,
    ) -> None:
        """`config` gives the configuration in effect."""
        self._outbound = outbound
        self._config = config
        self._clock = clock
        self._visitor = visitor

    def handlers(self) -> dict[str, Handler]:
        """By path; none where no server has a login."""
        if not self._outbound.persons():
            return {}
        return {PAGE: self.page, CALLBACK: self.callback, DOCUMENT: self.document}

    async def page(self, request: HttpRequest, responder: Responder) -> None:
        """GET asks; POST, from the same browser, sends it on."""
        if request.method == "POST":
            await self._go_on(request, responder)
            return
        if request.method not in ("GET", "HEAD"):
            responder.send(405, (*pages.HEADERS, (b"allow", b"GET, HEAD, POST")))
            return
        ticket = self._ticket(_fields(request.query))
        found = self._opened(ticket)
        if found is None:
            _stray(responder)
            return
        person, owner = found
        if not await self._may(request, owner):
            _stray(responder)
            return
        browser = _cookie(request) or token_urlsafe(32)
        shown = "" if owner == ANONYMOUS.id else owner
        address = plain_url(self._config().servers[person.server].addresses[0])
        body = pages.consent(person.server, address, shown, ticket, _seal(browser, ticket))
        responder.send(200, (*pages.HEADERS, self._set_cookie(browser)), body)

    async def _go_on(self, request: HttpRequest, responder: Responder) -> None:
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        fields = _fields(request.body.decode("latin-1")) if len(request.body) <= LONGEST else {}
        ticket, browser = fields.get("ticket", ""), _cookie(request)
        found = self._opened(ticket)
        seal = fields.get("seal", "")
        asked = browser is not None and compare_digest(seal, _seal(browser, ticket))
        if found is None or browser is None or not asked or not _own_page(request):
            _stray(responder)
            return
        person, owner = found
        if not await self._may(request, owner):
            _stray(responder)
            return
        try:
            address = await person.begin(owner, self.redirect_uri, browser)
        except Trouble as trouble:
            _refuse(responder, trouble)
            return
        responder.send(303, (*pages.HEADERS, (b"location", address.encode("ascii", "ignore"))))

    async def callback(self, request: HttpRequest, responder: Responder) -> None:
        """The answer of an authorization server, brought by the browser."""
        from lockgate.identity.outbound.entrance import take  # noqa: PLC0415 - as in `outbound`
        from lockgate.identity.outbound.flow import stray  # noqa: PLC0415 - as in `outbound`
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        if request.method != "GET":
            responder.send(405, (*pages.HEADERS, (b"allow", b"GET")))
            return
        try:
            params = _fields(request.query)
            flow = await take(self._outbound.vault(self._config()), params.get("state", ""))
            person = self._outbound.persons().get(flow.entry)
            if person is None or flow.redirect_uri != self.redirect_uri:
                raise stray()
            if not await self._may(request, flow.owner):
                raise stray()
            await person.finish(flow, params, _cookie(request) or "")
        except Trouble as trouble:
            _refuse(responder, trouble)
            return
        responder.send(200, (*pages.HEADERS, self._set_cookie("", 0)), pages.done(person.server))

    async def document(self, request: HttpRequest, responder: Responder) -> None:
        """The gateway's client metadata document; its own URL is its client id."""
        from lockgate.identity.outbound.registration import document  # noqa: PLC0415 - see above

        base = self._outbound.base or ""
        if not base.startswith("https://"):
            responder.send(404, pages.HEADERS)
            return
        body = msgspec.json.encode(document(base + DOCUMENT, self.redirect_uri))
        headers = ((b"content-type", b"application/json"), (b"cache-control", b"max-age=3600"))
        responder.send(200, headers, body if request.method == "GET" else b"")

    @property
    def redirect_uri(self) -> str:
        """Where authorization servers send browsers back to."""
        return f"{self._outbound.base}{CALLBACK}"

    def _ticket(self, fields: Mapping[str, str]) -> str:
        """The link's ticket; where nobody is told apart, whoever comes gets one."""
        ticket, server = fields.get("ticket", ""), fields.get("server", "")
        if ticket or not server or self._config().lockgate.auth.asks:
            return ticket
        link = self._outbound.link(server, ANONYMOUS.id) or ""
        return link.partition("ticket=")[2]

    def _opened(self, ticket: str) -> tuple[Person, str] | None:
        try:
            data = self._outbound.keys.open(LINK, ticket, now=self._clock.wall())
            server, owner = msgspec.json.decode(data, type=tuple[str, str])
        except (BadSeal, msgspec.MsgspecError):
            return None
        person = self._outbound.persons().get(server)
        return None if person is None or person.one_account else (person, owner)

    async def _may(self, request: HttpRequest, owner: str) -> bool:
        """Whether who is at the browser may log in for `owner`, where that is known at all."""
        if self._visitor is None:
            return True
        return await self._visitor(request) == owner

    def _set_cookie(self, browser: str, seconds: int = 900) -> tuple[bytes, bytes]:
        secure = "; Secure" if (self._outbound.base or "").startswith("https://") else ""
        # Lax: it has to come along when the authorization server sends the browser back.
        path = urlsplit(self._outbound.base or "").path + PAGE
        said = f"{COOKIE}={browser}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        return b"set-cookie", said.encode()


def _seal(browser: str, ticket: str) -> str:
    """What the form has to hold, which only the page shown to this browser does."""
    return sha256(f"lockgate login form\0{browser}\0{ticket}".encode()).hexdigest()


def _own_page(request: HttpRequest) -> bool:
    """Not sent by a page of another site, as far as the browser tells."""
    return request.headers.get(b"sec-fetch-site", b"same-origin") in (b"same-origin", b"none")


def _fields(text: str) -> dict[str, str]:
    """Form fields; one that stands twice means nothing that can be relied upon."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {} if len(set(names)) != len(names) else dict(pairs)


def _cookie(request: HttpRequest) -> str | None:
    for part in request.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and 20 <= len(value) <= 100:
            return value
    return None


def _stray(responder: Responder) -> None:
    from lockgate.identity.outbound.flow import stray  # noqa: PLC0415 - as in `outbound`

    _refuse(responder, stray())


def _refuse(responder: Responder, trouble: Trouble) -> None:
    body = pages.trouble(str(trouble), trouble.remedy, CODES.get(trouble.reason))
    responder.send(400, pages.HEADERS, body)
