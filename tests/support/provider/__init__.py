"""A real OpenID provider on loopback, started for tests, and the ways tests get tokens from it.

The provider is npm's certified ``oidc-provider``, run by Node (tests.support.node). Anybody logs in
with any password; every settings key is described at :func:`provider`.

Must not know: what is tested with it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import secrets
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support import node
from tests.support.agent import Agent, Page
from tests.support.running import NotStartedError, process

SERVER = Path(__file__).with_name("server.mjs")
REDIRECT = "http://127.0.0.1:7/callback"  # nothing listens there: no test ever goes

SERVICE = {
    "client_id": "service",
    "client_secret": "service-secret-of-at-least-32-characters",
    "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
    "redirect_uris": [],
    "response_types": [],
}
"""A confidential client that acts for itself, and may exchange tokens (RFC 8693)."""

APP = {
    "client_id": "app",
    "token_endpoint_auth_method": "none",
    "application_type": "native",
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": [REDIRECT],
    "response_types": ["code"],
}
"""A public client of a person, with PKCE."""


class Refused(Exception):
    """The provider answered with an OAuth error."""

    def __init__(self, status: int, said: object) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


class Provider:
    """One running provider.

    Attributes:
        issuer: its issuer identifier, which is also its address.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    # --- what tests turn and look at -------------------------------------------------------------

    def change(self, **settings: Any) -> None:
        """Change settings while it runs; what was issued stays valid."""
        self._door("settings", settings)

    def rotate(self, *, keep: bool = True) -> str:
        """Sign with new keys from now on; gives the new RSA key's id.

        Args:
            keep: whether the JWKS still has the old ones.
        """
        return self._door("rotate", {"keep": keep})["kid"]

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A JWT with exactly these claims, signed by the provider's own key (RS256 or ES256)."""
        return self._door("sign", {"claims": claims, "header": header})["token"]

    def fail(self, path: str, status: int | None, body: str = "{}", times: int = 10**9) -> None:
        """Answer this path with a status; ``None`` ends it."""
        self._door("fail", {"path": path, "status": status, "body": body, "times": times})

    def seen(self, path: str | None = None) -> list[str]:
        """The requests it had so far, as ``GET /jwks``; only those of a path when one is given."""
        every: list[str] = self._door("seen", {})["requests"]
        return [one for one in every if path is None or one.split(" ", 1)[1] == path]

    def _door(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", f"/_test/{name}", json.dumps(content).encode(), {})

    # --- tokens ----------------------------------------------------------------------------------

    def metadata(self) -> dict[str, Any]:
        """Its discovery document."""
        return self._json("GET", "/.well-known/openid-configuration")

    def token(
        self,
        content: Mapping[str, str | None],
        *,
        client: tuple[str, str | None],
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Ask the token endpoint; a client without a secret is a public one.

        Raises:
            Refused: with what it answered.
        """
        client_id, secret = client
        sent = {name: value for name, value in content.items() if value is not None}
        extra = dict(headers or {})
        if secret is None:
            sent["client_id"] = client_id
        else:
            quoted = ":".join(urllib.parse.quote(part, safe="") for part in (client_id, secret))
            extra["Authorization"] = "Basic " + base64.b64encode(quoted.encode()).decode()
        extra["Content-Type"] = "application/x-www-form-urlencoded"
        return self._json("POST", "/token", urllib.parse.urlencode(sent).encode(), extra)

    def client_credentials(
        self,
        resource: str | None = None,
        scope: str | None = None,
        *,
        client: tuple[str, str] = (SERVICE["client_id"], SERVICE["client_secret"]),
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What the token endpoint gives a client that acts for itself."""
        asked = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        return self.token(asked, client=client, headers=headers)

    def log_in(
        self,
        login: str = "alice",
        *,
        resource: str | None = None,
        scope: str = "openid",
        client: tuple[str, str | None] = (APP["client_id"], None),
        redirect_uri: str = REDIRECT,
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> dict[str, Any]:
        """What a person's client gets: authorization code with PKCE, all pages answered.

        Args:
            login: who logs in.
            resource: whom the token is for (RFC 8707).
            scope: what is asked for; a refresh token comes with ``offline_access``.
            client: identifier and secret, ``None`` for a public client.
            redirect_uri: as registered; it is never opened.
            headers: sent to the token endpoint, for example a DPoP proof.
            more: further parameters of the authorization request.
        """
        verifier = secrets.token_urlsafe(48)
        if "offline_access" in scope.split():
            more.setdefault("prompt", "consent")
        asked = {
            "response_type": "code",
            "client_id": client[0],
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(8),
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **({"resource": resource} if resource else {}),
            **more,
        }
        agent = Agent()
        first = agent.get(f"{self.issuer}/auth?{urllib.parse.urlencode(asked)}")
        back = self.answer_pages(agent, first, redirect_uri, login=login)
        given = back.query
        if "code" not in given:
            raise Refused(0, given)
        assert given["state"] == asked["state"]
        content = {
            "grant_type": "authorization_code",
            "code": given["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "resource": resource,
        }
        return self.token(content, client=client, headers=headers)

    def refresh(
        self,
        refresh_token: str,
        *,
        resource: str | None = None,
        client: tuple[str, str | None] = (APP["client_id"], None),
    ) -> dict[str, Any]:
        """New tokens for a refresh token."""
        asked = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "resource": resource,
        }
        return self.token(asked, client=client)

    def answer_pages(
        self, agent: Agent, page: Page, redirect_uri: str, *, login: str = "alice"
    ) -> Page:
        """Log in and consent wherever the provider asks, until it redirects to ``redirect_uri``."""
        for _ in range(6):
            page = agent.follow(page, lambda url: url.startswith(redirect_uri))
            if page.url.startswith(redirect_uri):
                return page
            if page.status != 200 or not page.forms:
                raise Refused(page.status, page.text[-1500:])
            asks_login = page.forms[0].fields.get("prompt") == "login"
            answers = {"login": login, "password": "anything"} if asks_login else {}
            page = agent.submit(page, **answers)
        raise AssertionError("the provider's pages do not end")

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        netloc = urllib.parse.urlsplit(self.issuer).netloc
        connection = http.client.HTTPConnection(netloc, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, text)
        return json.loads(text) if text else {}


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@contextlib.contextmanager
def provider(**settings: Any) -> Iterator[Provider]:
    """A provider on an ephemeral loopback port, ready for requests, ended afterwards.

    Args:
        settings: any of

            * ``clients``: client metadata; :data:`SERVICE` and :data:`APP` when not given;
            * ``registration``: dynamic registration (RFC 7591) at ``/reg``; off;
            * ``client_id_metadata``: accept URLs as client identifiers; off;
            * ``resources``: by identifier (``"*"``: any other) what tokens for it are like:
              ``format`` (``jwt`` or ``opaque``), ``scope``, ``audience``, ``ttl``, ``alg``
              (``RS256`` or ``ES256``);
            * ``scopes``: scopes there are beside OpenID's;
            * ``introspection`` (at ``/token/introspection``) and ``revocation``
              (at ``/token/revocation``): on;
            * ``accounts``: by login, claims of ID and access tokens such as ``groups``;
            * ``refresh``: ``"when granted"`` (with ``offline_access``) or ``"always"``;
            * ``access_token_ttl``, ``id_token_ttl``: seconds;
            * ``iss_parameter``: whether authorization responses say ``iss`` (RFC 9207); on.

    Raises:
        NotStartedError: with what it said.
    """
    settings.setdefault("clients", [SERVICE, APP])
    environment = {**os.environ, "LOCKGATE_NODE_MODULES": str(node.packages("provider"))}
    command = [str(node.NODE), str(SERVER)]
    with (
        tempfile.TemporaryFile() as errors,
        process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(settings).encode() + b"\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            errors.seek(0)
            raise NotStartedError(f"the provider did not start:\n{errors.read().decode()[-3000:]}")
        yield Provider(json.loads(line)["issuer"])
