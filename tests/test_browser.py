"""The headless browser of the tests reads, fills in and presses as a person does."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from tests.support.browser import browser
from tests.support.provider import REDIRECT, challenge_of, provider


def test_a_person_logs_in_at_the_provider(tmp_path: Path) -> None:
    asked = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "scope": "openid",
        "code_challenge": challenge_of("x" * 43),
        "code_challenge_method": "S256",
    }
    with provider() as idp, browser() as chromium, chromium.page(dark=True) as page:
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.open(f"{idp.issuer}/auth?{urlencode(asked)}")
        page.wait_for("input[name=login]")
        page.fill("input[name=login]", "alice")
        page.fill("input[name=password]", "anything")
        page.press("button[type=submit]")
        page.wait_for("input[value=consent]")
        assert "Authorize" in page.text
        assert page.cookies(idp.issuer)["_session"]["httpOnly"]
        page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
        with chromium.page() as other:
            assert not other.cookies(idp.issuer), "profiles share nothing"
