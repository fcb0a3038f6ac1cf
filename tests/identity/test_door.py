"""What an endpoint for known callers shows to those it does not know, and to browsers."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click import UsageError
from click.testing import CliRunner

from lockgate.cli.main import program
from lockgate.cli.up import check_bind
from lockgate.cli.voices import Logged
from lockgate.config.load import examine
from lockgate.config.model import Config
from lockgate.config.watch import sources
from lockgate.errors import LockgateError, UnsafeBind
from tests.identity.world import echo, guarded, run
from tests.security.musts import must
from tests.security.world import Peer, before

Json = dict[str, Any]
PLACE = "/.well-known/oauth-protected-resource"


@must("resource-metadata", "resource-metadata-servers")
def test_the_document_of_an_endpoint_is_at_both_places() -> None:
    async def test() -> None:
        auth = {"scopes": ["mcp"], "scopes_supported": ["mcp", "offline_access", "files"]}
        async with guarded(auth=auth) as it:
            for path in (f"{PLACE}/mcp", PLACE):
                answer = await it.world.http(verb="GET", path=path)
                assert answer.status == 200
                assert answer.headers["content-type"] == "application/json"
                assert answer.json["resource"] == it.resource
                assert answer.json["authorization_servers"] == [it.issuer.url]
                assert answer.json["bearer_methods_supported"] == ["header"]
                assert answer.json["scopes_supported"] == ["mcp", "files"]
            sse = (await it.world.http(verb="GET", path=f"{PLACE}/sse")).json
            assert sse["resource"] == it.resource.replace("/mcp", "/sse")
            assert (await it.world.http(verb="GET", path=f"{PLACE}/other")).status == 404

    run(test())


@must("resource-metadata-readable")
def test_a_page_of_any_origin_may_read_the_document_and_nothing_else() -> None:
    async def test() -> None:
        async with guarded() as it:
            origin = ("Origin", "https://inspector.example")
            answer = await it.world.http(verb="GET", path=f"{PLACE}/mcp", fields=[origin])
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == "*"
            asked = [
                origin,
                ("Access-Control-Request-Method", "GET"),
                ("Access-Control-Request-Headers", "mcp-protocol-version"),
            ]
            answer = await it.world.http(verb="OPTIONS", path=PLACE, fields=asked)
            assert answer.status == 204
            assert answer.headers["access-control-allow-headers"] == "MCP-Protocol-Version"
            for verb, path in (("POST", "/mcp"), ("GET", "/ready"), ("GET", "/sse")):
                answer = await it.world.http(verb=verb, path=path, fields=[origin])
                assert answer.status == 403, path
                assert "access-control-allow-origin" not in answer.headers
            assert (await it.world.http(verb="GET", path=PLACE, host="evil.example")).status == 421
            assert (await it.world.http(verb="DELETE", path=PLACE)).status == 405

    run(test())


def test_a_page_that_is_allowed_can_read_the_challenge() -> None:
    async def test() -> None:
        async with guarded(cors=["https://app.example"]) as it:
            origin = ("Origin", "https://app.example")
            answer = await it.world.http(b"{}", fields=[origin])
            assert answer.status == 401
            assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
            asked = [origin, ("Access-Control-Request-Method", "POST")]
            answer = await it.world.http(verb="OPTIONS", fields=asked)
            assert answer.status == 204
            assert "Authorization" in answer.headers["access-control-allow-headers"]
            assert "DPoP" in answer.headers["access-control-allow-headers"]

    run(test())


@must("every-request")
def test_who_is_not_known_learns_nothing_whatever_is_sent() -> None:
    async def test() -> None:
        async with guarded() as it:
            seen = len(it.peer.requests)
            for verb in ("POST", "GET", "DELETE", "PUT", "HEAD"):
                for path in ("/mcp", "/sse", "/messages?session=x"):
                    answer = await it.world.http(b"garbage", verb=verb, path=path)
                    assert answer.status == 401, (verb, path)
            assert len(it.peer.requests) == seen

    run(test())


def test_without_authentication_there_is_no_document_and_no_door() -> None:
    async def test() -> None:
        async with before(Peer(script=echo)) as world:
            assert (await world.http(verb="GET", path=PLACE)).status == 404
            assert (await world.call("echo")).status == 200
            assert "servers" in (await world.http(verb="GET", path="/ready")).json

    run(test())


@pytest.mark.parametrize("through", [None, "X-Forwarded-For", "Forwarded", "Via"])
def test_strangers_learn_of_servers_on_this_machine_alone(through: str | None) -> None:
    async def test() -> None:
        async with guarded(allow_hosts=["mcp.example"]) as it:
            fields: list[tuple[str, str | bytes]] = [(through, "192.0.2.7")] if through else []
            told = (await it.world.http(verb="GET", path="/ready", fields=fields)).json
            assert ("servers" in told) == (through is None)
            told = (await it.world.http(verb="GET", path="/ready", host="mcp.example")).json
            assert told == {"status": "serving"}
            alive = await it.world.http(verb="GET", path="/health", host="mcp.example")
            assert alive.status == 200

    run(test())


def test_a_public_url_is_what_tokens_and_documents_say() -> None:
    async def test() -> None:
        public = "https://mcp.example/gate"
        async with guarded(public_url=f"{public}/") as it:
            host = "mcp.example"
            for path in (f"{PLACE}/mcp", f"{PLACE}/gate/mcp", PLACE):
                answer = await it.world.http(verb="GET", path=path, host=host)
                assert answer.json["resource"] == f"{public}/mcp"
            answer = await it.refused(None)
            place = f"https://mcp.example{PLACE}/gate/mcp"
            assert f'resource_metadata="{place}"' in answer.headers["www-authenticate"]
            assert (await it.refused(it.token())).status == 401
            assert (await it.call(it.token(audience=f"{public}/mcp"))).status == 200

    run(test())


def test_authentication_is_switched_on_and_off_without_a_restart() -> None:
    async def test() -> None:
        async with guarded() as it:
            world, on = it.world, it.world.gateway._config
            token = it.token()
            assert (await it.call(token)).status == 200
            without = type(on.lockgate.auth)()
            await world.gateway.reload(on.with_settings(auth=without))
            assert (await it.call(None)).status == 200
            assert (await world.http(verb="GET", path=PLACE)).status == 404
            await world.gateway.reload(on)
            assert (await it.refused(None)).status == 401
            scoped = on.lockgate.auth.model_copy(update={"scopes": ["admin"]})
            await world.gateway.reload(on.with_settings(auth=scoped))
            assert (await it.refused(token)).status == 403
            # What is known of the issuer is not asked for again at each reload.
            assert it.issuer.asked.count("/keys") == 2

    run(test())


def test_who_am_i() -> None:
    async def test() -> None:
        async with guarded() as it:
            fields = [("Accept", "application/vnd.lockgate.principal+json")]
            assert (await it.world.http(verb="GET", fields=fields)).status == 401
            token = it.token(groups=["dev"])
            answer = await it.world.http(
                verb="GET", fields=[*fields, ("Authorization", f"Bearer {token}")]
            )
            assert answer.status == 200
            assert answer.json["id"] == f"{it.issuer.url}#ann"
            assert answer.json["scopes"] == ["mcp"]
            assert answer.json["groups"] == ["dev"]
            assert token not in answer.body.decode()
            assert answer.headers["cache-control"] == "no-store"

    run(test())


def configured(tmp_path: Path, **settings: Any) -> Any:
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"a": {"command": "true"}}, "lockgate": settings}))
    return examine(file, {"SECRET": "s3cret-value"})


ISSUER = {"issuer": "https://idp.example.com"}


@must("clear-text")
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"auth": {"issuers": [{"issuer": "http://idp.example.com"}]}}, "invalid-value"),
        ({"auth": {"issuers": [{"issuer": "https://idp.example.com#x"}]}}, "invalid-value"),
        ({"auth": {"issuers": [ISSUER, ISSUER]}}, "invalid-value"),
        ({"auth": {"issuers": [{**ISSUER, "algorithms": ["HS256"]}]}}, "invalid-value"),
        ({"auth": {"issuers": [{**ISSUER, "algorithms": ["none"]}]}}, "invalid-value"),
        ({"auth": {"issuers": [{**ISSUER, "jwks_uri": "http://a.example"}]}}, "invalid-value"),
        ({"auth": {"scopes": ["a"]}}, "invalid-value"),
        ({"auth": {"issuers": [ISSUER], "scopes": ['a"b']}}, "invalid-value"),
        ({"auth": {"keys_file": "none.json"}}, "path-missing"),
        ({"public_url": "http://mcp.example.com"}, "invalid-value"),
        ({"public_url": "https://mcp.example.com?x=1"}, "invalid-value"),
        ({"host": "0.0.0.0", "auth": {"issuers": [ISSUER]}}, "public-url"),
    ],
)
def test_settings_that_would_not_protect_are_refused(
    tmp_path: Path, settings: Json, kind: str
) -> None:
    loaded = configured(tmp_path, **settings)
    assert loaded.config is None
    assert kind in {one.id for one in loaded.findings.ordered()}


def test_files_of_keys_and_certificates_are_watched(tmp_path: Path) -> None:
    for name in ("keys.json", "own.json", "a.pem"):
        (tmp_path / name).write_text("")
    settings = {
        "auth": {"keys_file": "keys.json"},
        "tls": {"certificate": "a.pem"},
        "endpoints": {"/own": {"auth": {"keys_file": "own.json"}}},
    }
    loaded = configured(tmp_path, **settings)
    watched = {one.name for one in sources(tmp_path / "mcp.json", loaded.tree)}
    assert {"mcp.json", "keys.json", "a.pem", "own.json"} <= watched


def test_a_client_secret_is_known_as_one(tmp_path: Path) -> None:
    asked = {"introspection": {"client_id": "gate", "client_secret": "${SECRET}"}}
    loaded = configured(tmp_path, auth={"issuers": [{**ISSUER, **asked}]})
    assert loaded.config is not None
    assert "s3cret-value" in loaded.config.secrets
    assert "s3cret-value" not in repr(loaded.config)


def test_listening_for_the_network_takes_authentication() -> None:
    wide = {"host": "0.0.0.0", "public_url": "https://mcp.example.com"}
    settings = {**wide, "auth": {"issuers": [ISSUER]}}
    check_bind(Config.model_validate({"lockgate": settings}), Logged(), insecure=False)
    with pytest.raises(UnsafeBind):
        check_bind(Config.model_validate({"lockgate": wide}), Logged(), insecure=False)


def test_the_command_says_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*args: str) -> Any:
        invoke = partial(CliRunner().invoke, standalone_mode=False)
        return await asyncio.to_thread(invoke, program, ["whoami", *args])

    async def test() -> None:
        async with guarded(auth={"scopes": ["mcp"]}) as it:
            monkeypatch.setenv("GOOD", it.token())
            monkeypatch.setenv("BAD", it.token(aud="https://other.example"))
            stranger = await ask(it.resource)
            assert stranger.return_value == 1
            assert it.issuer.url in stranger.output
            known = await ask(it.resource, "--token-env", "GOOD")
            assert known.return_value == 0
            assert f"You are {it.issuer.url}#ann." in known.output
            refused = await ask(it.resource, "--token-env", "BAD")
            assert refused.return_value == 1
            assert "not meant for this endpoint" in refused.output
            assert "LG-441" in refused.output
            found = json.loads((await ask(it.resource, "--token-env", "GOOD", "--json")).stdout)
            assert found["principal"]["scopes"] == ["mcp"]
            assert found["metadata"]["resource"] == it.resource
        async with before(Peer(script=echo)) as world:
            free = await ask(f"http://127.0.0.1:{world.port}/mcp")
            assert free.return_value == 0
            assert "asks nobody" in free.output
        for url, name in (("http://mcp.example.com/mcp", "GOOD"), ("http://127.0.0.1:1/", "NONE")):
            assert isinstance((await ask(url, "--token-env", name)).exception, UsageError)

    run(test())


def test_the_command_does_not_take_a_failure_for_being_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(*args: str) -> str:
        invoke = partial(CliRunner().invoke, standalone_mode=False)
        error = (await asyncio.to_thread(invoke, program, ["whoami", *args])).exception
        assert isinstance(error, LockgateError)
        return f"{error} {error.remedy}"

    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async def test() -> None:
        assert "refuses connections" in await ask("http://127.0.0.1:1/mcp")
        async with guarded() as it:
            monkeypatch.setenv("GOOD", it.token())
            elsewhere = await ask(it.resource.replace("/mcp", "/other"), "--token-env", "GOOD")
            assert "HTTP status 404: Nothing is served here." in elsewhere
            it.issuer.status["/keys"] = 500
            unasked = await ask(it.resource, "--token-env", "GOOD")
            assert "HTTP status 503" in unasked
            assert "Try again" in unasked
        async with await asyncio.start_server(page, "127.0.0.1", 0) as site:
            port = site.sockets[0].getsockname()[1]
            told = await ask(f"http://127.0.0.1:{port}/")
            assert "HTTP status 200. Check the URL" in told

    run(test())
