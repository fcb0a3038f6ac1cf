"""Logging in through the gateway in earnest: a real browser, provider, and server behind."""

from __future__ import annotations

import asyncio
import html
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.identity.stage import TOOL, Stage, walk
from tests.security.musts import must
from tests.support import node, running
from tests.support.agent import Agent
from tests.support.browser import browser
from tests.support.browser.page import Chromium


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with browser() as one:
        yield one


@must("proxy-consent-before-provider", "as-audience-bound", "proxy-consent-cookie")
def test_a_person_connects_an_app_that_registered_itself(stage: Stage, chromium: Chromium) -> None:
    assert stage.call(None).status == 401
    client, verifier = stage.register(), secrets.token_urlsafe(48)
    with chromium.page() as tab:
        tab.open(stage.wish(client, verifier))
        tab.wait_for("button[value=allow]")
        assert "Let Notebook act for you at The tools?" in tab.text
        assert "This app is not verified." in tab.text
        assert urlsplit(stage.redirect).netloc in tab.text
        assert "Use every tool" in tab.text
        assert not [name for name in tab.cookies(stage.base) if "login" in name]
        assert tab.complaints() == []
        tab.press("button[value=allow]")
        stage.provider_login(tab, "alice")
        tab.wait_for_url(stage.redirect)
        assert not [name for name in tab.cookies(stage.base) if "login" in name]
    back = stage.listener.asked("/cb")
    assert back is not None
    assert back["state"] == "its-own"
    assert back["iss"] == stage.base
    tokens = json.loads(stage.redeem(client, verifier, back["code"]).text)
    answer = stage.call(tokens["access_token"])
    assert answer.status == 200
    assert "result" in answer.text
    assert stage.call(tokens["access_token"][:-4] + "AAAA").status == 401
    assert stage.redeem(client, verifier, back["code"]).status == 400


@must("as-cimd-redirects", "as-cimd-id")
def test_a_person_connects_an_app_that_a_document_describes(
    stage: Stage, chromium: Chromium
) -> None:
    client = f"{stage.described.url}/app/client.json"
    document = {
        "client_id": client,
        "client_name": "Described notebook",
        "redirect_uris": ["http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    stage.described.put("/app/client.json", json.dumps(document), "application/json")
    verifier = secrets.token_urlsafe(48)
    with chromium.page(width=360, height=700, dark=True) as tab:
        tab.open(stage.wish(client, verifier))
        tab.wait_for("button[value=allow]")
        assert f"Described at {stage.described.netloc}" in tab.text
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.press("button[value=allow]")
        stage.provider_login(tab, "bob")
        tab.wait_for_url(stage.redirect)
    back = stage.listener.asked("/cb")
    assert back is not None
    tokens = json.loads(stage.redeem(client, verifier, back["code"]).text)
    assert stage.call(tokens["access_token"]).status == 200
    assert ("/app/client.json", {}) in stage.described.seen


@must("as-audience-bound")
def test_a_token_for_one_endpoint_opens_no_other(stage: Stage) -> None:
    client, verifier = stage.register(), secrets.token_urlsafe(48)
    other = f"{stage.base}/other/mcp"
    place = "/.well-known/oauth-protected-resource/other/mcp"
    assert json.loads(Agent().get(stage.base + place).text)["authorization_servers"] == [stage.base]
    wish = stage.wish(client, verifier).replace(quote(stage.mcp, safe=""), quote(other, safe=""))
    code = walk(stage, wish, stage.redirect)["code"]
    # Neither can the code be redeemed for another.
    assert json.loads(stage.redeem(client, verifier, code).text)["error"] == "invalid_target"
    answer = stage.redeem(client, verifier, code, resource=other)
    token = json.loads(answer.text)["access_token"]
    assert stage.call(token, other).status == 200
    assert stage.call(token).status == 401


CONTRAST = """(() => {
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => { for (; node; node = node.parentElement) {
    const c = parts(getComputedStyle(node).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const worst = [...document.querySelectorAll("body *")]
    .filter((node) => [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim()))
    .map((node) => { const a = light(parts(getComputedStyle(node).color).slice(0, 3));
      const b = light(behind(node));
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); });
  return Math.min(...worst); })()"""


@pytest.mark.parametrize("dark", [False, True])
def test_the_consent_page_can_be_read_and_answered_by_everybody(
    stage: Stage, chromium: Chromium, dark: bool
) -> None:
    with chromium.page(dark=dark) as tab:
        tab.open(stage.wish(stage.register(), "v" * 43))
        tab.wait_for("button[value=allow]")
        # WCAG 2.2, 1.4.3: at least 4.5 to 1, of every text on the page.
        assert tab.evaluate(CONTRAST) >= 4.5
        assert tab.evaluate("document.documentElement.lang") == "en"
        assert tab.evaluate("document.querySelectorAll('h1').length") == 1
        assert tab.evaluate("document.title") == "Allow Notebook?"
        # By keyboard alone.
        for wanted in ("allow", "deny"):
            for kind in ("keyDown", "keyUp"):
                tab.command(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key="Tab",
                    code="Tab",
                    windowsVirtualKeyCode=9,
                )
            assert tab.evaluate("document.activeElement.value") == wanted
        for kind in ("keyDown", "keyUp"):
            tab.command(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                windowsVirtualKeyCode=13,
                text="\r",
            )
        tab.wait_for_url(stage.redirect)


def test_who_does_not_allow_it_leaves_without_having_been_at_the_provider(
    stage: Stage, chromium: Chromium
) -> None:
    seen = len(stage.provider.seen("/auth"))
    with chromium.page() as tab:
        tab.open(stage.wish(stage.register(), "v" * 43))
        tab.wait_for("button[value=deny]")
        tab.press("button[value=deny]")
        tab.wait_for_url(stage.redirect)
    assert (stage.listener.asked("/cb") or {})["error"] == "access_denied"
    assert len(stage.provider.seen("/auth")) == seen


@must("proxy-consent-no-framing")
def test_the_consent_page_does_not_appear_in_a_frame(stage: Stage, chromium: Chromium) -> None:
    wish = html.escape(stage.wish(stage.register(), "v" * 43))
    address = stage.evil.put("/frame", f'<!doctype html><iframe src="{wish}"></iframe>done')
    with chromium.page() as tab:
        tab.open(address)
        tab.wait(lambda: any("frame-ancestors" in one for one in tab.complaints()), "a complaint")


@must("proxy-consent-csrf")
def test_another_page_cannot_say_yes_for_a_person(stage: Stage, chromium: Chromium) -> None:
    client = stage.register(redirect_uris=[f"{stage.evil.at_address}/cb"])
    wish = stage.wish(client, "v" * 43, f"{stage.evil.at_address}/cb")
    # The attacker's own consent page has a form that is good, in the attacker's browser.
    form = Agent().get(wish).forms[0].fields["form"]
    address = stage.evil.put(
        "/post",
        f'<!doctype html><form method="post" action="{stage.base}/authorize">'
        f'<input name="form" value="{form}"><button name="decision" value="allow">x</button>'
        "</form>",
    )
    with chromium.page() as tab:
        tab.open(wish)
        tab.open(address)
        tab.press("button")
        tab.wait_for_url(f"{stage.base}/authorize")
        assert "LG-478" in tab.text or "LG-107" in tab.text
        assert not [name for name in tab.cookies(stage.base) if "login" in name]


@must("proxy-consent-per-client", "as-no-open-redirect")
def test_a_second_client_of_a_person_who_is_logged_in_is_asked_about(
    stage: Stage, chromium: Chromium
) -> None:
    """The confused deputy: the provider would let this browser through without a word."""
    verifier = secrets.token_urlsafe(48)
    with chromium.page() as tab:
        tab.open(stage.wish(stage.register(), verifier))
        tab.wait_for("button[value=allow]")
        tab.press("button[value=allow]")
        stage.provider_login(tab, "alice")
        tab.wait_for_url(stage.redirect)
        trap = f"{stage.evil.at_address}/trap"
        seen = len(stage.provider.seen("/auth"))
        tab.open(stage.wish(stage.register(redirect_uris=[trap]), verifier, trap))
        tab.wait_for("button[value=allow]")
        assert urlsplit(trap).netloc in tab.text
        assert len(stage.provider.seen("/auth")) == seen
    assert stage.evil.asked("/trap") is None


@pytest.mark.conformance
@must("as-metadata-found", "as-iss-advertised", "as-pkce")
def test_the_official_suite_finds_nothing_against_it(stage: Stage, tmp_path: Path) -> None:
    """Its scenarios for authorization servers, all of them; a person answers the pages."""
    port = running.free_port()
    redirect = f"http://127.0.0.1:{port}/callback"
    client = stage.register(redirect_uris=[redirect])
    asked = ["authorization", "--url", stage.base, "--client-id", client, "--port", str(port)]
    command = [*node.conformance(), *asked, "--output-dir", str(tmp_path)]
    with running.process(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as suite:
        assert suite.stdout is not None
        said = b""
        for line in suite.stdout:
            said += line
            if line.startswith(f"{stage.base}/authorize?".encode()):
                back = walk(stage, line.decode().strip(), redirect)
                Agent().get(f"{redirect}?{urlencode(back)}")
        assert suite.wait(60) == 0, said.decode()
    checks = [
        one for path in tmp_path.glob("**/checks.json") for one in json.loads(path.read_text())
    ]
    assert [one for one in checks if one["status"] not in ("SUCCESS", "INFO")] == []
    assert len(checks) >= 2


class Memory:
    """What the SDK keeps its tokens and registration in."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


@pytest.mark.interop
@pytest.mark.parametrize("known_by", ["registration", "document"])
def test_the_official_client_logs_in(
    stage: Stage, known_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2
    from mcp import Client
    from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import OAuthClientMetadata

    redirect = "http://127.0.0.1:7/cb"
    url = f"{stage.described.url}/sdk/client.json"
    document = {"client_id": url, "client_name": "SDK", "redirect_uris": [redirect]}
    stage.described.put("/sdk/client.json", json.dumps(document), "application/json")
    back: dict[str, str] = {}

    async def to_login(address: str) -> None:
        back.update(await asyncio.to_thread(walk, stage, address, redirect))

    async def from_login() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=back["code"], state=back["state"], iss=back["iss"])

    async def scenario() -> None:
        auth = OAuthClientProvider(
            server_url=stage.mcp,
            client_metadata=OAuthClientMetadata.model_validate(
                {"client_name": "SDK", "redirect_uris": [redirect]}
            ),
            storage=Memory(),
            redirect_handler=to_login,
            callback_handler=from_login,
            client_metadata_url=url if known_by == "document" else None,
        )
        async with httpx2.AsyncClient(auth=auth, timeout=20) as http:
            transport = streamable_http_client(stage.mcp, http_client=http)
            async with Client(transport) as client:
                result = await client.call_tool(*TOOL)
                assert not result.is_error

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert back["iss"] == stage.base
