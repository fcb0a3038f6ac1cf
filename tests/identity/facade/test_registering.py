"""Who is a client: registrations, documents that describe one, and the redirect URIs they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity.facade import redirects
from lockgate.identity.facade.clients import shown_name
from lockgate.identity.facade.described import freshness
from lockgate.identity.fetch import Fetched, FetchFailed
from tests.identity.facade.desk import WEB, App, Desk, desk, said
from tests.security.musts import must

CLIENT = "https://app.example.com/client.json"


@pytest.fixture
def at() -> Iterator[Desk]:
    with desk() as one:
        yield one


# Metadata of the server.


@must("as-metadata-found", "as-iss-advertised", "as-pkce")
def test_the_server_says_what_it_is(at: Desk) -> None:
    path = "/.well-known/oauth-authorization-server"
    answer = at.facade.paths()[path]
    seen = at.browser().get(path)
    assert answer
    told = seen.json
    assert told["issuer"] == "https://gw.example.com"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["client_id_metadata_document_supported"] is True
    assert told["registration_endpoint"] == "https://gw.example.com/register"
    assert told["token_endpoint_auth_methods_supported"][0] == "none"
    assert at.browser().get(urlsplit(told["jwks_uri"]).path).json["keys"][0]["kty"] == "EC"


def test_an_issuer_with_a_path_is_found_with_it_and_without() -> None:
    with desk(issuer="https://gw.example.com/tools") as at:
        known = "/.well-known/oauth-authorization-server"
        for path in (known, f"{known}/tools"):
            told = at.browser().get(path).json
            assert told["issuer"] == "https://gw.example.com/tools"
            assert told["token_endpoint"] == "https://gw.example.com/tools/token"


def test_what_is_switched_off_is_neither_served_nor_told() -> None:
    with desk(registration=False, documents=False) as at:
        assert "/register" not in at.facade.paths()
        told = at.browser().get("/.well-known/oauth-authorization-server").json
        assert "registration_endpoint" not in told
        assert told["client_id_metadata_document_supported"] is False
        at.idp.documents[CLIENT] = said(document())
        app = App(at, CLIENT, redirect=WEB)
        assert at.browser().get("/authorize", app.wish()).code == "LG-475"


# Registration.


def test_a_registration_needs_no_table(at: Desk) -> None:
    answers = [at.register().json for _ in range(3)]
    assert len({one["client_id"] for one in answers}) == 3
    assert at.store.size == 0  # pyright: ignore[reportAttributeAccessIssue]  # of the memory store
    at.again()
    assert App(at, answers[0]["client_id"]).tokens()


def test_a_registration_ends(at: Desk) -> None:
    app = at.client()
    at.clock.advance(366 * 86400)
    assert at.browser().get("/authorize", app.wish()).code == "LG-475"


def test_a_secret_is_given_once_and_kept_nowhere(at: Desk) -> None:
    answer = at.register(token_endpoint_auth_method="client_secret_post").json
    assert len(answer["client_secret"]) >= 32
    assert answer["client_secret_expires_at"] > 0
    assert answer["client_secret"] not in answer["client_id"]


@must("as-redirect-safe")
@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.com/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "https://user:password@app.example.com/cb",
        "https://app.example.com/cb#fragment",
        "https://app.example.com/cb#",
        "javascript:alert(1)",
        "data:text/html,x",
        "cursor://callback",
        "https://",
        "https:///cb",
        "//app.example.com/cb",
        "/cb",
        "https://app.example.com/c b",
        "https://app.example.com/\ncb",
        "https://app.example.com\\@evil.example/cb",
        "https://app.example.com:99999999/cb",
        "https://äpp.example.com/cb",
        'https://app.example.com/"onload=',
        "https://app.example.com/" + "x" * 600,
        "",
        7,
        None,
    ],
)
def test_redirect_uris_lead_by_https_or_to_this_machine(at: Desk, uri: Any) -> None:
    seen = at.register(redirect_uris=[WEB, uri])
    assert (seen.status, seen.json["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"redirect_uris":["https://a.example/cb"],"x":"' + b"x" * 20_000 + b'"}',
        {},
        {"redirect_uris": []},
        {"redirect_uris": "https://a.example/cb"},
        {"redirect_uris": [WEB] * 17},
        {"redirect_uris": [WEB], "grant_types": "authorization_code"},
        {"redirect_uris": [WEB], "grant_types": ["client_credentials"]},
        {"redirect_uris": [WEB], "grant_types": [1]},
        {"redirect_uris": [WEB], "response_types": ["token"]},
        {"redirect_uris": [WEB], "token_endpoint_auth_method": "private_key_jwt"},
        {"redirect_uris": [WEB], "token_endpoint_auth_method": ["none"]},
        {"redirect_uris": [WEB], "client_uri": "not a url"},
        {"redirect_uris": [WEB], "logo_uri": 7},
        {"redirect_uris": [WEB], "contacts": "me"},
        {"redirect_uris": [WEB], "jwks": {"keys": "x"}},
        {"redirect_uris": [f"https://a.example/{n}/" + "x" * 400 for n in range(16)]},
    ],
)
def test_metadata_that_does_not_hold_is_refused(at: Desk, content: Any) -> None:
    seen = at.register(content)
    assert seen.status == 400
    assert seen.json["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}
    assert seen.code in {"LG-476", "LG-484"}


def test_schemes_of_apps_are_taken_when_the_operator_names_them() -> None:
    with desk(schemes=frozenset({"cursor"})) as at:
        uri = "cursor://callback"
        assert at.register(redirect_uris=[uri]).status == 201
        app = at.client(redirect_uris=[uri])
        app.redirect = uri
        page = at.browser().get("/authorize", app.wish())
        assert '<span class="host">cursor:</span>' in page.text
        assert at.browser().get("/authorize", app.wish(redirect_uri="cursor://x")).code == "LG-476"


def test_one_address_registers_only_so_often(at: Desk) -> None:
    seen = [at.register().status for _ in range(31)]
    assert seen == [201] * 30 + [429]
    assert at.register(peer="192.0.2.77").status == 201


# Documents.


def document(**change: Any) -> dict[str, Any]:
    told = {
        "client_id": CLIENT,
        "client_name": "Described",
        "redirect_uris": [WEB],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        **change,
    }
    return {name: value for name, value in told.items() if value is not None}


@must("as-cimd-redirects")
def test_a_client_is_known_by_the_document_at_its_identifier(at: Desk) -> None:
    at.idp.documents[CLIENT] = said(document())
    app = App(at, CLIENT, redirect=WEB)
    page = at.browser().get("/authorize", app.wish())
    assert "Described at <strong>app.example.com</strong>" in page.text
    assert "not verified" not in page.text
    assert app.tokens()["refresh_token"]
    assert at.browser().get("/authorize", app.wish(redirect_uri=f"{WEB}/2")).code == "LG-476"


def test_a_person_is_told_of_another_host_and_of_their_own_machine(at: Desk) -> None:
    other = "https://elsewhere.example/cb"
    at.idp.documents[CLIENT] = said(document(redirect_uris=[other, "http://localhost/cb"]))
    page = at.browser().get("/authorize", App(at, CLIENT, redirect=other).wish())
    assert "another host than the one that describes it" in page.text
    page = at.browser().get(
        "/authorize", App(at, CLIENT, redirect="http://localhost:4321/cb").wish()
    )
    assert "a program on this computer" in page.text


@must("as-cimd-id", "as-cimd-structure")
@pytest.mark.parametrize(
    "content",
    [
        document(client_id=f"{CLIENT}?"),
        document(client_id=CLIENT.upper()),
        document(client_id=None),
        document(client_name=None),
        document(client_name="  "),
        document(redirect_uris=None),
        document(redirect_uris=[]),
        document(redirect_uris=["http://elsewhere.example"]),
        document(client_secret="x"),
        document(client_secret_expires_at=0),
        document(token_endpoint_auth_method="client_secret_basic"),
        document(token_endpoint_auth_method="private_key_jwt"),
        document(grant_types=7),
        [],
        "text",
    ],
)
def test_a_document_that_does_not_hold_describes_nobody(at: Desk, content: Any) -> None:
    at.idp.documents[CLIENT] = said(content)
    seen = at.browser().get("/authorize", App(at, CLIENT, redirect=WEB).wish())
    assert (seen.status, seen.code) == (400, "LG-485")


@must("as-cimd-structure")
@pytest.mark.parametrize(
    "answer",
    [
        Fetched(404, {"content-type": "application/json"}, json.dumps(document()).encode()),
        Fetched(302, {"location": "http://169.254.169.254/"}, b""),
        Fetched(200, {"content-type": "text/html"}, json.dumps(document()).encode()),
        Fetched(200, {}, json.dumps(document()).encode()),
        Fetched(200, {"content-type": "application/json"}, b"\xff{"),
        FetchFailed("app.example.com has no address that may be reached", "forbidden"),
        FetchFailed("more than 5120 bytes", "too-large"),
    ],
)
def test_what_is_no_document_describes_nobody(at: Desk, answer: Any) -> None:
    at.idp.documents[CLIENT] = answer
    seen = at.browser().get("/authorize", App(at, CLIENT, redirect=WEB).wish())
    assert (seen.status, seen.code) == (400, "LG-485")
    # Nothing that failed is remembered.
    at.idp.documents[CLIENT] = said(document())
    assert at.browser().get("/authorize", App(at, CLIENT, redirect=WEB).wish()).status == 200


@must("as-cimd-ssrf")
@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/a/../client.json",
        "https://app.example.com/%2e%2e/client.json",
        "https://app.example.com/client.json#x",
        "https://user@app.example.com/client.json",
        "https://APP.example.com/client.json",
        "https://app.example.com:bad/client.json",
        "https:///client.json",
        "https://app.example.com/cl ient.json",
        "https://app.example.com/" + "x" * 600,
    ],
)
def test_nothing_is_fetched_from_what_is_no_place_of_a_document(at: Desk, url: str) -> None:
    seen = at.browser().get("/authorize", App(at, url, redirect=WEB).wish())
    assert seen.code in {"LG-475", "LG-485"}
    assert not at.idp.asked


def test_documents_are_asked_for_again_as_they_say(at: Desk) -> None:
    at.idp.documents[CLIENT] = said(document(), cache_control="max-age=60")
    app = App(at, CLIENT, redirect=WEB)
    for _ in range(3):
        at.browser().get("/authorize", app.wish())
    assert len(at.idp.asked) == 1
    at.clock.advance(61)
    at.idp.documents[CLIENT] = said(document(redirect_uris=["https://app.example.com/new"]))
    assert at.browser().get("/authorize", app.wish()).code == "LG-476"


def test_one_address_has_only_so_many_documents_fetched(at: Desk) -> None:
    urls = [f"https://app.example.com/{n}.json" for n in range(40)]
    for url in urls:
        at.browser().get("/authorize", App(at, url, redirect=WEB).wish())
    assert len(at.idp.asked) == 30


def test_hosts_can_be_held_to_a_list() -> None:
    with desk(hosts=frozenset({"good.example"})) as at:
        seen = at.browser().get("/authorize", App(at, CLIENT, redirect=WEB).wish())
        assert seen.code == "LG-485"
        assert not at.idp.asked


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "public, max-age=100", "age": "40"}, 60),
        ({"cache-control": "max-age=0"}, 5),
        ({"cache-control": "no-store"}, 5),
        ({"cache-control": "max-age=999999999"}, 86400),
        ({"cache-control": "max-age=60", "age": "x"}, 60),
    ],
)
def test_freshness_is_what_is_told_within_bounds(headers: dict[str, str], seconds: float) -> None:
    assert freshness(headers) == seconds


# Redirect URIs, whatever they are.


@given(st.text(max_size=60), st.sampled_from(["https://", "http://127.0.0.1", "http://localhost"]))
def test_what_may_be_registered_leads_where_it_seems_to(rest: str, start: str) -> None:
    uri = start + rest
    if redirects.unfit(uri, ()) is None:
        parts = urlsplit(uri)
        assert uri.isascii()
        assert not parts.fragment
        assert parts.username is None
        assert parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")
        assert parts.netloc == uri.split("/")[2].split("?")[0]


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_that_differ_are_the_same_only_by_a_loopback_port(one: str, other: str) -> None:
    a, b = f"http://127.0.0.1{one}", f"http://127.0.0.1{other}"
    if redirects.registered(a, [b]) and a != b:
        assert urlsplit(a)._replace(netloc="") == urlsplit(b)._replace(netloc="")
        assert urlsplit(a).hostname == urlsplit(b).hostname == "127.0.0.1"


@given(st.text(max_size=400))
def test_a_name_on_a_page_is_one_short_line(name: str) -> None:
    shown = shown_name(name, "nobody")
    assert 0 < len(shown) <= 80
    assert shown.isprintable() or shown == "nobody"
    assert "\n" not in shown
