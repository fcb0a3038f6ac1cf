"""Nobody logs in at a server for somebody else: who opens a link shows that they made the call."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.identity.keys import new_key, write_keys
from tests.gateway.test_logins import Keyed, tool
from tests.identity.stage import Stage, walk
from tests.security.musts import must
from tests.support import running
from tests.support.agent import Agent, Page
from tests.support.browser import browser
from tests.support.browser.page import Chromium
from tests.support.browser.page import Page as Tab
from tests.support.guarded import Guarded, guarded
from tests.support.provider import APP, Provider, provider
from tests.support.speaking import Plain, RefusedError

SECRET = "a-client-secret-of-more-than-32-characters"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider(registration=True) as one:
        yield one


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with browser() as one:
        yield one


@contextmanager
def gateway(server: Guarded, folder: Path, **settings: Any) -> Iterator[str]:
    """A gateway in front of the server; gives the URL of its endpoint."""
    # What is called is not what the server lists.
    store = {"store": f"sqlite:{folder / 'logins.db'}"}
    told = {"logins": store, "pins": "off", **settings}
    entry = {"url": server.url, "auth": {"type": "oauth"}}
    with running.gateway(running.config_of({"guarded": entry}, folder, **told)) as url:
        yield url


def caller(url: str, credential: str) -> Plain:
    """A client without pages, so that the link is in the error it gets."""
    return Keyed(url, capabilities={}, key=credential).open()


def link_of(client: Plain) -> str:
    """Where the caller is to log in."""
    with pytest.raises(RefusedError) as refused:
        tool(client)
    data = refused.value.error["data"]
    return str(data.get("url", refused.value.error))


def signed_in(issuer: Provider, agent: Agent, link: str, login: str) -> Page:
    """The page somebody ends at who follows a link and signs in."""
    first = agent.submit(agent.get(link))
    assert first.location.startswith(issuer.issuer), first.text
    back = f"{link.partition('/login')[0]}/login/identity"
    return agent.get(issuer.answer_pages(agent, first, back, login=login).url)


@must("elicitation-visitor")
def test_a_link_is_worth_nothing_to_whoever_signs_in_as_somebody_else(
    issuer: Provider, tmp_path: Path
) -> None:
    auth = {"issuers": [{"issuer": issuer.issuer}]}
    with guarded() as server, gateway(server, tmp_path, auth=auth) as url:
        token = issuer.log_in("alice", resource=url)["access_token"]
        alice = caller(url, token)
        link = link_of(alice)
        assert "alice" not in link

        page = signed_in(issuer, Agent(), link, "bob")
        assert (page.status, "LG-488" in page.text) == (400, True), page.text
        assert not server.codes

        # Whoever shows who they are themselves, and hands on the address they are then sent to.
        agent, victim = Agent(), Agent()
        page = signed_in(issuer, agent, link, "alice")
        assert page.location.startswith(server.base)
        back = victim.get(page.location).location
        assert "LG-462" in victim.get(back).text
        assert not server.tokens

        # And who hands on the address at which they come back from signing in.
        agent = Agent()
        first = agent.submit(agent.get(link))
        answer = issuer.answer_pages(agent, first, f"{url.removesuffix('/mcp')}/login/identity")
        assert "LG-462" in victim.get(answer.url).text

        agent = Agent()
        page = signed_in(issuer, agent, link, "alice")
        done = agent.follow(page, lambda _: False)
        assert (done.status, "Logged in" in done.text) == (200, True)
        assert tool(alice).startswith("ann-there ")
        assert not any(token in str(headers) for _, headers in server.seen)
        # What was got to find out who it is, is kept nowhere.
        assert token.encode() not in (tmp_path / "logins.db").read_bytes()


@must("elicitation-visitor")
def test_an_api_key_is_shown_on_the_page(tmp_path: Path) -> None:
    shown, listed = {}, []
    for name in ("ann", "bob"):
        shown[name], kept = new_key(name, time.time())
        listed.append(kept)
    (tmp_path / "keys.json").write_bytes(write_keys(listed))
    auth = {"keys_file": str(tmp_path / "keys.json")}
    with guarded() as server, gateway(server, tmp_path, auth=auth) as url:
        ann = caller(url, shown["ann"])
        link = link_of(ann)
        for wrong in (shown["bob"], "", "lockgate_x", "\u20ac", f"{shown['ann']} x"):
            agent = Agent()
            page = agent.submit(agent.get(link), key=wrong)
            assert (page.status, "LG-488" in page.text) == (400, True), wrong
        assert not server.codes

        agent = Agent()
        page = agent.submit(agent.get(link), key=shown["ann"])
        assert shown["ann"] not in page.location
        assert agent.follow(page, lambda _: False).status == 200
        assert tool(ann).startswith("ann-there ")


@must("elicitation-visitor")
def test_people_of_the_gateways_own_authorization_server_sign_in_there(
    chromium: Chromium, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(guarded())
        entry = {"url": server.url, "auth": {"type": "oauth"}}
        stage = Stage(
            stack,
            tmp_path,
            {"guarded": entry},
            logins={"store": f"sqlite:{tmp_path / 'logins.db'}"},
            pins="off",
        )
        client, verifier = stage.register(), secrets.token_urlsafe(48)
        code = walk(stage, stage.wish(client, verifier), stage.redirect)["code"]
        token = json.loads(stage.redeem(client, verifier, code).text)["access_token"]
        alice = caller(stage.mcp, token)
        link = link_of(alice)

        with chromium.page() as tab:
            begin(tab, link)
            log_in(tab, "bob")
            tab.wait_for_url(f"{stage.base}/login/identity")
            tab.wait(lambda: "LG-488" in tab.text, "the refusal")
            assert not server.codes
        with chromium.page() as tab:
            stage.provider.change()  # forgets nobody: the browser is a new one
            begin(tab, link)
            log_in(tab, "alice")
            tab.wait_for_url(f"{stage.base}/login/callback")
            tab.wait(lambda: "Logged in to guarded" in tab.text, "the last page")
        assert tool(alice).startswith("ann-there ")


def begin(tab: Tab, link: str) -> None:
    """Open the link and go on."""
    tab.open(link)
    tab.wait_for("form button")
    assert "Go on only if you asked for this yourself" in tab.text
    tab.press("form button")


def log_in(tab: Tab, login: str) -> None:
    """Answer the provider's pages."""
    tab.wait_for("input[name=login]")
    tab.fill("input[name=login]", login)
    tab.fill("input[name=password]", "anything")
    tab.press("button[type=submit]")
    tab.wait_for("input[name=prompt][value=consent]")
    tab.press("button[type=submit]")


@pytest.mark.parametrize("known", [True, False])
def test_an_issuer_without_registration_needs_a_client(known: bool, tmp_path: Path) -> None:
    port = running.free_port()
    base = f"http://127.0.0.1:{port}"
    client = {
        "client_id": "gateway",
        "client_secret": SECRET,
        "redirect_uris": [f"{base}/login/identity"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }
    with provider(clients=[APP, client]) as issuer, guarded() as server:
        sign_in = {"client_id": "gateway", "client_secret": SECRET} if known else {}
        auth = {"issuers": [{"issuer": issuer.issuer, "sign_in": sign_in}]}
        store = {"store": f"sqlite:{tmp_path / 'logins.db'}"}
        settings = {"auth": auth, "logins": store, "pins": "off"}
        entry = {"url": server.url, "auth": {"type": "oauth"}}
        config = running.config_of({"guarded": entry}, tmp_path, **settings)
        with running.gateway(config, port=port):
            url = f"{base}/mcp"
            alice = caller(url, issuer.log_in("alice", resource=url)["access_token"])
            link, agent = link_of(alice), Agent()
            if known:
                done = agent.follow(signed_in(issuer, agent, link, "alice"), lambda _: False)
                assert done.status == 200
                assert tool(alice).startswith("ann-there ")
            else:
                page = agent.submit(agent.get(link))
                assert (page.status, "LG-489" in page.text) == (400, True)
                assert "sign_in" in page.text


@must("elicitation-visitor")
def test_where_nobody_is_told_apart_only_this_machine_logs_in(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as url:
        link = link_of(Plain(url, capabilities={}).open())
        agent = Agent()
        for header in ("X-Forwarded-For", "Forwarded", "Via"):
            page = agent.get(link, **{header: "203.0.113.7"})
            assert (page.status, "LG-489" in page.text) == (400, True)
        page = agent.get(link)
        assert page.status == 200
        form = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "1.1.1.1"}
        fields = "&".join(f"{name}={value}" for name, value in page.forms[0].fields.items())
        sent = agent.request("POST", link, fields.encode(), form)
        assert (sent.status, "LG-489" in sent.text) == (400, True)
        assert not server.codes


def test_others_are_not_sent_to_a_page_that_could_not_know_them(tmp_path: Path) -> None:
    with (
        guarded() as server,
        gateway(server, tmp_path, public_url="https://mcp.example.com") as url,
    ):
        error = link_of(Plain(url, capabilities={}).open())
        assert "/login?" not in error
        assert "lockgate login guarded" in error
