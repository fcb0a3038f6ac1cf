"""Tokens that need no browser: who asks for them, with what, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from lockgate.core.credentials import SHARED
from lockgate.core.message import ANONYMOUS, Failure, Principal
from lockgate.core.secret import Secret
from lockgate.fronts.http import HttpRequest
from lockgate.gateway.carrying import CARRIED, carrying
from lockgate.identity.outbound import grants, passed
from lockgate.identity.outbound.clients import Client, read_key
from lockgate.identity.outbound.discovery import Discovery
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.granted import Granted
from lockgate.identity.outbound.passed import Passing
from lockgate.identity.outbound.pins import Pins
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.tokens import EXCHANGE, ID_JAG, JWT_BEARER
from lockgate.identity.outbound.vault import Vault
from lockgate.stores.memory import MemoryStore
from lockgate.testing.clock import ManualClock
from lockgate.wire.seal import KeyRing
from tests.identity.outbound.provider import ISSUER, META, PRM, SERVER, World, basic, metadata
from tests.security.musts import must

IDP = "https://idp.example.com"
CLIENT = Client(id="gateway", secret=Secret("s p"))
ANN = Principal(id="ann", scopes=frozenset({"a"}), subject=Secret("ann-token"))
BOB = Principal(id="bob", scopes=frozenset({"a"}), subject=Secret("bob-token"))


class Setting:
    """One `Granted` and the world around it."""

    def __init__(self, client: Client = CLIENT, **more: Any) -> None:
        self.clock = ManualClock()
        self.world = World()
        reach = Reach(self.world, self.world, SERVER, [IDP])
        self.discovery = Discovery(reach, SERVER)
        pins = Pins(Vault(MemoryStore(self.clock), KeyRing.generate(), self.clock), "files")
        self.means = grants.Means(reach, self.discovery, client, self.clock, pins.check, **more)

    def credentials(self, grant: grants.Grant) -> Granted:
        return Granted("files", SERVER, grant, self.discovery, self.means.prover, self.clock)


async def shown(one: Any, principal: Principal = ANONYMOUS) -> Any:
    found: Any = one.headers(principal)
    if not isinstance(found, Failure | tuple | list):
        found = await found
    return found if isinstance(found, Failure) else dict(found)


def test_client_credentials_are_got_once_for_everybody_and_ahead_of_their_end() -> None:
    async def scenario() -> None:
        setting = Setting(scopes=("read",), audience="files")
        one = setting.credentials(grants.ClientCredentials(setting.means))
        found = await asyncio.gather(*(shown(one, p) for p in (ANN, BOB, ANONYMOUS)))

        assert found == [{b"authorization": b"Bearer access-1"}] * 3
        assert one.shared
        assert one.partition(ANN) == ""
        grant = setting.world.grants[0]
        assert (grant["grant_type"], grant["scope"]) == ("client_credentials", "read")
        assert (grant["resource"], grant["audience"]) == (SERVER, "files")
        assert basic(setting.world.headers[0]) == ("gateway", "s p")
        assert "client_secret" not in grant
        # At hand: nothing is waited for, and the very same object is given.
        assert one.headers(ANN) is one.headers(BOB)
        setting.clock.advance(3600)
        assert (await shown(one))[b"authorization"] == b"Bearer access-2"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "taken", "way"),
    [
        ("auto", ["client_secret_basic", "client_secret_post"], "basic"),
        ("auto", ["client_secret_post"], "post"),
        ("auto", None, "basic"),
        ("client_secret_post", ["client_secret_basic"], "post"),
        ("none", ["client_secret_basic"], "none"),
    ],
)
def test_how_the_client_proves_who_it_is(method: Any, taken: Any, way: str) -> None:
    async def scenario() -> None:
        setting = Setting(Client(id="gateway", secret=Secret("s"), method=method))
        setting.world.documents[META] = metadata(token_endpoint_auth_methods_supported=taken)
        await shown(setting.credentials(grants.ClientCredentials(setting.means)))

        grant, headers = setting.world.grants[0], setting.world.headers[0]
        assert (basic(headers) is not None) == (way == "basic")
        assert ("client_secret" in grant) == (way == "post")

    asyncio.run(scenario())


def test_a_key_in_place_of_a_secret() -> None:
    async def scenario() -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        setting = Setting(Client(id="gateway", signer=read_key(pem, key_id="k1")))
        await shown(setting.credentials(grants.ClientCredentials(setting.means)))

        said = jwt.decode(
            setting.world.grants[0]["client_assertion"], ECKey.import_key(pem), ["ES256"]
        )
        assert said.header["kid"] == "k1"
        assert (said.claims["iss"], said.claims["sub"]) == ("gateway", "gateway")
        assert said.claims["aud"] == ISSUER
        assert said.claims["exp"] - said.claims["iat"] <= 60

    asyncio.run(scenario())


def test_keys_that_cannot_be_used() -> None:
    small = rsa.generate_private_key(65537, 2048)
    pem = small.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text, algorithm in (("", None), ("no key", None), ("{}", None), (pem, "ES256")):
        with pytest.raises(ValueError, match=r"key"):
            read_key(text, algorithm)
    assert read_key(pem).algorithm == "RS256"


@must("credentials-apart")
def test_exchanged_tokens_are_each_callers_own() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.world.answer = lambda grant: (
            200,
            {"access_token": f"for-{grant['subject_token']}", "token_type": "Bearer"},
        )
        one = setting.credentials(grants.TokenExchange(setting.means, grants.Subject()))
        for principal, token in ((ANN, b"for-ann-token"), (BOB, b"for-bob-token")):
            assert await shown(one, principal) == {b"authorization": b"Bearer " + token}
        narrow = Principal(id="ann", scopes=frozenset(), subject=Secret("narrow"))
        assert (await shown(one, narrow))[b"authorization"] == b"Bearer for-narrow"
        assert len({one.partition(p) for p in (ANN, BOB, narrow)}) == 3
        nobody = await shown(one, ANONYMOUS)

        assert nobody.reason == "subject-missing"
        assert setting.world.grants[0]["grant_type"] == EXCHANGE
        assert setting.world.grants[0]["resource"] == SERVER
        for grant in setting.world.grants:
            assert grant["endpoint"] == f"{ISSUER}/token"

    asyncio.run(scenario())


def test_an_identity_is_asserted_by_one_and_taken_by_the_other() -> None:
    async def scenario() -> None:
        setting = Setting()
        there = grants.Provider(
            Client(id="at-idp", method="none"), setting.discovery, token_url=f"{IDP}/token"
        )
        kind = "urn:ietf:params:oauth:token-type:id_token"
        grant = grants.IdentityAssertion(setting.means, grants.Subject(kind), there)
        await shown(setting.credentials(grant), ANN)

        first, second = setting.world.grants
        assert (first["endpoint"], second["endpoint"]) == (f"{IDP}/token", f"{ISSUER}/token")
        assert (first["requested_token_type"], first["audience"]) == (ID_JAG, ISSUER)
        assert (first["subject_token"], first["subject_token_type"]) == ("ann-token", kind)
        assert (first["resource"], first["client_id"]) == (SERVER, "at-idp")
        assert (second["grant_type"], second["assertion"]) == (JWT_BEARER, "access-1")
        assert "subject_token" not in second

    asyncio.run(scenario())


def test_a_refusal_is_not_repeated_at_once() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.world.answer = lambda _: (401, {"error": "invalid_client"})
        one = setting.credentials(grants.ClientCredentials(setting.means))
        for _ in range(3):
            failure = await shown(one)
            assert failure.reason == "token-refused"
            assert failure.data["error"] == "invalid_client"
        assert len(setting.world.grants) == 1
        setting.clock.advance(6)
        await shown(one)
        assert len(setting.world.grants) == 2

    asyncio.run(scenario())


def test_a_refused_token_is_replaced_unless_it_is_new() -> None:
    async def scenario() -> None:
        setting = Setting()
        one = setting.credentials(grants.ClientCredentials(setting.means))
        await shown(one)
        assert await one.refused(ANN, "Bearer") is False
        setting.clock.advance(10)
        assert await one.refused(ANN, f'Bearer resource_metadata="{PRM}"') is True
        more = 'Bearer error="insufficient_scope", scope="write"'
        assert await one.refused(ANN, more) is True
        assert setting.world.grants[-1]["scope"] == "write"
        assert await one.refused(ANN, more) is False

    asyncio.run(scenario())


def test_proofs_are_new_each_time_and_take_up_nonces() -> None:
    async def scenario() -> None:
        setting = Setting(prover=Prover())
        setting.world.answer = lambda _: (200, {"access_token": "bound", "token_type": "DPoP"})
        one = setting.credentials(grants.ClientCredentials(setting.means))
        first, second = await shown(one), await shown(one)
        assert first[b"authorization"] == b"DPoP bound"
        assert first[b"dpop"] != second[b"dpop"]
        assert await one.refused(ANN, 'DPoP error="use_dpop_nonce"', "n1") is True
        assert await one.refused(ANN, 'DPoP error="use_dpop_nonce"', "n1") is False

    asyncio.run(scenario())


@must("forward-never-authorization")
def test_chosen_headers_pass_and_tell_callers_apart() -> None:
    one = Passing(SHARED, {"X-Tenant": "X-Org"}, {"email": "X-User", "groups": "X-Groups"})
    claims: dict[str, Any] = {"email": "ann@example.com", "groups": ["a", "b"], "more": "x"}
    first = Principal(id="x", claims={CARRIED: {"x-tenant": b"1", "authorization": b"t"}, **claims})
    second = Principal(id="x", claims={CARRIED: {"x-tenant": b"2"}, **claims})

    assert one.headers(first) == (
        (b"x-org", b"1"),
        (b"x-user", b"ann@example.com"),
        (b"x-groups", b"a,b"),
    )
    assert len({one.partition(p) for p in (first, second, ANONYMOUS)}) == 3
    assert one.headers(ANONYMOUS) == ()
    assert passed.CARRIED == CARRIED


@given(st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.lists(st.text(max_size=5))))
def test_no_claim_becomes_more_than_one_header(value: Any) -> None:
    found = passed.written(value)

    assert found is None or (found.isascii() and found.decode().isprintable())
    if isinstance(value, list) and found is not None:
        assert found.decode().split(",") == value


def test_a_front_carries_only_what_is_asked_for() -> None:
    seen: list[HttpRequest] = []

    async def inner(request: HttpRequest, responder: Any) -> None:
        seen.append(request)

    async def ask(*repeated: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        principal = Principal(id="x", claims={CARRIED: {"x-tenant": b"forged"}})
        request = HttpRequest(
            method="POST",
            path="/mcp",
            query="",
            headers=named,
            repeated=frozenset(repeated),
            principal=principal,
        )
        await carrying(inner, ["X-Tenant"])(request, None)  # type: ignore[arg-type] - unused
        return seen[-1].principal.claims[CARRIED]

    async def scenario() -> None:
        assert await ask(x_tenant="1", authorization="t", x_other="2") == {"x-tenant": b"1"}
        assert await ask(b"x-tenant", x_tenant="1, 2") == {}
        assert await ask() == {}
        assert await ask(x_tenant="x" * 9000) == {}

    asyncio.run(scenario())
    assert carrying(inner, []) is inner
