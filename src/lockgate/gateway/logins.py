"""Where browsers come to log in at servers: `/login`, and `/login/callback` on the way back.

Must not know: OAuth's messages, how a login is kept, how it is found out who somebody is.

A link names a server and whose login it becomes, sealed, for some minutes. Whoever opens it is
asked first, and shows that they are the one it was made for (`/login/identity` is where they come
back from signing in); only then are they sent to the server's authorization server. Each answer
counts only from the browser that was asked: a cookie ties the steps together, and no other site can
make a browser take one.
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
from lockgate.gateway.outbound import CALLBACK, DOCUMENT, IDENTITY, LINK, PAGE, Outbound
from lockgate.gateway.visitors import ENTRY, Visitors, Way
from lockgate.upstreams.spec import plain_url
from lockgate.wire.seal import BadSeal

if TYPE_CHECKING:
    from lockgate.config.model import Config
    from lockgate.identity.outbound.flow import Flow
    from lockgate.identity.outbound.person import Person
    from lockgate.identity.outbound.trouble import Trouble

COOKIE: Final = "lockgate_login"
LONGEST: Final = 16 * 1024
_FIELDS: Final = 20

Steps = Callable[[HttpRequest, Responder], Awaitable[None]]


class Logins:
    """The handlers of the login pages."""

    def __init__(
        self,
        outbound: Outbound,
        visitors: Visitors,
        config: Callable[[], Config],
        clock: Clock,
    ) -> None:
        """`config` gives the configuration in effect."""
        self._outbound = outbound
        self._visitors = visitors
        self._config = config
        self._clock = clock
        # Nobody is given a link that they could not use.
        outbound.shows = lambda owner: visitors.way(owner) is not None

    def handlers(self) -> dict[str, Handler]:
        """By path; none where no server has a login."""
        if not self._outbound.persons():
            return {}
        return {
            PAGE: _page("GET, HEAD, POST", self._page),
            IDENTITY: _page("GET", self._identity),
            CALLBACK: _page("GET", self._callback),
            DOCUMENT: self.document,
        }

    async def _page(self, request: HttpRequest, responder: Responder) -> None:
        """GET asks; POST, from the same browser, sends it on."""
        if request.method == "POST":
            await self._go_on(request, responder)
            return
        ticket = self._ticket(_fields(request.query))
        person, owner, way = self._opened(ticket, request)
        browser = self._browser(request) or token_urlsafe(32)
        told = pages.Consent(
            server=person.server,
            address=plain_url(self._config().servers[person.server].addresses[0]),
            owner="" if owner == ANONYMOUS.id else owner,
            key=way.kind == "key",
            issuer=way.issuer,
            ticket=ticket,
            seal=_seal(browser, ticket),
        )
        responder.send(200, (*pages.HEADERS, self._set_cookie(browser, 900)), pages.consent(told))

    async def _go_on(self, request: HttpRequest, responder: Responder) -> None:
        fields = _fields(request.body.decode("latin-1")) if len(request.body) <= LONGEST else {}
        ticket, browser = fields.get("ticket", ""), self._browser(request)
        asked = browser is not None and compare_digest(
            fields.get("seal", "").encode(), _seal(browser, ticket).encode()
        )
        if browser is None or not asked or not _own_page(request):
            raise _stray()
        person, owner, way = self._opened(ticket, request)
        if way.kind == "sign-in":
            _send_to(responder, await self._visitors.begin(way, ticket, browser))
            return
        if way.kind == "key" and await self._visitors.keyed(way, fields.get("key", "")) != owner:
            raise _somebody_else("this is not the API key that the call was made with")
        _send_to(responder, await person.begin(owner, self.redirect_uri, browser))

    async def _identity(self, request: HttpRequest, responder: Responder) -> None:
        """Somebody has signed in where callers do; on to the server if they are who is meant."""
        flow, params = await self._flow(request, self._visitors.redirect_uri)
        if flow.entry != ENTRY:
            raise _stray()
        person, owner, way = self._opened(flow.owner, request)
        browser = self._browser(request) or ""
        if await self._visitors.finish(way, flow, params, browser) != owner:
            raise _somebody_else("you are signed in as somebody else than who made the call")
        _send_to(responder, await person.begin(owner, self.redirect_uri, browser))

    async def _callback(self, request: HttpRequest, responder: Responder) -> None:
        """The answer of a server's authorization server, brought by the browser."""
        flow, params = await self._flow(request, self.redirect_uri)
        person = self._outbound.persons().get(flow.entry)
        if person is None:
            raise _stray()
        await person.finish(flow, params, self._browser(request) or "")
        responder.send(200, (*pages.HEADERS, self._set_cookie("", 0)), pages.done(person.server))

    async def _flow(self, request: HttpRequest, redirect_uri: str) -> tuple[Flow, dict[str, str]]:
        from lockgate.identity.outbound.entrance import take  # noqa: PLC0415 - as in `outbound`

        params = _fields(request.query)
        flow = await take(self._outbound.vault(self._config()), params.get("state", ""))
        if flow.redirect_uri != redirect_uri:
            raise _stray()
        return flow, params

    async def document(self, request: HttpRequest, responder: Responder) -> None:
        """The gateway's client metadata document; its own URL is its client id."""
        from lockgate.identity.outbound.registration import document  # noqa: PLC0415 - see above

        base = self._outbound.base or ""
        if not base.startswith("https://"):
            responder.send(404, pages.HEADERS)
            return
        said = document(base + DOCUMENT, self.redirect_uri, self._visitors.redirect_uri)
        headers = ((b"content-type", b"application/json"), (b"cache-control", b"max-age=3600"))
        body = msgspec.json.encode(said) if request.method == "GET" else b""
        responder.send(200, headers, body)

    @property
    def redirect_uri(self) -> str:
        """Where authorization servers send browsers back to."""
        return f"{self._outbound.base}{CALLBACK}"

    def _ticket(self, fields: Mapping[str, str]) -> str:
        """The link's ticket; where callers are not told apart, whoever comes gets one."""
        ticket, server = fields.get("ticket", ""), fields.get("server", "")
        if ticket or not server:
            return ticket
        link = self._outbound.link(server, ANONYMOUS.id) or ""
        return link.partition("ticket=")[2]

    def _opened(self, ticket: str, request: HttpRequest) -> tuple[Person, str, Way]:
        """Whose login at which server a ticket is for, and how they show who they are.

        Raises:
            Trouble: it is none, or nobody at this browser can.
        """
        try:
            data = self._outbound.keys.open(LINK, ticket, now=self._clock.wall())
            server, owner = msgspec.json.decode(data, type=tuple[str, str])
        except (BadSeal, msgspec.MsgspecError):
            raise _stray() from None
        person = self._outbound.persons().get(server)
        if person is None or person.one_account:
            raise _stray()
        way = self._visitors.way(owner)
        if way is None or (way.kind == "here" and not self._visitors.here(request)):
            raise _nobody_known(server)
        return person, owner, way

    def _browser(self, request: HttpRequest) -> str | None:
        """The secret this browser was given."""
        wanted = self._cookie_name
        for part in request.headers.get(b"cookie", b"").decode("latin-1").split(";"):
            name, _, value = part.strip().partition("=")
            if name == wanted and 20 <= len(value) <= 100:
                return value
        return None

    @property
    def _cookie_name(self) -> str:
        # The prefix has browsers refuse it from a neighbouring host, and over plain http.
        secure = (self._outbound.base or "").startswith("https://")
        return f"__Host-{COOKIE}" if secure else COOKIE

    def _set_cookie(self, browser: str, seconds: int) -> tuple[bytes, bytes]:
        name, path, more = self._cookie_name, "/", "; Secure"
        if name == COOKIE:
            path, more = urlsplit(self._outbound.base or "").path + PAGE, ""
        # Lax: it has to come along when the authorization server sends the browser back.
        said = f"{name}={browser}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{more}"
        return b"set-cookie", said.encode()


def _page(methods: str, steps: Steps) -> Handler:
    """A page for people: other methods are refused, and trouble becomes a page as well."""
    allowed = methods.split(", ")

    async def serve(request: HttpRequest, responder: Responder) -> None:
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        if request.method not in allowed:
            responder.send(405, (*pages.HEADERS, (b"allow", methods.encode())))
            return
        try:
            await steps(request, responder)
        except Trouble as trouble:
            body = pages.trouble(str(trouble), trouble.remedy, CODES.get(trouble.reason))
            responder.send(400, pages.HEADERS, body)

    return serve


def _send_to(responder: Responder, address: str) -> None:
    responder.send(303, (*pages.HEADERS, (b"location", address.encode("ascii", "ignore"))))


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


def _stray() -> Trouble:
    from lockgate.identity.outbound.flow import stray  # noqa: PLC0415 - as in `outbound`

    return stray()


def _somebody_else(how: str) -> Trouble:
    from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

    return Trouble(
        "login-somebody-else",
        f"this login is not yours to make: {how}.",
        "If somebody sent you the link, tell whoever runs the gateway. If you made the call, sign "
        "in as you are there, and open the link again.",
        origin="client",
    )


def _nobody_known(server: str) -> Trouble:
    from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

    return Trouble(
        "login-unverified",
        "it cannot be told whether you are the one this login is for.",
        f"Run `lockgate login {server}` where the gateway runs. Whoever runs it can have callers "
        "told apart (`lockgate.auth`, `lockgate.facade`), or let one account serve everybody "
        "(`auth.account: shared`).",
        origin="gateway",
    )
