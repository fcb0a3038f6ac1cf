"""A gateway that is an authorization server, with a real provider behind it and clients before it.

Must not know: what is tested with it.
"""

from __future__ import annotations

import base64
import html
import json
import re
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.identity.loopback import Site, authority, rpc, site
from tests.support import running
from tests.support.agent import Agent, Page
from tests.support.browser.page import Page as Tab
from tests.support.provider import Provider, challenge_of, provider

SECRET = "a-client-secret-of-more-than-32-characters"
TOOL = ("test_simple_text", {})


class Stage:
    """Everything there is: gateway, provider, where clients listen, and who wants in."""

    def __init__(
        self, stack: ExitStack, folder: Path, servers: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        port = running.free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.mcp = f"{self.base}/mcp"
        cert, key = authority(folder)
        self.listener: Site = stack.enter_context(site())
        self.described: Site = stack.enter_context(site((cert, key)))
        self.evil: Site = stack.enter_context(site())
        gateway = {
            "client_id": "gateway",
            "client_secret": SECRET,
            "redirect_uris": [f"{self.base}/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        self.provider: Provider = stack.enter_context(
            provider(clients=[gateway], refresh="always", accounts={"alice": {"groups": ["eng"]}})
        )
        if servers is None:
            url = stack.enter_context(running.fixture_server("everything"))
            servers = {"ours": {"url": url}}
        facade: dict[str, Any] = {
            "name": "The tools",
            "provider": {
                "issuer": self.provider.issuer,
                "client_id": "gateway",
                "client_secret": SECRET,
                "name": "Example login",
                "scopes": ["openid", "email", "groups"],
            },
            "scopes": {"tools": {"description": "Use every tool"}},
            "internal_hosts": [self.described.netloc],
        }
        config = running.config_of(
            servers,
            folder,
            public_url=self.base,
            facade=facade,
            endpoints={"/other/mcp": {}},
            session={"keys": [base64.b64encode(secrets.token_bytes(32)).decode()]},
            **settings,
        )
        said = stack.enter_context((folder / "log").open("wb"))
        child = stack.enter_context(
            running.process(
                [*running.LOCKGATE, "up", str(config), "--port", str(port)],
                stdout=said,
                stderr=said,
                env={**running.plain_environment(), "SSL_CERT_FILE": str(cert)},
            )
        )
        running.await_ready(child, f"{self.base}/ready")
        self.listener.put("/cb", "<!doctype html><title>Done</title><p>You can close this page.")
        self.redirect = f"{self.listener.at_address}/cb"

    def register(self, **more: Any) -> str:
        metadata = {
            "client_name": "Notebook",
            "redirect_uris": [self.redirect],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            **more,
        }
        answer = Agent().request(
            "POST",
            f"{self.base}/register",
            json.dumps(metadata).encode(),
            {"Content-Type": "application/json"},
        )
        assert answer.status == 201, answer.text
        return json.loads(answer.text)["client_id"]

    def wish(self, client: str, verifier: str, redirect: str | None = None) -> str:
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": redirect or self.redirect,
            "state": "its-own",
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            "resource": self.mcp,
        }
        return f"{self.base}/authorize?{urlencode(asked)}"

    def redeem(self, client: str, verifier: str, code: str, resource: str | None = None) -> Page:
        asked = {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": code,
            "redirect_uri": self.redirect,
            "code_verifier": verifier,
            "resource": resource or self.mcp,
        }
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return Agent().request("POST", f"{self.base}/token", urlencode(asked).encode(), form)

    def call(self, token: str | None, endpoint: str | None = None) -> Page:
        body, headers = rpc(token, *TOOL)
        return Agent().request("POST", endpoint or self.mcp, body, headers)

    def provider_login(self, tab: Tab, login: str) -> None:
        """Log in at the provider's own pages."""
        tab.wait_for("input[name=login]")
        tab.fill("input[name=login]", login)
        tab.fill("input[name=password]", "anything")
        tab.press("button[type=submit]")
        tab.wait_for("input[name=prompt][value=consent]")
        tab.press("button[type=submit]")


def walk(stage: Stage, address: str, redirect: str) -> dict[str, str]:
    """A person without a browser: consent, login, and where that leads."""
    agent = Agent()
    page = agent.submit(agent.get(address), decision="allow")
    going = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert going, page.text
    at_provider = agent.get(html.unescape(going[1]))
    callback = stage.provider.answer_pages(agent, at_provider, f"{stage.base}/oauth/callback")
    final = agent.get(callback.url).location
    assert final.startswith(redirect)
    return dict(parse_qsl(urlsplit(final).query))
