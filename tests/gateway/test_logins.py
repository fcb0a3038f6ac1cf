"""People log in at servers through a running gateway, and are never taken for one another."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockgate.identity.keys import new_key, write_keys
from tests.security.musts import must
from tests.support import running
from tests.support.guarded import Guarded, guarded
from tests.support.speaking import HANDSHAKE, MODERN, Plain, RefusedError
from tests.support.visiting import FIELD, Browser

ERAS = {"modern": MODERN, "handshake": HANDSHAKE}


@dataclass
class Keyed(Plain):
    """A client with an API key of the gateway."""

    key: str = ""

    def headers(self, message: dict[str, Any]) -> dict[str, str]:
        shown = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {**super().headers(message), **shown}


@contextmanager
def gateway(
    server: Guarded, folder: Path, names: tuple[str, ...] = (), **auth: Any
) -> Iterator[tuple[str, dict[str, str]]]:
    """A gateway in front of the server, and a key for each of these callers."""
    keys, listed = {}, []
    for name in names:
        keys[name], kept = new_key(name, time.time())
        listed.append(kept)
    # What the server lists is named for the account, and what is called is not listed at all.
    settings: dict[str, Any] = {
        "logins": {"store": f"sqlite:{folder / 'logins.db'}"},
        "pins": "off",
    }
    if names:
        (folder / "keys.json").write_bytes(write_keys(listed))
        settings["auth"] = {"keys_file": str(folder / "keys.json")}
    entry = {"url": server.url, "auth": {"type": "oauth", **auth}}
    with running.gateway(running.config_of({"guarded": entry}, folder, **settings)) as url:
        yield url, keys


def logging_in(browser: Browser, seen: list[str], **fields: str) -> Any:
    """Answers the question of a server by logging in, with `fields` filled in on the page."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        assert method == "elicitation/create"
        seen.append(params["url"])
        status, text = browser.log_in(params["url"], **fields)
        assert status == 200, text
        return {"action": "accept"}

    return answer


def said(result: dict[str, Any]) -> str:
    return str(result["content"][0]["text"])


def tool(client: Plain) -> str:
    """Call a tool whose name says nothing of the caller."""
    return said(client.call("tools/call", {"name": "who", "arguments": {}}))


@must("credentials-apart", "no-passthrough", "elicitation-url")
@pytest.mark.parametrize("era", ["modern", "handshake"])
@pytest.mark.parametrize("spoken", ["modern", "handshake"])
def test_two_people_never_share(era: str, spoken: str, tmp_path: Path) -> None:
    with guarded(era) as server, gateway(server, tmp_path, ("ann", "bob")) as (url, keys):
        seen: list[str] = []
        clients = {}
        for name in ("ann", "bob"):
            client = Keyed(url, ERAS[spoken], key=keys[name])
            client.answer = logging_in(Browser(), seen, key=keys[name])
            clients[name] = client.open()
        assert [one["name"] for one in clients["ann"].tools()] == ["guarded__log_in"]

        server.account = "ann-there"
        first = tool(clients["ann"])
        assert first.startswith("ann-there ")
        # The other is asked for a login of its own, with the first one's at hand.
        assert [one["name"] for one in clients["bob"].tools()] == ["guarded__log_in"]
        server.account = "bob-there"
        second = tool(clients["bob"])
        assert second.startswith("bob-there ")

        for _ in range(2):
            assert tool(clients["ann"]) == first
            assert tool(clients["bob"]) == second
        assert [one["name"] for one in clients["ann"].tools()] == ["tool-of-ann-there"]
        assert [one["name"] for one in clients["bob"].tools()] == ["tool-of-bob-there"]
        assert len(seen) == 2
        for address in seen:
            assert "ann" not in address
            assert "bob" not in address
        for tokens in server.sessions.values():
            assert len(set(tokens)) == 1, "a session saw the credentials of two"
        for _, headers in server.seen:
            assert not any(key in str(headers) for key in keys.values())


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_another_account_is_somebody_else(era: str, tmp_path: Path) -> None:
    with guarded(era) as server, gateway(server, tmp_path) as (url, _):
        client = Plain(url)
        client.answer = logging_in(Browser(), [])
        client.open()
        server.account = "first"
        assert tool(client).startswith("first ")
        assert [one["name"] for one in client.tools()] == ["tool-of-first"]

        server.account = "second"
        base = url.removesuffix("/mcp")
        status, text = Browser().log_in(f"{base}/login?server=guarded")

        assert (status, "Logged in" in text) == (200, True)
        assert tool(client).startswith("second ")
        assert [one["name"] for one in client.tools()] == ["tool-of-second"]
        for tokens in server.sessions.values():
            assert len(set(tokens)) == 1


def test_a_login_that_ended_there_is_asked_for_again(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as (url, _):
        seen: list[str] = []
        client = Plain(url)
        client.answer = logging_in(Browser(), seen)
        client.open()
        tool(client)
        server.tokens.clear()

        assert tool(client).startswith("ann-there ")
        assert len(seen) == 2


def test_clients_without_pages_are_told_where_to_go(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as (url, _):
        client = Plain(url, capabilities={})
        client.open()
        with pytest.raises(RefusedError) as refused:
            tool(client)
        data = refused.value.error["data"]
        status, _ = Browser().log_in(data["url"])
        assert status == 200
        assert tool(client).startswith("ann-there ")


def test_a_server_without_a_login_is_not_down(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as (url, _):
        ready = f"{url.removesuffix('/mcp')}/ready"
        with urllib.request.urlopen(ready, timeout=5) as answer:  # noqa: S310 - loopback
            shown = json.load(answer)
        assert shown["status"] == "serving"
        assert shown["servers"]["guarded"]["state"] == "needs-login"
        assert shown["servers"]["guarded"]["code"] == "LG-460"
        client = Plain(url)
        client.answer = logging_in(Browser(), [])
        client.open()
        tool(client)
        with urllib.request.urlopen(ready, timeout=5) as answer:  # noqa: S310 - loopback
            assert json.load(answer)["servers"]["guarded"]["state"] == "ready"


@must("login-page")
def test_the_page_acts_for_the_browser_it_was_shown_to(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as (url, _):
        base = url.removesuffix("/mcp")
        page = f"{base}/login?server=guarded"
        browser, other = Browser(), Browser()
        with browser.opener.open(page, timeout=5) as shown:
            headers, text = shown.headers, shown.read().decode()
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        form = dict(FIELD.findall(text))

        assert other.open(f"{base}/login", form)[0] == 400
        assert browser.open(f"{base}/login", {**form, "seal": "0" * 64})[0] == 400
        assert browser.open(f"{base}/login", {**form, "ticket": "x"})[0] == 400
        assert browser.open(f"{base}/login?ticket=x")[0] == 400
        assert browser.open(f"{base}/login?server=unknown")[0] == 400
        assert browser.open(f"{base}/login/callback?state=x&code=y")[0] == 400
        assert not server.codes

        # The answer of the authorization server, brought by another browser than the one asked.
        parts = urlsplit(base)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        held = "; ".join(f"{one.name}={one.value}" for one in browser.cookies)
        said = {"content-type": "application/x-www-form-urlencoded", "cookie": held}
        link.request("POST", "/login", urllib.parse.urlencode(form), said)
        sent = link.getresponse()
        link.close()
        assert sent.status == 303
        away = str(sent.getheader("location"))
        assert other.open(away)[0] == 400
        assert not server.tokens


def test_where_callers_are_told_apart_a_page_needs_its_link(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path, ("ann",)) as (url, keys):
        base = url.removesuffix("/mcp")
        assert Browser().open(f"{base}/login?server=guarded")[0] == 400
        client = Keyed(url, capabilities={}, key=keys["ann"])
        client.open()
        with pytest.raises(RefusedError) as refused:
            tool(client)
        status, text = Browser().open(refused.value.error["data"]["url"])
        assert status == 200
        assert "key:ann" in text


@must("upstream-challenge")
@pytest.mark.parametrize("spoken", ["modern", "handshake"])
def test_a_tool_asks_for_the_login_whose_want_hides_the_others(spoken: str, tmp_path: Path) -> None:
    with guarded() as server, running.fixture_server("second") as second:
        servers = {
            "guarded": {"url": server.url, "auth": "oauth"},
            "other": {"url": second},
        }
        store = {"store": f"sqlite:{tmp_path / 'logins.db'}"}
        config = running.config_of(servers, tmp_path, logins=store)
        with running.gateway(config) as url:
            client = Plain(url, ERAS[spoken])
            seen: list[str] = []
            client.answer = logging_in(Browser(), seen)
            client.open()
            before = client.tools()
            names = [one["name"] for one in before]
            assert "guarded__log_in" in names
            assert any(name.startswith("other__") for name in names)
            asking = next(one for one in before if one["name"] == "guarded__log_in")
            assert "guarded" in asking["description"]
            assert asking["inputSchema"]["type"] == "object"

            done = client.call("tools/call", {"name": "guarded__log_in", "arguments": {}})
            assert "guarded lets you in" in said(done)
            assert len(seen) == 1
            after = {one["name"] for one in client.tools()}
            assert "guarded__tool-of-ann-there" in after
            assert "guarded__log_in" not in after
            # Whoever has it from an earlier list is not asked again.
            done = client.call("tools/call", {"name": "guarded__log_in", "arguments": {}})
            assert "guarded lets you in" in said(done)
            assert len(seen) == 1


@must("upstream-challenge")
def test_clients_without_pages_are_told_by_the_tool_where_to_go(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path) as (url, _):
        client = Plain(url, capabilities={})
        client.open()
        assert [one["name"] for one in client.tools()] == ["guarded__log_in"]
        for method in ("prompts/list", "resources/list"):
            with pytest.raises(RefusedError, match="log in"):
                client.ask(method)
        with pytest.raises(RefusedError) as refused:
            client.call("tools/call", {"name": "guarded__log_in", "arguments": {}})
        assert refused.value.error["data"]["code"] == "LG-460"
        assert Browser().log_in(refused.value.error["data"]["url"])[0] == 200
        assert [one["name"] for one in client.tools()] == ["tool-of-ann-there"]


@must("upstream-challenge")
def test_a_login_that_is_not_the_callers_to_make_is_an_error(tmp_path: Path) -> None:
    with guarded() as server, gateway(server, tmp_path, account="shared") as (url, _):
        client = Plain(url)
        client.open()
        with pytest.raises(RefusedError, match="lockgate login guarded"):
            client.tools()


@must("upstream-challenge")
def test_who_may_not_see_a_server_is_not_asked_to_log_in_there(tmp_path: Path) -> None:
    with guarded() as server, running.fixture_server("second") as second:
        servers = {"guarded": {"url": server.url, "auth": "oauth"}, "other": {"url": second}}
        store = {"store": f"sqlite:{tmp_path / 'logins.db'}"}
        apart = {"/few": {"servers": ["other"]}, "/some": {"tools": ["guarded/x*", "other/*"]}}
        config = running.config_of(servers, tmp_path, logins=store, endpoints=apart)
        with running.gateway(config) as url:
            few = Plain(url.replace("/mcp", "/few")).open()
            assert not [one for one in few.tools() if "log_in" in one["name"]]
            with pytest.raises(RefusedError, match="Unknown tool"):
                few.call("tools/call", {"name": "guarded__log_in", "arguments": {}})
            some = Plain(url.replace("/mcp", "/some")).open()
            assert [one for one in some.tools() if one["name"] == "guarded__log_in"]
