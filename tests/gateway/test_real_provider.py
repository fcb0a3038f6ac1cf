"""The gateway as a client of a real OpenID provider, toward a real server that the provider guards.

Nothing here is ours but the gateway: the provider is npm's certified `oidc-provider`, the server is
one of the official SDK, and it takes no token that is not meant for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.gateway.test_logins import Keyed, said
from tests.security.musts import must
from tests.support import running
from tests.support.agent import Agent, Page
from tests.support.provider import APP, SERVICE, Provider, provider
from tests.support.speaking import HANDSHAKE, MODERN, Plain, RefusedError

SECRET = "a-client-secret-of-more-than-32-characters"
SCOPE = "tools:use"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider(registration=True, scopes=[SCOPE, "more"], clients=[SERVICE, APP]) as one:
        yield one


@pytest.fixture(scope="module")
def server(issuer: Provider) -> Iterator[str]:
    with running.protected_server(issuer.issuer, SCOPE) as url:
        yield url


@contextmanager
def gateway(
    server: str,
    folder: Path,
    auth: dict[str, Any],
    port: int | None = None,
    callers: dict[str, Any] | None = None,
) -> Iterator[str]:
    """A gateway in front of the server; gives the URL of its endpoint."""
    told: dict[str, Any] = {"logins": {"store": f"sqlite:{folder / 'logins.db'}"}}
    told |= {"auth": callers} if callers else {}
    config = running.config_of({"guarded": {"url": server, "auth": auth}}, folder, **told)
    with running.gateway(config, port=port, log=folder / "log") as url:
        yield url


def who(client: Plain) -> list[Any]:
    """Subject, client, audience, scopes and the end of the token the server was shown."""
    return list(json.loads(said(client.call("tools/call", {"name": "who", "arguments": {}}))))


def to_provider(agent: Agent, link: str) -> Page:
    """Where somebody is sent who goes on from the login page."""
    return agent.submit(agent.get(link))


def logging_in(issuer: Provider, url: str, login: str, asked: list[dict[str, str]]) -> Any:
    """Answers the question to log in; what the provider was asked for is kept."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        assert method == "elicitation/create"
        agent = Agent()
        going = to_provider(agent, params["url"])
        asked.append(dict(parse_qsl(urlsplit(going.location).query)))
        back = f"{url.removesuffix('/mcp')}/login/callback"
        done = agent.get(issuer.answer_pages(agent, going, back, login=login).url)
        assert (done.status, "Logged in to guarded" in done.text) == (200, True), done.text
        return {"action": "accept"}

    return answer


@must("resource-parameter", "pkce", "offline-access")
@pytest.mark.parametrize("revision", [MODERN, HANDSHAKE])
def test_a_person_logs_in_once_and_stays_logged_in(
    issuer: Provider, server: str, revision: str, tmp_path: Path
) -> None:
    with gateway(server, tmp_path, {"type": "oauth"}) as url:
        client, asked = Plain(url, revision), list[dict[str, str]]()
        client.answer = logging_in(issuer, url, "alice", asked)
        client.open()
        subject, itself, audience, scopes, first = who(client)

        assert (subject, audience) == ("alice", server)
        assert SCOPE in scopes
        assert [one["name"] for one in client.tools()] == ["who"]
        (sent,) = asked
        assert sent["resource"] == server
        assert sent["code_challenge_method"] == "S256"
        assert len(sent["code_challenge"]) == 43
        assert sent["client_id"] == itself
        assert SCOPE in sent["scope"].split()
        assert "offline_access" in sent["scope"].split()

        # Tokens signed with keys that are gone are refused, and so one is got anew.
        refreshed = len(issuer.seen("/token"))
        issuer.rotate(keep=False)
        again = who(client)
        assert again[:3] == ["alice", itself, server]
        assert again[4] != first
        assert len(issuer.seen("/token")) == refreshed + 1
        assert len(asked) == 1


@must("iss-compared", "iss-recorded")
def test_an_answer_has_to_say_that_it_is_the_providers(
    issuer: Provider, server: str, tmp_path: Path
) -> None:
    with gateway(server, tmp_path, {"type": "oauth"}) as url:
        client = Plain(url, capabilities={})
        client.open()
        back = f"{url.removesuffix('/mcp')}/login/callback"
        for change in ("", "&iss=https%3A%2F%2Fattacker.example.com"):
            with pytest.raises(RefusedError) as refused:
                who(client)
            agent = Agent()
            going = to_provider(agent, refused.value.error["data"]["url"])
            answer = issuer.answer_pages(agent, going, back).url
            parts = answer.split("&")
            parts = [one for one in parts if not one.startswith("iss=")]
            page = agent.get("&".join(parts) + change)
            assert (page.status, "LG-464" in page.text) == (400, True), page.text
            # It was an answer all the same, and there is only one.
            assert "LG-462" in agent.get(answer).text


@must("refresh-rotation")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_registered_by_hand_keeps_people_logged_in(method: str, tmp_path: Path) -> None:
    port = running.free_port()
    known = {
        "client_id": "gateway at work",
        "client_secret": f"{SECRET}:/?&%",
        "token_endpoint_auth_method": method,
        "redirect_uris": [f"http://127.0.0.1:{port}/login/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    auth = {
        "type": "oauth",
        "client_id": known["client_id"],
        "client_secret": known["client_secret"],
        "client_auth": method,
    }
    with (
        provider(clients=[known], scopes=[SCOPE]) as issuer,
        running.protected_server(issuer.issuer, SCOPE) as server,
    ):
        with gateway(server, tmp_path, auth, port) as url:
            client = Plain(url)
            client.answer = logging_in(issuer, url, "alice", [])
            client.open()
            first = who(client)
            assert first[:3] == ["alice", known["client_id"], server]
            # Tokens signed with keys that are gone are refused, and so one is got anew.
            asked = len(issuer.seen("/token"))
            issuer.rotate(keep=False)
            again = who(client)
            assert again[:4] == first[:4]
            assert again[4] != first[4]
            assert len(issuer.seen("/token")) == asked + 1
        # Another process goes on with the same login; its refresh token is the newest.
        issuer.rotate(keep=False)
        with gateway(server, tmp_path, auth, port) as url:
            client = Plain(url, capabilities={})
            client.open()
            assert who(client)[:4] == first[:4]
        # The first token it shows is refused, which is no failure of the server.
        assert b"failed" not in (tmp_path / "log").read_bytes()


def test_a_server_that_names_no_scope_is_logged_in_to(issuer: Provider, tmp_path: Path) -> None:
    with (
        running.protected_server(issuer.issuer) as server,
        gateway(server, tmp_path, {"type": "oauth"}) as url,
    ):
        client = Plain(url)
        client.answer = logging_in(issuer, url, "alice", [])
        client.open()
        assert who(client)[:1] == ["alice"]


def test_an_issuer_spelled_with_a_slash_takes_the_configured_spelling(
    issuer: Provider, tmp_path: Path
) -> None:
    with running.protected_server(issuer.issuer, slash=True) as server:
        with gateway(server, tmp_path, {"type": "oauth"}) as url:
            client = Plain(url, capabilities={})
            client.open()
            with pytest.raises(RefusedError) as refused:
                who(client)
            agent = Agent()
            page = to_provider(agent, refused.value.error["data"]["url"])
            assert (page.status, "LG-465" in page.text) == (400, True)
            assert f"to {issuer.issuer};" in page.text
        with gateway(server, tmp_path, {"type": "oauth", "issuer": issuer.issuer}) as url:
            client = Plain(url)
            client.answer = logging_in(issuer, url, "alice", [])
            client.open()
            assert who(client)[:1] == ["alice"]


def test_the_gateway_acts_for_itself(issuer: Provider, server: str, tmp_path: Path) -> None:
    auth = {
        "type": "client_credentials",
        "client_id": SERVICE["client_id"],
        "client_secret": SERVICE["client_secret"],
    }
    with gateway(server, tmp_path, auth) as url:
        client = Plain(url)
        client.open()
        assert who(client)[1:3] == ["service", server]


@must("no-passthrough")
def test_a_callers_token_is_exchanged_for_one_of_the_server(
    issuer: Provider, server: str, tmp_path: Path
) -> None:
    auth = {
        "type": "token_exchange",
        "client_id": SERVICE["client_id"],
        "client_secret": SERVICE["client_secret"],
    }
    inside = {"issuers": [{"issuer": issuer.issuer}]}
    with gateway(server, tmp_path, auth, callers=inside) as url:
        shown = issuer.log_in("bob", resource=url)["access_token"]
        client = Keyed(url, key=shown)
        client.open()
        subject, itself, audience, _, end = who(client)
        assert (subject, itself, audience) == ("bob", "service", server)
        assert not shown.endswith(end)
