"""The authorization server without sockets: a browser, a client and an identity provider, all made
for one test, on a clock that moves when told to.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from lockgate.core.secret import Secret
from lockgate.core.store import Store
from lockgate.fronts.http import HttpRequest
from lockgate.identity.facade.facade import Facade
from lockgate.identity.facade.settings import FacadeSettings, ProviderSettings, ScopeSettings
from lockgate.identity.fetch import Fetched, FetchFailed
from lockgate.stores.memory import MemoryStore
from lockgate.testing.clock import ManualClock
from tests.support.agent import FormParser
from tests.support.provider import challenge_of

Json = dict[str, Any]
GATEWAY = "https://gw.example.com"
IDP = "https://idp.example.com"
REDIRECT = "http://127.0.0.1:7777/cb"
WEB = "https://app.example.com/cb"
MCP = f"{GATEWAY}/mcp"
OTHER = f"{GATEWAY}/other/mcp"
KEYS = (bytes(range(32)),)
_SIGNS = RSAKey.generate_key(2048, parameters={"kid": "idp"})
_OTHER = ECKey.generate_key("P-256", parameters={"kid": "idp"})


class Idp:
    """An identity provider, as far as it is fetched from.

    change   alters the claims and header of the next ID tokens, or the answer of a path.
    down     whether it cannot be reached.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.metadata: Json = {
            "issuer": IDP,
            "authorization_endpoint": f"{IDP}/authorize",
            "token_endpoint": f"{IDP}/token",
            "jwks_uri": f"{IDP}/jwks",
            "userinfo_endpoint": f"{IDP}/me",
            "authorization_response_iss_parameter_supported": True,
        }
        self.codes: dict[str, Json] = {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.claims: Json = {}
        self.header: Json = {}
        self.key: Any = _SIGNS
        self.token: Callable[[Json], Any] = lambda answer: answer
        self.status = 200
        self.refresh = ""
        self.gone = False
        self.down = False
        self.documents: dict[str, Fetched | Exception] = {}

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        most: int = 0,
        within: float = 0,
    ) -> Fetched:
        form = dict(parse_qsl(body.decode()))
        self.asked.append((url, {**dict(headers), **form}))
        if url in self.documents:
            found = self.documents[url]
            if isinstance(found, Exception):
                raise found
            return found
        if self.down or not url.startswith(IDP):
            raise FetchFailed(f"{url.split('/')[2]} cannot be reached", "unreachable")
        return self.answer(url.removeprefix(IDP), form)

    def answer(self, path: str, form: Mapping[str, str]) -> Fetched:
        told: Json = {
            "/.well-known/openid-configuration": self.metadata,
            "/jwks": {"keys": [_SIGNS.as_dict(private=False)]},
            "/me": {"id": 4711, "email": "alice@example.com"},
        }
        if path in told:
            return said(told[path])
        if path != "/token" or self.status != 200:
            return Fetched(self.status if path == "/token" else 404, {}, b"{}")
        return self.token_for(form)

    def token_for(self, form: Mapping[str, str]) -> Fetched:
        if form.get("grant_type") == "refresh_token":
            known = not self.gone and form.get("refresh_token") == self.refresh
            login = {"sub": "alice", "groups": ["eng"]} if known else None
        else:
            login = self.codes.pop(form.get("code", ""), None)
            if login and challenge_of(form.get("code_verifier", "")) != login.pop("challenge"):
                login = None
        if login is None:
            return Fetched(400, {}, b'{"error":"invalid_grant"}')
        now = int(self.clock.wall())
        claims = {"iss": IDP, "aud": "gateway", "iat": now, "exp": now + 300, **login}
        claims = {k: v for k, v in {**claims, **self.claims}.items() if v is not None}
        header = {"alg": "RS256", "kid": "idp", **self.header}
        answer: Json = {"access_token": "upstream-at", "token_type": "Bearer", "expires_in": 300}
        if self.key is not None:
            answer["id_token"] = jwt.encode(header, claims, self.key, algorithms=[header["alg"]])
        if self.refresh:
            answer["refresh_token"] = self.refresh
        return said(self.token(answer))


def said(content: Any, **headers: str) -> Fetched:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(content).encode()
    return Fetched(200, {"content-type": "application/json", **named}, body)


@dataclass
class Seen:
    """What a browser or a client got."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def header(self, name: str) -> str:
        return ", ".join(value for one, value in self.headers if one == name)

    @property
    def json(self) -> Json:
        return json.loads(self.text)

    @property
    def location(self) -> str:
        """Where it leads: by a redirect, or by a page that goes on."""
        found = self.header("location")
        if found:
            return found
        refresh = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', self.text)
        assert refresh, self.text
        return html.unescape(refresh[1])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.location).query))

    @property
    def fields(self) -> dict[str, str]:
        parser = FormParser()
        parser.feed(self.text)
        return parser.forms[0].fields

    @property
    def code(self) -> str:
        """The error's stable code."""
        found = re.search(r"LG-\d+", self.text + self.header("location"))
        return found[0] if found else ""


class Desk:
    """The server, and whatever asks it."""

    def __init__(self, runner: asyncio.Runner, store: Store | None = None, **settings: Any) -> None:
        self.clock = ManualClock(1_790_000_000)
        self.idp = Idp(self.clock)
        self.runner = runner
        provider: Json = {
            "name": "Example",
            "issuer": IDP,
            "client_id": "gateway",
            "client_secret": Secret("s:cret"),
            **settings.pop("provider", {}),
        }
        told: Json = {
            "issuer": GATEWAY,
            "resources": (MCP, OTHER),
            "keys": KEYS,
            "scopes": {
                "read": ScopeSettings(description="Read everything"),
                "write": ScopeSettings(description="Change everything", default=False),
                "admin": ScopeSettings(default=False, groups=frozenset({"ops"})),
            },
            **settings,
        }
        self.settings = FacadeSettings(provider=ProviderSettings(**provider), **told)
        self.store = store or MemoryStore(self.clock)
        self.facade = self.again()

    def again(self, **settings: Any) -> Facade:
        """The server anew, on the same store: another replica, or after a restart."""
        told = {name: getattr(self.settings, name) for name in self.settings.__slots__}
        changed = FacadeSettings(**{**told, **settings})
        self.facade = Facade(changed, self.store, self.clock, public=self.idp, internal=self.idp)
        return self.facade

    def ask(self, request: HttpRequest) -> Seen:
        serves = self.facade.paths()[request.path]

        async def asked() -> Seen:
            answer = await serves(request)
            headers = [(name.decode(), value.decode()) for name, value in answer.headers]
            return Seen(answer.status, headers, answer.body.decode())

        return self.runner.run(asked())

    # The client.

    def post(
        self, path: str, form: Mapping[str, str] | Sequence[tuple[str, str]], **headers: str
    ) -> Seen:
        """A form from a program."""
        return self.ask(posted(path, form, **headers))

    def register(self, metadata: Any = None, *, peer: str = "192.0.2.1", **more: Any) -> Seen:
        """A registration, of a native public client unless it is told otherwise."""
        content: Any = {
            "client_name": "Notebook",
            "redirect_uris": ["http://127.0.0.1/cb", WEB],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            **more,
        }
        if metadata is not None:
            content = metadata
        return self.ask(
            HttpRequest(
                method="POST",
                path="/register",
                query="",
                headers={b"content-type": b"application/json"},
                body=content if isinstance(content, bytes) else json.dumps(content).encode(),
                peer=peer,
            )
        )

    def client(self, **more: Any) -> App:
        """A client that has registered."""
        answer = self.register(**more)
        assert answer.status == 201, answer.text
        return App(self, answer.json["client_id"], secret=answer.json.get("client_secret"))

    def browser(self) -> Browser:
        return Browser(self)


def posted(
    path: str, form: Mapping[str, str] | Sequence[tuple[str, str]], **headers: str
) -> HttpRequest:
    """A form as a program sends it."""
    told = {"content-type": "application/x-www-form-urlencoded", **headers}
    return HttpRequest(
        method="POST",
        path=path,
        query="",
        headers={name.encode(): value.encode() for name, value in told.items()},
        body=urlencode(form).encode(),
        peer="192.0.2.1",
    )


@dataclass
class App:
    """A client, and the one request it makes."""

    desk: Desk
    id: str
    secret: str | None = None
    redirect: str = REDIRECT
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def wish(self, **change: str | None) -> str:
        """The query of an authorization request; None leaves a parameter out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect,
            "state": "its own state",
            "scope": "read",
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "resource": MCP,
            **change,
        }
        return urlencode({name: value for name, value in asked.items() if value is not None})

    def asked(self, code: str, /, **change: str | None) -> HttpRequest:
        """The request that redeems a code."""
        asked: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": self.id,
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": self.verifier,
            "resource": MCP,
            **change,
        }
        told = {name: value for name, value in asked.items() if value is not None}
        return posted("/token", told)

    def redeem(self, code: str, /, **change: str | None) -> Seen:
        return self.desk.ask(self.asked(code, **change))

    def refresh(self, token: str, /, **change: str | None) -> Seen:
        asked = {
            "grant_type": "refresh_token",
            "client_id": self.id,
            "client_secret": self.secret,
            "refresh_token": token,
            **change,
        }
        return self.desk.post(
            "/token", {name: value for name, value in asked.items() if value is not None}
        )

    def code(self, **change: str | None) -> str:
        """A code, everything answered with yes."""
        browser = self.desk.browser()
        going = browser.allow(browser.get("/authorize", self.wish(**change)))
        return browser.log_in(going).query["code"]

    def tokens(self, **change: str | None) -> Json:
        answer = self.redeem(self.code(**change))
        assert answer.status == 200, answer.text
        return answer.json


class Browser:
    """A browser: its cookies, and what it says of where a form comes from."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.cookies: dict[str, str] = {}

    def request(self, method: str, path: str, query: str, body: bytes, **headers: str) -> Seen:
        told = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            told[b"cookie"] = "; ".join(pairs).encode()
        seen = self.desk.ask(
            HttpRequest(
                method=method,
                path=path,
                query=query,
                headers=told,
                body=body,
                peer="192.0.2.2",
            )
        )
        for name, value in seen.headers:
            if name == "set-cookie":
                pair, *attributes = value.split("; ")
                key, _, content = pair.partition("=")
                if "Max-Age=0" in attributes:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = content
        return seen

    def get(self, path: str, query: str = "") -> Seen:
        return self.request("GET", path, query, b"")

    def decide(self, page: Seen, decision: str, origin: str | None = GATEWAY, **more: str) -> Seen:
        """Press a button of the consent page."""
        body = urlencode({**page.fields, "decision": decision, **more}).encode()
        headers = {"content_type": "application/x-www-form-urlencoded"}
        if origin is not None:
            headers["origin"] = origin
        return self.request("POST", "/authorize", "", body, **headers)

    def allow(self, page: Seen, **more: str) -> Seen:
        assert page.status == 200, page.text
        return self.decide(page, "allow", **more)

    def at_provider(self, going: Seen, login: str = "alice", **change: str | None) -> str:
        """The query the provider sends this browser back with, once somebody has logged in."""
        asked = going.query
        assert going.location.startswith(f"{IDP}/authorize?")
        code = secrets.token_urlsafe(8)
        self.desk.idp.codes[code] = {
            "sub": login,
            "nonce": asked.get("nonce"),
            "challenge": asked["code_challenge"],
            "groups": ["ops" if login == "root" else "eng"],
        }
        back = {"code": code, "state": asked["state"], "iss": IDP, **change}
        return urlencode({name: value for name, value in back.items() if value is not None})

    def log_in(self, going: Seen, login: str = "alice", **change: str | None) -> Seen:
        return self.get("/oauth/callback", self.at_provider(going, login, **change))


@contextmanager
def desk(**settings: Any) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        made = Desk(runner, **settings)
        yield made
        runner.run(made.facade.close())
