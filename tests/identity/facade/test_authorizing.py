"""Consent and login: who did not see the page, in this browser, for this client, gets no code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lockgate.identity.facade.settings import KnownClient
from tests.identity.facade.desk import GATEWAY, IDP, MCP, OTHER, REDIRECT, WEB, Desk, desk
from tests.security.musts import must
from tests.support.provider import challenge_of


@pytest.fixture
def at() -> Iterator[Desk]:
    with desk() as one:
        yield one


def test_a_person_consents_logs_in_and_the_client_gets_a_code(at: Desk) -> None:
    app, browser = at.client(), at.browser()
    page = browser.get("/authorize", app.wish())
    going = browser.allow(page)
    back = browser.log_in(going)
    assert back.status == 302
    assert back.location.startswith(f"{REDIRECT}?")
    assert back.query["state"] == "its own state"
    assert back.query["iss"] == GATEWAY
    assert app.redeem(back.query["code"]).status == 200


@must("proxy-consent-page", "as-redirect-host-shown")
def test_the_page_says_who_asks_for_what_and_where_it_leads(at: Desk) -> None:
    app = at.client(client_name="<b>Bank</b>\u202e\x00 app")
    page = at.browser().get("/authorize", app.wish(scope="read write"))
    assert "&lt;b&gt;Bank&lt;/b&gt; app" in page.text
    assert "<b>" not in page.text
    assert '<span class="host">127.0.0.1:7777</span>' in page.text
    assert REDIRECT in page.text
    assert "Read everything" in page.text
    assert "Change everything" in page.text
    assert "This app is not verified." in page.text
    assert "a program on this computer" in page.text


@must("proxy-consent-no-framing")
def test_no_page_can_frame_script_or_leak_it(at: Desk) -> None:
    page = at.browser().get("/authorize", at.client().wish())
    policy = page.header("content-security-policy")
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script" not in policy
    assert page.header("x-frame-options") == "DENY"
    assert page.header("cache-control") == "no-store"
    assert "<script" not in page.text
    assert "style=" not in page.text


@must("proxy-consent-cookie", "proxy-state-after-consent")
def test_no_login_is_under_way_before_the_person_said_yes(at: Desk) -> None:
    browser = at.browser()
    page = browser.get("/authorize", at.client().wish())
    assert [name for name in browser.cookies if "login" in name] == []
    going = browser.allow(page)
    said = going.header("set-cookie")
    assert said.startswith("__Host-lockgate-login-")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(said.split("; "))
    assert going.query["state"] not in said


@must("proxy-consent-csrf")
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", None, "https://gw.example.com.evil"]
)
def test_a_form_sent_by_another_page_is_refused(at: Desk, origin: str | None) -> None:
    browser = at.browser()
    page = browser.get("/authorize", at.client().wish())
    seen = browser.decide(page, "allow", origin=origin)
    assert (seen.status, seen.code) == (400, "LG-478")
    assert "login" not in str(browser.cookies)


@must("proxy-consent-csrf")
def test_a_form_of_another_browser_is_refused(at: Desk) -> None:
    attacker, victim = at.browser(), at.browser()
    app = at.client()
    page = attacker.get("/authorize", app.wish())
    victim.get("/authorize", app.wish())
    seen = victim.decide(page, "allow")
    assert (seen.status, seen.code) == (400, "LG-478")


@must("proxy-consent-csrf")
def test_a_form_is_good_once_and_not_for_long(at: Desk) -> None:
    browser, app = at.browser(), at.client()
    page = browser.get("/authorize", app.wish())
    browser.allow(page)
    assert browser.decide(page, "allow").code == "LG-478"
    later = browser.get("/authorize", app.wish())
    at.clock.advance(601)
    assert browser.decide(later, "allow").code == "LG-478"
    tampered = browser.get("/authorize", app.wish())
    body = tampered.text.replace(tampered.fields["form"], tampered.fields["form"][:-2] + "AA")
    tampered.text = body
    assert browser.decide(tampered, "allow").code == "LG-478"


def test_who_says_no_sends_the_client_away_with_that(at: Desk) -> None:
    browser = at.browser()
    seen = browser.decide(browser.get("/authorize", at.client().wish()), "deny")
    assert seen.location.startswith(f"{REDIRECT}?")
    assert seen.query["error"] == "access_denied"
    assert seen.query["iss"] == GATEWAY
    assert seen.query["state"] == "its own state"
    assert not at.idp.asked


@must("as-redirect-exact", "proxy-redirect-exact")
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/cb",
        f"{WEB}/",
        f"{WEB}?x=1",
        f"{WEB}#x",
        "https://APP.example.com/cb",
        "https://app.example.com:443/cb",
        "https://app.example.com/cb/../cb",
        "https://app.example.com%2eevil.example/cb",
        "https://evil@app.example.com/cb",
        "http://127.0.0.1:7777/cb2",
        "http://127.0.0.2:7777/cb",
        "http://localhost:7777/cb",
        "http://127.0.0.1:7777@evil.example/cb",
        "https://127.0.0.1:7777/cb",
        "",
        None,
    ],
)
def test_only_the_exact_redirect_uri_is_taken(at: Desk, uri: str | None) -> None:
    seen = at.browser().get("/authorize", at.client().wish(redirect_uri=uri))
    assert (seen.status, seen.code) == (400, "LG-476")
    assert not seen.header("location")
    assert "evil" not in seen.text


def test_a_loopback_address_may_have_any_port(at: Desk) -> None:
    seen = at.browser().get("/authorize", at.client().wish(redirect_uri="http://127.0.0.1:1/cb"))
    assert seen.status == 200


@must("as-pkce")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": challenge_of("x") + "\n"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'co"de'}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_not_supported"),
        ({"prompt": "none"}, "consent_required"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"state": "s" * 2000}, "invalid_request"),
        ({"scope": "s" * 2000}, "invalid_request"),
    ],
)
def test_what_cannot_be_served_is_said_and_nobody_is_sent_away(
    at: Desk, change: dict[str, Any], error: str
) -> None:
    seen = at.browser().get("/authorize", at.client().wish(**change))
    assert seen.status == 400
    # The person may go there: anybody can register an address, so nobody is taken there.
    assert not seen.header("location")
    assert f"error={error}" in seen.text
    assert "iss=https%3A%2F%2Fgw.example.com" in seen.text


def test_a_client_the_operator_knows_is_told_by_a_redirect() -> None:
    known = KnownClient(id="inhouse", name="In-house", redirect_uris=(WEB,))
    with desk(clients=(known,)) as at:
        app = at.client()
        app.id, app.redirect = "inhouse", WEB
        page = at.browser().get("/authorize", app.wish())
        assert "Registered by whoever runs this gateway" in page.text
        assert "not verified" not in page.text
        seen = at.browser().get("/authorize", app.wish(code_challenge=None))
        assert seen.status == 302
        assert seen.query["error"] == "invalid_request"
        assert seen.query["iss"] == GATEWAY


@pytest.mark.parametrize(
    "name", ["client_id", "redirect_uri", "state", "scope", "code_challenge", "resource"]
)
def test_a_parameter_that_stands_twice_is_refused(at: Desk, name: str) -> None:
    wish = at.client().wish()
    again = next(part for part in wish.split("&") if part.startswith(f"{name}="))
    assert at.browser().get("/authorize", f"{wish}&{again}").status == 400


@pytest.mark.parametrize("client", ["", "nobody", "lgc_", "lgc_AAAA", "x" * 5000])
def test_an_unknown_client_is_nobody_to_send_back_to(at: Desk, client: str) -> None:
    seen = at.browser().get("/authorize", at.client().wish(client_id=client))
    assert (seen.status, seen.code) == (400, "LG-475")
    assert REDIRECT not in seen.text


# The way back from the provider.


def under_way(at: Desk) -> tuple[Any, Any]:
    browser = at.browser()
    return browser, browser.allow(browser.get("/authorize", at.client().wish()))


@must("proxy-state-checked")
@pytest.mark.parametrize("state", [None, "", "A" * 43, "x"])
def test_a_return_with_another_state_is_refused(at: Desk, state: str | None) -> None:
    browser, going = under_way(at)
    seen = browser.log_in(going, state=state)
    assert (seen.status, seen.code) == (400, "LG-479")
    assert not any(url.endswith("/token") for url, _ in at.idp.asked)


@must("proxy-state-checked")
def test_a_return_in_another_browser_is_refused(at: Desk) -> None:
    browser, going = under_way(at)
    other, _ = under_way(at)
    query = browser.at_provider(going)
    assert other.get("/oauth/callback", query).code == "LG-479"
    assert at.browser().get("/oauth/callback", query).code == "LG-479"
    assert browser.get("/oauth/callback", query).status == 302


@must("proxy-state-single-use")
def test_a_return_is_good_once_even_with_its_cookie_kept(at: Desk) -> None:
    browser, going = under_way(at)
    kept = dict(browser.cookies)
    query = browser.at_provider(going)
    assert "code" in browser.get("/oauth/callback", query).query
    assert not [name for name in browser.cookies if "login" in name]
    browser.cookies = kept
    assert browser.get("/oauth/callback", query).code == "LG-479"


@must("proxy-state-single-use")
def test_a_return_that_takes_too_long_is_refused(at: Desk) -> None:
    browser, going = under_way(at)
    at.clock.advance(601)
    assert browser.log_in(going).code == "LG-479"


@must("proxy-iss-checked")
@pytest.mark.parametrize(
    "iss", [None, "https://evil.example", f"{IDP}/", "https://IDP.example.com"]
)
def test_an_answer_of_another_issuer_is_refused(at: Desk, iss: str | None) -> None:
    browser, going = under_way(at)
    seen = browser.log_in(going, iss=iss)
    assert seen.query["error"] == "access_denied"
    assert "code" not in seen.query
    assert not any(url.endswith("/token") for url, _ in at.idp.asked)


@must("proxy-iss-checked")
def test_a_provider_that_says_no_issuer_is_believed_only_if_it_never_does(at: Desk) -> None:
    del at.idp.metadata["authorization_response_iss_parameter_supported"]
    browser, going = under_way(at)
    assert "code" in browser.log_in(going, iss=None).query
    browser, going = under_way(at)
    assert browser.log_in(going, iss="https://evil.example").query["error"] == "access_denied"


def test_an_error_of_the_provider_reaches_the_client_in_our_words(at: Desk) -> None:
    browser, going = under_way(at)
    seen = browser.log_in(going, code=None, error="access_denied", error_description="<script>")
    assert seen.query["error"] == "access_denied"
    assert "%3C" not in seen.location


def test_a_provider_that_is_away_is_said_before_anybody_leaves(at: Desk) -> None:
    at.idp.down = True
    browser = at.browser()
    seen = browser.allow(browser.get("/authorize", at.client().wish()))
    assert (seen.status, seen.code) == (503, "LG-481")


# Consent that is remembered.


def remembered(at: Desk, **change: Any) -> tuple[Any, Any]:
    app, browser = at.client(), at.browser()
    app.redirect = WEB
    going = browser.allow(browser.get("/authorize", app.wish(**change)), remember="yes")
    assert "code" in browser.log_in(going).query
    return app, browser


def test_consent_is_remembered_for_that_client_in_that_browser(at: Desk) -> None:
    app, browser = remembered(at)
    seen = browser.get("/authorize", app.wish())
    assert seen.status == 302
    assert seen.location.startswith(IDP)
    assert "code" in browser.log_in(seen).query
    assert at.browser().get("/authorize", app.wish()).status == 200


@must("proxy-consent-per-client", "proxy-consent-before-provider")
def test_another_client_is_asked_about_although_the_provider_would_not_ask(at: Desk) -> None:
    _, browser = remembered(at)
    evil = at.client(client_name="Notebook", redirect_uris=["https://evil.example/cb"])
    evil.redirect = "https://evil.example/cb"
    seen = browser.get("/authorize", evil.wish())
    assert seen.status == 200
    assert "evil.example" in seen.text
    assert not seen.header("location")


@must("proxy-consent-per-client")
@pytest.mark.parametrize(
    "change",
    [{"scope": "read write"}, {"resource": OTHER}, {"redirect_uri": "https://app.example.com/2"}],
)
def test_asking_for_more_asks_again(at: Desk, change: dict[str, Any]) -> None:
    app, browser = at.client(redirect_uris=[WEB, "https://app.example.com/2"]), at.browser()
    app.redirect = WEB
    going = browser.allow(browser.get("/authorize", app.wish()), remember="yes")
    browser.log_in(going)
    assert browser.get("/authorize", app.wish()).status == 302
    assert browser.get("/authorize", app.wish(**change)).status == 200


def test_a_program_on_this_computer_is_asked_about_each_time(at: Desk) -> None:
    app, browser = at.client(), at.browser()
    page = browser.get("/authorize", app.wish())
    assert 'name="remember"' not in page.text
    browser.log_in(browser.allow(page, remember="yes"))
    assert browser.get("/authorize", app.wish()).status == 200


def test_a_consent_is_worth_nothing_for_somebody_else_in_the_same_browser(at: Desk) -> None:
    app, browser = remembered(at)
    seen = browser.log_in(browser.get("/authorize", app.wish()), login="mallory")
    assert seen.query["error"] == "access_denied"
    assert "code" not in seen.query


def test_a_consent_cookie_cannot_be_made_up_and_ends(at: Desk) -> None:
    app, browser = remembered(at)
    good = browser.cookies["__Host-lockgate-browser"]
    browser.cookies["__Host-lockgate-browser"] = good[:-2] + "AA"
    assert browser.get("/authorize", app.wish()).status == 200
    browser.cookies["__Host-lockgate-browser"] = good
    at.clock.advance(31 * 86400)
    assert browser.get("/authorize", app.wish()).status == 200


def test_a_consent_that_was_not_followed_by_a_login_is_not_remembered(at: Desk) -> None:
    app, browser = at.client(), at.browser()
    app.redirect = WEB
    browser.allow(browser.get("/authorize", app.wish()), remember="yes")
    assert "__Host-lockgate-browser" not in browser.cookies
    assert browser.get("/authorize", app.wish()).status == 200


def test_nothing_a_stranger_does_is_kept_in_the_store(at: Desk) -> None:
    browser = at.browser()
    browser.allow(browser.get("/authorize", at.client().wish()), remember="yes")
    assert at.store.size == 0  # pyright: ignore[reportAttributeAccessIssue]  # of the memory store
    assert MCP


def test_old_logins_under_way_do_not_fill_the_browser(at: Desk) -> None:
    browser, app = at.browser(), at.client()
    for _ in range(9):
        browser.allow(browser.get("/authorize", app.wish()))
    assert len([name for name in browser.cookies if "login" in name]) <= 6
