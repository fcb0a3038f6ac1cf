"""Who the identity provider says it is, is believed only when every part of its answer holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from tests.identity.facade.desk import _OTHER, IDP, Desk, desk


@pytest.fixture
def at() -> Iterator[Desk]:
    with desk() as one:
        yield one


def log_in(at: Desk) -> dict[str, str]:
    browser = at.browser()
    going = browser.allow(browser.get("/authorize", at.client().wish()))
    return browser.log_in(going).query


def claim(**change: Any) -> Callable[[Desk], None]:
    return lambda at: at.idp.claims.update(change)


def key(made: Any, **header: Any) -> Callable[[Desk], None]:
    def change(at: Desk) -> None:
        at.idp.key = made
        at.idp.header = header

    return change


def answer(change: Callable[[dict[str, Any]], Any]) -> Callable[[Desk], None]:
    def changed(at: Desk) -> None:
        at.idp.token = change

    return changed


def no_token(at: Desk) -> None:
    at.idp.key = None


PUBLIC = OctKey.import_key(b"a secret that everybody knows, for it is public")


@pytest.mark.parametrize(
    "change",
    [
        claim(iss="https://evil.example"),
        claim(iss=None),
        claim(aud="another"),
        claim(aud=["gateway", "another"]),
        claim(aud=None),
        claim(azp="another"),
        claim(nonce="another"),
        claim(nonce=None),
        claim(exp=1),
        claim(exp=None),
        claim(iat=2**40),
        claim(sub=None),
        claim(sub=""),
        claim(sub=7.5),
        claim(sub="#service"),
        claim(sub="x" * 300),
        claim(sub="a\nb"),
        key(PUBLIC, alg="HS256"),
        key(RSAKey.generate_key(2048)),
        key(_OTHER, alg="ES256"),
        no_token,
        answer(lambda said: {**said, "id_token": "e30.e30."}),
        answer(lambda said: {**said, "id_token": said["id_token"][:-6] + "AAAAAA"}),
        answer(lambda said: {**said, "id_token": 7}),
        answer(lambda _: []),
    ],
)
def test_an_answer_that_does_not_hold_lets_nobody_in(
    at: Desk, change: Callable[[Desk], None]
) -> None:
    change(at)
    back = log_in(at)
    assert back["error"] == "access_denied"
    assert "code" not in back


@pytest.mark.parametrize(
    "change",
    [
        {"authorization_endpoint": "https://idp.example.com/a\r\nSet-Cookie: x=1"},
        {"authorization_endpoint": "https://idp.example.com/ä"},
        {"authorization_endpoint": "http://idp.example.com/a"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"token_endpoint": "http://idp.example.com/token"},
        {"jwks_uri": 7},
        {"issuer": "https://evil.example"},
    ],
)
def test_metadata_that_does_not_hold_leads_nowhere(at: Desk, change: dict[str, Any]) -> None:
    at.idp.metadata.update(change)
    browser = at.browser()
    seen = browser.allow(browser.get("/authorize", at.client().wish()))
    assert (seen.status, seen.code) == (503, "LG-481")
    assert not [name for name in browser.cookies if "login" in name]


def test_two_audiences_are_taken_when_we_are_the_authorized_party(at: Desk) -> None:
    at.idp.claims = {"aud": ["gateway", "another"], "azp": "gateway"}
    assert "code" in log_in(at)


@pytest.mark.parametrize(
    ("status", "error"), [(400, "access_denied"), (500, "temporarily_unavailable")]
)
def test_a_refusal_is_told_apart_from_trouble(at: Desk, status: int, error: str) -> None:
    at.idp.status = status
    assert log_in(at)["error"] == error


def test_the_secret_goes_where_it_belongs_and_in_one_way(at: Desk) -> None:
    log_in(at)
    to_token = [told for url, told in at.idp.asked if url == f"{IDP}/token"]
    assert to_token[0]["authorization"].startswith("Basic ")
    assert "client_secret" not in to_token[0]
    with desk(provider={"method": "post"}) as other:
        log_in(other)
        to_token = [told for url, told in other.idp.asked if url == f"{IDP}/token"]
        assert to_token[0]["client_secret"] == "s:cret"
        assert "authorization" not in to_token[0]


def test_a_provider_of_oauth_alone_is_asked_who_it_is() -> None:
    with desk(
        provider={
            "userinfo": True,
            "subject": "id",
            "scopes": ("read:user",),
            "authorization_endpoint": f"{IDP}/authorize",
            "token_endpoint": f"{IDP}/token",
            "userinfo_endpoint": f"{IDP}/me",
        }
    ) as at:
        app, browser = at.client(), at.browser()
        going = browser.allow(browser.get("/authorize", app.wish()))
        assert "nonce" not in going.query
        assert going.query["scope"] == "read:user"
        code = browser.log_in(going, iss=None).query["code"]
        assert app.redeem(code).status == 200
        assert [url for url, _ in at.idp.asked] == [f"{IDP}/token", f"{IDP}/me"]


def test_only_claims_that_are_named_and_small_are_carried(at: Desk) -> None:
    at.idp.claims = {
        "email": "a@example.com",
        "secret": "x",
        "name": "n" * 9000,
        "groups": ["a", 1],
    }
    app = at.client()
    tokens = app.tokens()
    import base64
    import json

    claims = json.loads(base64.urlsafe_b64decode(tokens["access_token"].split(".")[1] + "=="))
    assert claims["email"] == "a@example.com"
    assert not {"secret", "name", "groups"} & claims.keys()
