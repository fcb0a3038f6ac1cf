"""Against a real OpenID provider: tokens as they are issued, not as we imagine them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.identity.issuer import Holder
from tests.identity.world import echo, run
from tests.security.musts import must
from tests.security.world import Answer, Peer, World, before
from tests.support.provider import SERVICE, Provider, provider

Json = dict[str, Any]
PUBLIC = "https://mcp.example.com"
RESOURCE = f"{PUBLIC}/mcp"
CLIENT = {name: SERVICE[name] for name in ("client_id", "client_secret")}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def real() -> Iterator[Provider]:
    resources = {
        RESOURCE: {"format": "jwt", "scope": "mcp files"},
        f"{PUBLIC}/es": {"format": "jwt", "scope": "mcp", "audience": RESOURCE, "alg": "ES256"},
        f"{PUBLIC}/opaque": {"format": "opaque", "scope": "mcp", "audience": RESOURCE},
        "https://other.example/mcp": {"format": "jwt", "scope": "mcp"},
        "https://other.example/opaque": {"format": "opaque", "scope": "mcp"},
    }
    with provider(resources=resources, scopes=["mcp", "files"]) as running:
        yield running


@dataclass
class Gate:
    world: World
    peer: Peer

    async def call(self, token: str, *, scheme: str = "Bearer", **more: str) -> Answer:
        fields: dict[str, str | bytes | None] = {"Authorization": f"{scheme} {token}", **more}
        params: Json = {"name": "echo", "arguments": {}}
        return await self.world.post("tools/call", params, fields=fields)

    async def who(self, token: str) -> Json:
        answer = await self.world.http(
            verb="GET",
            fields=[
                ("Accept", "application/vnd.lockgate.principal+json"),
                ("Authorization", f"Bearer {token}"),
            ],
        )
        assert answer.status == 200, answer.body
        return answer.json


@asynccontextmanager
async def gate(real: Provider, **auth: Any) -> AsyncIterator[Gate]:
    entry = {"issuer": real.issuer, "introspection": CLIENT, "keys_pause": 1}
    peer = Peer(script=echo)
    settings = {"issuers": [entry], "scopes": ["mcp"], **auth}
    async with before(peer, public_url=PUBLIC, auth=settings) as world:
        yield Gate(world, peer)


def of_service(real: Provider, resource: str, **more: Any) -> str:
    return real.client_credentials(resource, "mcp", **more)["access_token"]


@must("as-validate-token", "as-audience", "as-metadata")
@pytest.mark.parametrize("resource", ["mcp", "es", "opaque"])
def test_a_token_of_a_service_gets_in(real: Provider, resource: str) -> None:
    async def test() -> None:
        token = await asyncio.to_thread(of_service, real, f"{PUBLIC}/{resource}")
        async with gate(real) as it:
            assert (await it.call(token)).status == 200
            who = await it.who(token)
            assert who["client"] == "service"
            assert who["scopes"] == ["mcp"]
            assert who["issuer"] == real.issuer

    run(test())


def test_a_person_is_the_same_whatever_form_the_token_has(real: Provider) -> None:
    async def test() -> None:
        ids: set[str] = set()
        async with gate(real) as it:
            for resource in ("mcp", "opaque"):
                got = await asyncio.to_thread(
                    real.log_in, "alice", resource=f"{PUBLIC}/{resource}", scope="openid mcp"
                )
                assert (await it.call(got["access_token"])).status == 200
                ids.add((await it.who(got["access_token"]))["id"])
        assert ids == {f"{real.issuer}#alice"}

    run(test())


@must("as-audience", "as-401", "as-403")
def test_what_the_provider_issued_for_something_else_is_refused(real: Provider) -> None:
    async def test() -> None:
        def others() -> dict[str, str]:
            person = real.log_in("bob", resource=RESOURCE, scope="openid mcp offline_access")
            plain = real.log_in("bob", scope="openid")
            return {
                "other audience": of_service(real, "https://other.example/mcp"),
                "other opaque": of_service(real, "https://other.example/opaque"),
                "ID token": person["id_token"],
                "refresh token": person["refresh_token"],
                "for userinfo": plain["access_token"],
            }

        tokens = await asyncio.to_thread(others)
        few = await asyncio.to_thread(real.client_credentials, RESOURCE, "files")
        async with gate(real) as it:
            seen = len(it.peer.requests)
            for what, token in tokens.items():
                answer = await it.call(token)
                assert answer.status == 401, what
                assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert (await it.call(few["access_token"])).status == 403
            assert len(it.peer.requests) == seen

    run(test())


@must("rotation")
def test_the_provider_rotates_its_keys(real: Provider) -> None:
    async def test() -> None:
        old = await asyncio.to_thread(of_service, real, RESOURCE)
        async with gate(real) as it:
            assert (await it.call(old)).status == 200
            await asyncio.to_thread(real.rotate)
            await asyncio.sleep(1.1)  # keys_pause, by the real clock
            new = await asyncio.to_thread(of_service, real, RESOURCE)
            assert (await it.call(new)).status == 200
            assert (await it.call(old)).status == 200

    run(test())


@must("issuer-away")
def test_the_provider_is_away(real: Provider) -> None:
    async def test() -> None:
        token = await asyncio.to_thread(of_service, real, RESOURCE)
        await asyncio.to_thread(real.fail, "/jwks", 500)
        try:
            async with gate(real) as it:
                answer = await it.call(token)
                assert answer.status == 503
                assert answer.error["data"]["code"] == "LG-445"
        finally:
            await asyncio.to_thread(real.fail, "/jwks", None)

    run(test())


@must("introspection")
def test_a_token_that_is_revoked_is_found_out(real: Provider) -> None:
    async def test() -> None:
        token = await asyncio.to_thread(of_service, real, f"{PUBLIC}/opaque")
        client = {
            "client_id": "service",
            "client_secret": "service-secret-of-at-least-32-characters",
        }
        entry = {"issuer": real.issuer, "introspection": {**client, "cache": 0}}
        async with gate(real, issuers=[entry]) as it:
            assert (await it.call(token)).status == 200
            await asyncio.to_thread(revoke, real, token)
            assert (await it.call(token)).status == 401

    run(test())


def revoke(real: Provider, token: str) -> None:
    pair = b64encode(f"{SERVICE['client_id']}:{SERVICE['client_secret']}".encode()).decode()
    form = urlencode({"token": token}).encode()
    real._json("POST", "/token/revocation", form, {"Authorization": f"Basic {pair}", **FORM})


@must("dpop")
def test_the_provider_binds_tokens_to_keys(real: Provider) -> None:
    async def test() -> None:
        holder = Holder()
        proof = holder.proof("POST", f"{real.issuer}/token", "", ath=None)
        token = await asyncio.to_thread(of_service, real, RESOURCE, headers={"DPoP": proof})
        async with gate(real, dpop="require") as it:
            assert (await it.call(token)).status == 401
            for _ in range(2):
                proof = holder.proof("POST", RESOURCE, token)
                assert (await it.call(token, scheme="DPoP", DPoP=proof)).status == 200
            assert (await it.call(token, scheme="DPoP", DPoP=proof)).status == 401

    run(test())
