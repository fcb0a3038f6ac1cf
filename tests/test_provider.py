"""The OpenID provider the tests of identity rely on gives what they ask it for."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.provider import APP, REDIRECT, SERVICE, Provider, Refused, dpop, provider

MCP = "https://mcp.example.com/mcp"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    resources = {MCP: {"ttl": 60}, "https://opaque.example.com": {"format": "opaque"}}
    with provider(
        resources=resources,
        scopes=["tools:read"],
        accounts={"alice": {"groups": ["eng"]}},
        registration=True,
    ) as one:
        yield one


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    opened = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims))
    return next(opened), next(opened)


def test_a_client_gets_a_jwt_for_the_resource(running: Provider) -> None:
    answer = running.client_credentials(MCP, "tools:read")
    header, claims = parts(answer["access_token"])
    assert header["typ"] == "at+jwt"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (running.issuer, MCP, "service")
    assert claims["scope"] == "tools:read"
    assert answer["expires_in"] == 60


def test_a_person_logs_in_and_their_tokens_are_refreshed(running: Provider) -> None:
    answer = running.log_in(resource=MCP, scope="openid offline_access tools:read groups")
    assert parts(answer["access_token"])[1]["groups"] == ["eng"]
    assert parts(answer["id_token"])[1]["aud"] == "app"
    again = running.refresh(answer["refresh_token"])
    assert parts(again["access_token"])[1]["sub"] == "alice"
    assert again["refresh_token"] != answer["refresh_token"]


def test_opaque_tokens_are_told_about_by_introspection(running: Provider) -> None:
    answer = running.client_credentials("https://opaque.example.com")
    assert "." not in answer["access_token"]
    basic = f"{SERVICE['client_id']}:{SERVICE['client_secret']}".encode()
    request = urllib.request.Request(  # noqa: S310  # loopback only
        f"{running.issuer}/token/introspection",
        f"token={answer['access_token']}".encode(),
        {"Authorization": "Basic " + base64.b64encode(basic).decode()},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310  # loopback only
        said = json.load(reply)
    assert said["active"]
    assert said["aud"] == "https://opaque.example.com"


def test_tokens_are_bound_to_a_dpop_key(running: Provider) -> None:
    key = dpop.new_key()
    headers = {"DPoP": dpop.proof(key, "POST", f"{running.issuer}/token")}
    answer = running.log_in(resource=MCP, headers=headers)
    assert answer["token_type"] == "DPoP"
    assert parts(answer["access_token"])[1]["cnf"]["jkt"] == dpop.thumbprint(key)


def test_tokens_are_exchanged_for_another_audience(running: Provider) -> None:
    asked = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": running.log_in(resource=MCP)["access_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "resource": "https://opaque.example.com",
    }
    client = (SERVICE["client_id"], SERVICE["client_secret"])
    assert running.token(asked, client=client)["access_token"]
    with pytest.raises(Refused):
        running.token({**asked, "subject_token": "made-up"}, client=client)


def test_clients_register(running: Provider) -> None:
    body = json.dumps({**APP, "client_id": None, "redirect_uris": [REDIRECT]}).encode()
    request = urllib.request.Request(  # noqa: S310  # loopback only
        f"{running.issuer}/reg", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310  # loopback only
        registered = json.load(reply)["client_id"]
    assert running.log_in(client=(registered, None))["access_token"]


def test_keys_rotate_and_what_it_was_asked_is_counted() -> None:
    with provider() as one:
        before = parts(one.sign({}))[0]["kid"]
        assert one.rotate() == parts(one.sign({}))[0]["kid"] != before
        with urllib.request.urlopen(f"{one.issuer}/jwks", timeout=10) as reply:  # noqa: S310  # loopback only
            assert before in [key["kid"] for key in json.load(reply)["keys"]]
        one.fail("/jwks", 503, times=1)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{one.issuer}/jwks", timeout=10)  # noqa: S310  # loopback only
        assert one.seen("/jwks") == ["GET /jwks"] * 2
