"""Tokens: for who was granted them, for one endpoint, each code and refresh token once."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from lockgate.core.store import StoreGone
from lockgate.identity.facade.issuer import own_issuer
from lockgate.identity.jose import read
from lockgate.identity.settings import EndpointSettings
from lockgate.identity.tokens import judged
from lockgate.identity.verdicts import Accepted, Refused
from lockgate.stores.memory import MemoryStore
from tests.identity.facade.desk import GATEWAY, MCP, OTHER, WEB, App, Desk, desk
from tests.security.musts import must
from tests.support.provider import dpop


@pytest.fixture
def at() -> Iterator[Desk]:
    with desk() as one:
        yield one


def claims_of(at: Desk, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(at.facade.jwks())  # pyright: ignore[reportArgumentType]  # plain JSON
    opened = jwt.decode(token, keys, algorithms=["ES256"])
    assert opened.header["typ"] == "at+jwt"
    return opened.claims


def verdict(at: Desk, token: str, resource: str = MCP) -> Accepted | Refused:
    """What an endpoint makes of a token."""
    issuer = own_issuer(at.settings, at.facade.jwks())
    signed = read(token)
    keys = issuer.keys.at_hand(signed.header["kid"], signed.algorithm)
    endpoint = EndpointSettings(resource=resource)
    return judged(signed, keys, issuer.settings, endpoint, at.clock.wall())


@must("as-audience-bound", "proxy-no-passthrough")
def test_an_access_token_is_ours_and_for_one_endpoint(at: Desk) -> None:
    tokens = at.client().tokens()
    claims = claims_of(at, tokens["access_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (GATEWAY, MCP, "alice")
    assert claims["groups"] == ["eng"]
    assert claims["scope"] == tokens["scope"] == "read"
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 600
    assert "upstream" not in json.dumps(tokens)
    assert "upstream" not in json.dumps(claims)
    accepted = verdict(at, tokens["access_token"])
    assert isinstance(accepted, Accepted)
    assert accepted.principal.id == f"{GATEWAY}#alice"
    assert isinstance(verdict(at, tokens["access_token"], OTHER), Refused)
    at.clock.advance(601)
    assert isinstance(verdict(at, tokens["access_token"]), Refused)


def test_tokens_for_another_endpoint_are_for_that_one(at: Desk) -> None:
    app = at.client()
    answer = app.redeem(app.code(resource="HTTPS://GW.example.com/other/mcp/"), resource=OTHER)
    assert claims_of(at, answer.json["access_token"])["aud"] == OTHER
    # A code for one is none for another.
    seen = app.redeem(app.code(), resource=OTHER)
    assert seen.json["error"] == "invalid_target"
    none = app.redeem(app.code(resource=None), resource=None)
    assert claims_of(at, none.json["access_token"])["aud"] == MCP


@must("as-pkce")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": WEB}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"code": 'quo"te'}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": None}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_request"),
    ],
)
def test_a_code_alone_is_worth_nothing(at: Desk, change: dict[str, Any], error: str) -> None:
    app = at.client()
    code = app.code()
    seen = app.redeem(code, **change)
    assert seen.json["error"] == error
    assert seen.status == (401 if error == "invalid_client" else 400)
    assert "access_token" not in seen.text
    if "code" not in change:
        # Who tried with it has not used it up for the client it is of.
        assert app.redeem(code).status == 200


@must("as-code-once")
def test_a_code_of_another_client_is_refused(at: Desk) -> None:
    app, thief = at.client(), at.client()
    thief.verifier = app.verifier
    code = app.code()
    assert thief.redeem(code).json["error"] == "invalid_grant"
    assert app.redeem(code).status == 200


@must("as-code-once")
def test_a_code_that_comes_twice_ends_what_it_led_to(at: Desk) -> None:
    app = at.client()
    code = app.code()
    tokens = app.redeem(code).json
    again = app.redeem(code)
    assert (again.json["error"], again.code) == ("invalid_grant", "LG-483")
    assert app.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


@must("as-code-once")
def test_a_code_is_good_for_a_minute(at: Desk) -> None:
    app = at.client()
    code = app.code()
    at.clock.advance(61)
    assert app.redeem(code).json["error"] == "invalid_grant"


@must("as-refresh-rotation")
def test_a_refresh_token_is_new_each_time_and_the_old_one_ends_the_login(at: Desk) -> None:
    app = at.client()
    first = app.tokens()
    second = app.refresh(first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    assert claims_of(at, second["access_token"])["sub"] == "alice"
    third = app.refresh(second["refresh_token"]).json
    stolen = app.refresh(first["refresh_token"])
    assert (stolen.json["error"], stolen.code) == ("invalid_grant", "LG-483")
    assert app.refresh(third["refresh_token"]).json["error"] == "invalid_grant"


def test_a_refresh_token_of_another_client_is_refused_and_not_used_up(at: Desk) -> None:
    app, thief = at.client(), at.client()
    token = app.tokens()["refresh_token"]
    assert thief.refresh(token).json["error"] == "invalid_grant"
    assert app.refresh(token).status == 200


def test_a_login_ends_however_often_it_is_refreshed(at: Desk) -> None:
    app = at.client()
    token = app.tokens()["refresh_token"]
    for _ in range(6):
        at.clock.advance(86400)
        token = app.refresh(token).json["refresh_token"]
    at.clock.advance(86401)
    assert app.refresh(token).json["error"] == "invalid_grant"


def test_scopes_can_be_narrowed_and_never_widened(at: Desk) -> None:
    app = at.client()
    tokens = app.tokens(scope="read write")
    narrowed = app.refresh(tokens["refresh_token"], scope="read").json
    assert narrowed["scope"] == "read"
    assert app.refresh(narrowed["refresh_token"]).json["scope"] == "read write"
    tokens = app.tokens(scope="read")
    assert app.refresh(tokens["refresh_token"], scope="read write").json["error"] == "invalid_scope"


def test_who_asks_for_no_scope_that_is_known_gets_the_usual_ones(at: Desk) -> None:
    assert at.client().tokens(scope=None)["scope"] == "read"
    assert at.client().tokens(scope="openid offline_access")["scope"] == "read"


def test_scopes_of_a_group_are_granted_by_its_members_alone(at: Desk) -> None:
    app, browser = at.client(), at.browser()
    assert app.tokens(scope="read admin")["scope"] == "read"
    going = browser.allow(browser.get("/authorize", app.wish(scope="read admin")))
    code = browser.log_in(going, login="root").query["code"]
    assert app.redeem(code).json["scope"] == "read admin"


def test_a_client_that_registers_no_refreshing_gets_none(at: Desk) -> None:
    app = at.client(grant_types=["authorization_code"])
    assert "refresh_token" not in app.tokens()


# Clients with a secret.


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_a_client_with_a_secret_proves_it(at: Desk, method: str) -> None:
    app = at.client(token_endpoint_auth_method=method)
    assert app.secret
    code = app.code()
    assert app.redeem(code, client_secret=None).status == 401
    wrong = app.redeem(code, client_secret="wrong")
    assert (wrong.status, wrong.json["error"]) == (401, "invalid_client")
    assert wrong.header("www-authenticate").startswith("Basic")
    assert app.redeem(code).status == 200


def basic(app: App, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{app.id}:{secret}".encode()).decode()


def test_a_client_authenticates_in_one_way(at: Desk) -> None:
    app = at.client(token_endpoint_auth_method="client_secret_basic")
    form = {
        "grant_type": "authorization_code",
        "code": app.code(),
        "redirect_uri": app.redirect,
        "code_verifier": app.verifier,
    }
    assert app.secret
    both = at.post("/token", {**form, "client_secret": "x"}, authorization=basic(app, app.secret))
    assert both.json["error"] == "invalid_request"
    other = at.post("/token", {**form, "client_id": "x"}, authorization=basic(app, app.secret))
    assert other.json["error"] == "invalid_client"
    for garbage in ("Basic", "Basic ///", "Basic /w==", "Bearer x", "Basic " + "A" * 9000):
        assert at.post("/token", form, authorization=garbage).json["error"] == "invalid_client"
    assert at.post("/token", form, authorization=basic(app, "wrong")).status == 401
    assert at.post("/token", form, authorization=basic(app, app.secret)).status == 200


def test_forms_that_are_none_are_refused(at: Desk) -> None:
    app = at.client()
    code = app.code()
    form = [("grant_type", "authorization_code"), ("code", code), ("code", code)]
    assert at.post("/token", form).json["error"] == "invalid_request"
    assert at.post("/token", {"a": "b"}, **{"content-type": "application/json"}).status == 400
    assert at.post("/token", [(f"n{n}", "v") for n in range(100)]).status == 400
    assert at.post("/token", {"a": "b" * 40_000}).status == 400


# Ending, keys, the store.


def test_a_client_that_is_done_ends_its_login(at: Desk) -> None:
    app, thief = at.client(), at.client()
    tokens = app.tokens()
    token = tokens["refresh_token"]
    assert at.post("/revoke", {"client_id": thief.id, "token": token}).status == 200
    token = app.refresh(token).json["refresh_token"]
    said = at.post("/revoke", {"client_id": app.id, "token": tokens["access_token"]})
    assert said.json["error"] == "unsupported_token_type"
    assert at.post("/revoke", {"client_id": app.id, "token": token}).status == 200
    assert app.refresh(token).json["error"] == "invalid_grant"
    assert at.post("/revoke", {"client_id": "nobody", "token": token}).status == 401


def test_keys_rotate_without_ending_anything(at: Desk) -> None:
    app = at.client()
    tokens = app.tokens()
    at.again(keys=(b"n" * 32, *at.settings.keys))
    assert isinstance(verdict(at, tokens["access_token"]), Accepted)
    renewed = app.refresh(tokens["refresh_token"]).json
    assert isinstance(verdict(at, renewed["access_token"]), Accepted)
    old = read(tokens["access_token"]).header["kid"]
    assert read(renewed["access_token"]).header["kid"] != old
    at.again(keys=(b"n" * 32,))
    assert app.refresh(renewed["refresh_token"]).json["error"] == "invalid_client"
    assert old not in [key["kid"] for key in at.facade.jwks()["keys"]]


@must("as-secure-storage")
def test_the_store_holds_nothing_that_can_be_used(at: Desk) -> None:
    app = at.client()
    at.idp.refresh = "upstream-refresh"
    tokens = app.tokens()
    assert isinstance(at.store, MemoryStore)
    kept = {key: entry.value for key, entry in at.store._blobs.items()}
    assert kept
    everything = repr(kept)
    for secret in (tokens["refresh_token"], "upstream-refresh", "alice", app.id):
        assert secret not in everything


class Away(MemoryStore):
    """A store that can go away."""

    away = False

    async def get(self, key: str, /) -> bytes | None:
        self._here()
        return await super().get(key)

    async def take(self, demands: Any, /) -> Any:
        self._here()
        return await super().take(demands)

    async def put(self, key: str, value: bytes, ttl: float, groups: Any = (), /) -> None:
        self._here()
        await super().put(key, value, ttl, groups)

    def _here(self) -> None:
        if self.away:
            raise StoreGone("gone")


def test_without_its_store_nothing_is_granted() -> None:
    store = Away()
    with desk(store=store) as at:
        app = at.client()
        code = app.code()
        store.away = True
        for seen in (
            app.redeem(code),
            app.refresh("x" * 43),
            at.register(),
            at.browser().get("/authorize", app.wish()),
        ):
            assert (seen.status, seen.code) == (503, "LG-486")
        store.away = False


def test_two_replicas_with_the_same_keys_and_store_are_one(at: Desk) -> None:
    app = at.client()
    code = app.code()
    at.again()
    tokens = app.redeem(code).json
    at.again()
    assert app.refresh(tokens["refresh_token"]).status == 200
    assert app.redeem(code).code == "LG-483"


# Tokens bound to a key.


def proof(at: Desk, key: Any, url: str = f"{GATEWAY}/token", **change: Any) -> str:
    claims = {"jti": secrets.token_urlsafe(8), "htm": "POST", "htu": url, "iat": at.clock.wall()}
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, {**claims, **change}, key)


def redeem(at: Desk, app: App, form: dict[str, str], shown: str = "") -> Any:
    told = {"client_id": app.id, "redirect_uri": app.redirect, "code_verifier": app.verifier}
    return at.post("/token", {**told, **form}, **({"dpop": shown} if shown else {}))


def test_tokens_are_bound_to_the_key_a_client_proves_to_have(at: Desk) -> None:
    app, key, other = at.client(), dpop.new_key(), dpop.new_key()
    form = {"grant_type": "authorization_code", "code": app.code()}
    for bad in (
        "garbage",
        proof(at, key, f"{GATEWAY}/mcp"),
        proof(at, key, htm="GET"),
        proof(at, key, iat=at.clock.wall() - 300),
        proof(at, key)[:-4] + "AAAA",
    ):
        assert redeem(at, app, form, bad).json["error"] == "invalid_dpop_proof"
    good = proof(at, key)
    tokens = redeem(at, app, form, good).json
    assert tokens["token_type"] == "DPoP"
    assert claims_of(at, tokens["access_token"])["cnf"] == {"jkt": dpop.thumbprint(key)}
    accepted = verdict(at, tokens["access_token"])
    assert isinstance(accepted, Accepted)
    assert accepted.bound is not None
    assert accepted.bound.key == dpop.thumbprint(key)
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for bad in ("", good, proof(at, other)):
        assert redeem(at, app, again, bad).json["error"] == "invalid_dpop_proof"
    assert redeem(at, app, again, proof(at, key)).json["token_type"] == "DPoP"


# The provider is asked whether the person may still come in.


def test_a_person_the_provider_lets_in_no_more_is_out_at_the_next_refresh(at: Desk) -> None:
    at.idp.refresh = "upstream-refresh"
    app = at.client()
    token = app.tokens()["refresh_token"]
    token = app.refresh(token).json["refresh_token"]
    at.idp.gone = True
    assert app.refresh(token).json["error"] == "invalid_grant"
    at.idp.gone = False
    assert app.refresh(token).json["error"] == "invalid_grant"


def test_while_the_provider_is_away_a_refresh_can_be_tried_again(at: Desk) -> None:
    at.idp.refresh = "upstream-refresh"
    app = at.client()
    token = app.tokens()["refresh_token"]
    at.idp.status = 503
    for _ in range(3):
        assert (app.refresh(token).status, app.refresh(token).code) == (503, "LG-481")
    at.idp.status = 200
    assert app.refresh(token).status == 200
    assert app.refresh(token).code == "LG-483"


def test_a_provider_that_now_says_it_is_somebody_else_ends_the_login(at: Desk) -> None:
    at.idp.refresh = "upstream-refresh"
    app = at.client()
    token = app.tokens()["refresh_token"]
    at.idp.claims = {"sub": "mallory"}
    assert app.refresh(token).json["error"] == "invalid_grant"


def test_one_address_asks_only_so_often(at: Desk) -> None:
    app = at.client()
    seen = [app.refresh("x" * 43) for _ in range(241)]
    assert [one.status for one in seen[:240]] == [400] * 240
    assert (seen[-1].status, seen[-1].code) == (429, "LG-487")
    assert seen[-1].header("retry-after")
