"""The gateway's own authorization server at its place: paths, origins, changing configurations."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.cli.up import check_bind
from lockgate.cli.voices import Logged
from lockgate.config.load import examine
from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM
from lockgate.errors import LockgateError
from lockgate.gateway import issuing
from lockgate.gateway.app import Gateway
from lockgate.gateway.issuing import OwnIssuer
from tests.fronts.served import run
from tests.identity.world import echo, guarded
from tests.security.world import Peer, before

Json = dict[str, Any]
IDP = {"issuer": "https://idp.example.com", "client_id": "gateway"}
FACADE: Json = {"provider": IDP, "scopes": {"mcp": {"description": "Use it"}}}
ELSEWHERE = ("Origin", "https://inspector.example")
METADATA = "/.well-known/oauth-authorization-server"


def test_programs_in_pages_of_any_origin_may_ask_and_people_only_ours() -> None:
    async def test() -> None:
        async with before(Peer(script=echo), facade=FACADE) as world:
            for path in (METADATA, "/oauth/jwks"):
                answer = await world.http(verb="GET", path=path, fields=[ELSEWHERE])
                assert answer.status == 200
                assert answer.headers["access-control-allow-origin"] == "*"
            for path in ("/token", "/register", "/revoke"):
                asked = [ELSEWHERE, ("Access-Control-Request-Method", "POST")]
                answer = await world.http(verb="OPTIONS", path=path, fields=asked)
                assert answer.status == 204
                assert "Authorization" in answer.headers["access-control-allow-headers"]
                answer = await world.http(verb="POST", path=path, fields=[ELSEWHERE])
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["cache-control"] == "no-store"
                assert (await world.http(verb="GET", path=path)).status == 405
            answer = await world.http(verb="POST", path="/authorize", fields=[ELSEWHERE])
            assert answer.status == 403
            answer = await world.http(verb="GET", path="/authorize")
            assert answer.status == 400
            assert "access-control-allow-origin" not in answer.headers

    run(test())


def test_endpoints_name_it_first_and_ask_for_tokens() -> None:
    async def test() -> None:
        async with guarded(facade=FACADE) as it:
            place = "/.well-known/oauth-protected-resource/mcp"
            told = (await it.world.http(verb="GET", path=place)).json
            own = it.resource.removesuffix("/mcp")
            assert told["authorization_servers"] == [own, it.issuer.url]
            assert (await it.world.http(verb="GET", path=METADATA)).json["issuer"] == own
            refused = await it.refused(None)
            assert refused.status == 401
            assert place in refused.headers["www-authenticate"]
            # Those of the other issuer are accepted as before.
            assert (await it.call(it.token())).status == 200
            # Signed by somebody else, it is not ours, whoever it says it is of.
            forged = it.token(iss=own)
            assert (await it.refused(forged)).status == 401

    run(test())


def of(**settings: Any) -> Config:
    return Config.model_validate({"servers": {}, "lockgate": settings})


def test_without_a_facade_there_is_nothing_of_it() -> None:
    own = OwnIssuer(SYSTEM, None)
    own.turn_to(of(), "https://gw.example.com", [])
    assert own.issuer is None
    assert own.for_people() == own.for_programs() == {}


def test_its_keys_and_what_it_granted_outlive_a_reload() -> None:
    async def test() -> None:
        own = OwnIssuer(SYSTEM, None)
        own.turn_to(of(facade=FACADE), "https://gw.example.com", ["https://gw.example.com/mcp"])
        first, facade = own.issuer, own._facade
        assert facade is not None
        own.turn_to(of(facade=FACADE), "https://gw.example.com", ["https://gw.example.com/mcp"])
        assert own._facade is facade
        assert own.issuer is first
        changed = {**FACADE, "name": "Another name"}
        own.turn_to(of(facade=changed), "https://gw.example.com", ["https://gw.example.com/mcp"])
        assert own._facade is not facade
        assert own._facade is not None
        assert own._facade.jwks() == facade.jwks()
        own.turn_to(of(), "https://gw.example.com", [])
        assert own.issuer is None
        await own.close()

    run(test())


def test_replicas_with_the_same_keys_sign_alike() -> None:
    keys = {"keys": [base64.b64encode(bytes(32)).decode()]}
    sets: list[Json] = []
    for _ in range(2):
        own = OwnIssuer(SYSTEM, None)
        own.turn_to(of(facade=FACADE, session=keys), "https://gw.example.com", ["https://x"])
        assert own._facade is not None
        sets.append(own._facade.jwks())
    assert sets[0] == sets[1]
    assert "d" not in sets[0]["keys"][0]


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "find_spec", lambda _: None)
    with pytest.raises(LockgateError) as caught:
        OwnIssuer(SYSTEM, None).turn_to(of(facade=FACADE), "https://gw.example.com", ["x"])
    assert caught.value.reason == "facade-unusable"

    async def test() -> None:
        gateway = Gateway(of())
        await gateway.start()
        try:
            with pytest.raises(LockgateError):
                await gateway.reload(of(facade=FACADE))
        finally:
            await gateway.stop(0)

    run(test())


def test_a_gateway_that_asks_who_it_is_may_be_reached_from_elsewhere() -> None:
    config = of(host="0.0.0.0", public_url="https://gw.example.com", facade=FACADE)
    check_bind(config, Logged(), insecure=False)


@pytest.mark.parametrize(
    "change",
    [
        {"provider": {"issuer": "http://idp.example.com", "client_id": "x"}},
        {"provider": {**IDP, "token_endpoint": "http://idp.example.com/token"}},
        {"provider": {**IDP, "params": {"state": "x"}}},
        {"provider": {**IDP, "client_id": ""}},
        {"scopes": {"two words": {}}},
        {"clients": {"a\nb": {"name": "x", "redirect_uris": ["https://x.example"]}}},
        {"clients": {"x": {"name": "x", "redirect_uris": []}}},
        {"redirect_schemes": ["javascript"]},
        {"redirect_schemes": ["My App"]},
        {"document_hosts": ["https://x.example"]},
        {"documents": False, "internal_hosts": ["x.example"]},
        {"rates": {"tokens": ["often"]}},
        {"access_ttl": "2d"},
        {"unheard_of": True},
    ],
)
def test_what_could_not_be_served_is_no_configuration(change: Json) -> None:
    with pytest.raises(ValidationError):
        of(facade={**FACADE, **change})


def test_scopes_of_an_endpoint_may_be_those_of_the_facade() -> None:
    assert of(auth={"scopes": ["mcp"]}, facade=FACADE).lockgate.asks
    with pytest.raises(ValidationError):
        of(auth={"scopes": ["mcp"]})


def test_reachable_from_elsewhere_it_needs_a_public_url(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(
        '{"mcpServers": {}, "lockgate": {"host": "0.0.0.0", "facade": {"provider": '
        '{"issuer": "https://idp.example.com", "client_id": "x"}}}}'
    )
    path.chmod(0o600)
    found = [one.id for one in examine(path, {}).findings if one.severity == "error"]
    assert found == ["public-url"]
