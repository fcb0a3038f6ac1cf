"""People log in, stay logged in, and are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lockgate.core.message import Failure, Principal
from lockgate.core.secret import Secret
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.entrance import take
from lockgate.identity.outbound.person import Person
from lockgate.identity.outbound.trouble import Trouble
from tests.identity.outbound.provider import (
    BACK,
    ISSUER,
    META,
    PRM,
    Setting,
    World,
    metadata,
    resource,
)
from tests.security.musts import must

ANN, BOB = Principal(id="ann"), Principal(id="bob")
OTHER = "https://other.example.com"
DEMAND = f'Bearer resource_metadata="{PRM}", scope="read"'
MORE = 'Bearer error="insufficient_scope", scope="write"'


async def shown(person: Person, principal: Principal = ANN) -> Any:
    """What is sent along, or the Failure."""
    found: Any = person.headers(principal)
    if not isinstance(found, Failure | tuple | list):
        found = await found
    return found if isinstance(found, Failure) else dict(found)


async def bearer(person: Person, principal: Principal = ANN) -> bytes:
    return (await shown(person, principal))[b"authorization"]


async def log_in(
    setting: Setting, principal: Principal = ANN, browser: str = "b", **more: str
) -> Mapping[str, list[str]]:
    """The whole way; gives what the person was sent to the authorization server with."""
    person = setting.person
    url = await person.begin(person.owner(principal), BACK, browser)
    asked = parse_qs(urlsplit(url).query)
    issuer = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    flow = await take(setting.vault, asked["state"][0])
    await person.finish(flow, {"code": "c", "iss": issuer, **more}, browser)
    return asked


@must("token-header", "own-issuer-only")
def test_a_login_is_shown_and_survives_the_process() -> None:
    async def scenario() -> None:
        setting = Setting()
        assert await shown(setting.person) == {}
        told = await setting.person.refused(ANN, DEMAND)
        assert isinstance(told, Failure)
        assert told.reason == "login-required"
        assert told.data["url"].startswith("https://gateway.example.com/login?")
        # From now on nobody has to ask the server to know.
        assert isinstance(await shown(setting.person), Failure)

        asked = await log_in(setting)

        assert asked["scope"] == ["read"]
        assert await bearer(setting.person) == b"Bearer access-1"
        assert await bearer(setting.again()) == b"Bearer access-1"
        assert isinstance(await shown(setting.person, BOB), Failure)

    asyncio.run(scenario())


@must("credentials-apart")
def test_two_people_and_two_accounts_of_one_are_four_parties() -> None:
    async def scenario() -> None:
        setting = Setting()
        person = setting.person
        before = person.partition(ANN)
        await log_in(setting, ANN)
        await log_in(setting, BOB)
        first = person.partition(ANN)
        assert await bearer(person, ANN) != await bearer(person, BOB)
        await log_in(setting, ANN)
        second = person.partition(ANN)
        assert await person.log_out("ann")
        after = person.partition(ANN)

        assert len({before, first, second, after, person.partition(BOB)}) == 5
        assert "access" not in first + second
        assert {one["endpoint"] for one in setting.world.grants} == {f"{ISSUER}/token"}

    asyncio.run(scenario())


def test_the_same_account_goes_on_where_it_was() -> None:
    async def scenario() -> None:
        setting = Setting()
        jwt = "e30.eyJzdWIiOiJhbm4tdGhlcmUifQ.x"  # {"sub": "ann-there"}
        plain = setting.world.token
        setting.world.answer = lambda grant: (200, {**plain(grant)[1], "id_token": jwt})
        await log_in(setting)
        first = setting.person.partition(ANN)
        await log_in(setting)

        assert setting.person.partition(ANN) == first

    asyncio.run(scenario())


@must("state-once")
def test_a_state_is_good_for_one_answer() -> None:
    async def scenario() -> None:
        setting = Setting()
        url = await setting.person.begin("ann", BACK, "browser")
        state = parse_qs(urlsplit(url).query)["state"][0]

        outcomes = await asyncio.gather(
            *(take(setting.vault, state) for _ in range(5)), return_exceptions=True
        )

        flows = [one for one in outcomes if not isinstance(one, BaseException)]
        assert len(flows) == 1
        assert all(one.reason == "login-stray" for one in outcomes if isinstance(one, Trouble))
        for strange in ("", state + "x", "x" * 1000):
            with pytest.raises(Trouble):
                await take(setting.vault, strange)
        with pytest.raises(Trouble):
            await setting.person.finish(flows[0], {"code": "c", "iss": ISSUER}, "another browser")
        assert not setting.world.grants

    asyncio.run(scenario())


def test_nobody_has_for_ever_to_come_back() -> None:
    async def scenario() -> None:
        setting = Setting()
        url = await setting.person.begin("ann", BACK)
        setting.clock.advance(601)
        with pytest.raises(Trouble):
            await take(setting.vault, parse_qs(urlsplit(url).query)["state"][0])

    asyncio.run(scenario())


@must("refresh-rotation")
def test_one_refreshes_for_all_who_need_it_and_ahead_of_the_end() -> None:
    async def scenario() -> None:
        setting = Setting()
        await log_in(setting)
        setting.clock.advance(3599)

        found = await asyncio.gather(*(bearer(setting.person) for _ in range(10)))

        assert set(found) == {b"Bearer access-2"}
        assert [one["grant_type"] for one in setting.world.grants] == [
            "authorization_code",
            "refresh_token",
        ]
        setting.clock.advance(3550)
        assert await bearer(setting.person) == b"Bearer access-2"  # still good, and meanwhile
        for _ in range(5):
            await asyncio.sleep(0)
        assert await bearer(setting.person) == b"Bearer access-3"
        assert setting.world.grants[-1]["refresh_token"] == "refresh-2"
        assert await bearer(setting.again()) == b"Bearer access-3"

    asyncio.run(scenario())


def test_another_process_that_was_quicker_is_believed() -> None:
    async def scenario() -> None:
        setting = Setting()
        await log_in(setting)
        other = setting.again()
        assert await bearer(other) == b"Bearer access-1"
        setting.clock.advance(3599)
        assert await bearer(other) == b"Bearer access-2"

        assert await bearer(setting.person) == b"Bearer access-2"
        assert len(setting.world.grants) == 2

    asyncio.run(scenario())


def test_a_refused_token_is_renewed_once_and_then_the_person_is_asked() -> None:
    async def scenario() -> None:
        setting = Setting()
        person = setting.person
        await log_in(setting)

        assert await person.refused(ANN, 'Bearer error="invalid_token"') is True
        assert await bearer(person) == b"Bearer access-2"
        told = await person.refused(ANN, 'Bearer error="invalid_token"')
        assert isinstance(told, Failure)
        assert told.reason == "login-required"
        assert "again" in told.message

    asyncio.run(scenario())


def test_a_refresh_token_that_is_over_is_not_shown_again() -> None:
    async def scenario() -> None:
        setting = Setting()
        await log_in(setting)
        setting.world.answer = lambda _: (400, {"error": "invalid_grant"})
        setting.clock.advance(3700)
        for _ in range(3):
            assert (await shown(setting.person)).reason == "login-required"
            setting.clock.advance(10)

        assert len(setting.world.grants) == 2

    asyncio.run(scenario())


def test_an_authorization_server_that_is_away_is_no_reason_to_log_in_anew() -> None:
    async def scenario() -> None:
        setting = Setting()
        await log_in(setting)
        setting.world.answer = lambda _: (503, {})
        setting.clock.advance(3700)
        assert (await shown(setting.person)).reason == "token-unavailable"
        assert (await shown(setting.person)).reason == "token-unavailable"
        assert len(setting.world.grants) == 2
        setting.world.answer = setting.world.token
        setting.clock.advance(6)
        assert await bearer(setting.person) == b"Bearer access-2"

    asyncio.run(scenario())


@must("scope-retries")
def test_asking_for_more_keeps_what_there_was_and_ends() -> None:
    async def scenario() -> None:
        setting = Setting()
        person = setting.person
        plain = setting.world.token
        setting.world.answer = lambda grant: (200, {**plain(grant)[1], "scope": "read"})
        await person.refused(ANN, DEMAND)
        await log_in(setting)

        for _ in range(2):
            told = await person.refused(ANN, MORE)
            assert isinstance(told, Failure)
            assert told.reason == "login-required"
            assert told.data["scopes"] == ["write"]
            assert set((await log_in(setting))["scope"][0].split()) == {"read", "write"}
        told = await person.refused(ANN, MORE)

        assert isinstance(told, Failure)
        assert told.reason == "scope-refused"

    asyncio.run(scenario())


def test_scopes_that_were_granted_are_not_asked_for_again() -> None:
    async def scenario() -> None:
        setting = Setting()
        await setting.person.refused(ANN, DEMAND)
        await log_in(setting)
        told = await setting.person.refused(ANN, 'Bearer error="insufficient_scope", scope="read"')
        assert isinstance(told, Failure)
        assert told.reason == "scope-refused"

    asyncio.run(scenario())


@must("registration-order", "application-type")
@pytest.mark.parametrize(
    ("settings", "documents", "client_id"),
    [
        ({"client": Client(id="by-hand", secret=Secret("s")), "document": "https://d/c"}, True, 0),
        ({"document": "https://gateway.example.com/login/client.json"}, True, 1),
        ({"document": "https://gateway.example.com/login/client.json"}, False, 2),
        ({}, True, 2),
    ],
)
def test_who_the_gateway_is(settings: dict[str, Any], documents: bool, client_id: int) -> None:
    async def scenario() -> None:
        setting = Setting(**settings)
        setting.world.documents[META] = metadata(client_id_metadata_document_supported=documents)
        names = ("by-hand", "https://gateway.example.com/login/client.json", "client-1")

        asked = await log_in(setting)

        assert asked["client_id"] == [names[client_id]]
        assert len(setting.world.clients) == (client_id == 2)
        for registered in setting.world.clients:
            assert registered["application_type"] == "web"
            assert "refresh_token" in registered["grant_types"]
            assert registered["redirect_uris"] == [BACK]
        await log_in(setting, BOB)
        assert len(setting.world.clients) == (client_id == 2), "one registration serves all"

    asyncio.run(scenario())


@must("issuer-keyed")
def test_a_server_that_moves_gets_a_new_client_and_no_old_token() -> None:
    async def scenario() -> None:
        setting = Setting()
        await log_in(setting)
        there = f"{OTHER}/.well-known/oauth-authorization-server"
        setting.world.documents[PRM] = resource(authorization_servers=[OTHER])
        setting.world.documents[there] = metadata(OTHER)
        told = await setting.person.refused(ANN, DEMAND)
        assert told is True, "the old tokens are renewed where they are from"
        await log_in(setting)

        assert [one["issuer"] for one in setting.world.clients] == [ISSUER, OTHER]
        moved = [one for one in setting.world.grants if one["endpoint"] == f"{OTHER}/token"]
        assert [one["client_id"] for one in moved] == ["client-2"]
        assert "refresh_token" not in moved[0]
        setting.clock.advance(3599)
        await bearer(setting.person)
        assert setting.world.grants[-1]["endpoint"] == f"{OTHER}/token"

    asyncio.run(scenario())


@must("pre-registered-issuer")
@pytest.mark.parametrize("issuer", [None, ISSUER])
def test_a_client_registered_by_hand_stays_where_it_belongs(issuer: str | None) -> None:
    async def scenario() -> None:
        setting = Setting(client=Client(id="me", secret=Secret("s"), issuer=issuer))
        await log_in(setting)
        there = f"{OTHER}/.well-known/oauth-authorization-server"
        setting.world.documents[PRM] = resource(authorization_servers=[OTHER])
        setting.world.documents[there] = metadata(OTHER)

        with pytest.raises(Trouble) as refused:
            await log_in(setting, BOB)

        assert refused.value.reason == "oauth-metadata"
        assert all(one["endpoint"].startswith(ISSUER) for one in setting.world.grants)

    asyncio.run(scenario())


@must("registration-failure")
def test_why_nobody_can_be_sent_anywhere() -> None:
    async def scenario() -> None:
        cases: list[tuple[str, dict[str, Any], str]] = [
            ("oauth-pkce", {META: metadata(code_challenge_methods_supported=None)}, "PKCE"),
            ("oauth-registration", {META: metadata(registration_endpoint=None)}, "by hand"),
            ("oauth-metadata", {META: metadata(issuer="https://x.example")}, "runs the server"),
            ("oauth-address", {META: metadata(token_endpoint="http://login.example.com/t")}, "iss"),
            ("oauth-metadata", {PRM: resource(resource="https://x.example/")}, "runs the server"),
            ("oauth-address", {PRM: resource(authorization_servers=["http://10.0.0.1"])}, "issuer"),
        ]
        for reason, documents, said in cases:
            setting = Setting()
            setting.world.documents |= documents
            with pytest.raises(Trouble) as refused:
                await setting.person.begin("ann", BACK)
            assert refused.value.reason == reason
            assert said in f"{refused.value} {refused.value.remedy}"

    asyncio.run(scenario())


@must("token-storage")
def test_nothing_that_is_kept_or_said_shows_a_token() -> None:
    async def scenario() -> None:
        world = World()
        setting = Setting(world)
        await log_in(setting)
        kept = repr(vars(setting.store))
        for one in setting.store._blobs.values() if hasattr(setting.store, "_blobs") else ():
            kept += repr(one)
        world.answer = lambda grant: (400, {"error": "x y", "error_description": str(grant)})
        setting.clock.advance(3700)
        failure = await shown(setting.person)

        for text in (kept, repr(failure), repr(setting.person._ones["ann"].login)):
            assert "access-1" not in text
            assert "refresh-1" not in text

    asyncio.run(scenario())


def test_logging_out_ends_the_tokens_there_too() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.world.documents[META] = metadata(revocation_endpoint=f"{ISSUER}/revoke")
        await log_in(setting)
        assert await setting.person.log_out("ann")
        assert not await setting.person.log_out("ann")

        ended = [one for one in setting.world.grants if one["endpoint"].endswith("/revoke")]
        assert [one["token"] for one in ended] == ["refresh-1"]
        assert await shown(setting.again()) == {}

    asyncio.run(scenario())


def test_waiting_for_a_login_ends_with_it() -> None:
    async def scenario() -> None:
        setting = Setting()
        since = setting.clock.wall()
        waiting = asyncio.create_task(setting.person.logged_in(ANN, since, 10.0))
        await asyncio.sleep(0)
        await log_in(setting)

        assert await asyncio.wait_for(waiting, 60)
        assert await setting.person.logged_in(ANN, since, 0.0)
        setting.clock.advance(1)
        assert not await setting.person.logged_in(ANN, setting.clock.wall(), 0.0)
        assert not await setting.person.logged_in(BOB, since, 0.0)

    asyncio.run(scenario())


def test_one_account_for_everybody_has_no_page() -> None:
    async def scenario() -> None:
        setting = Setting()
        setting.person = setting.again(one_account=True)
        told = await setting.person.refused(ANN, DEMAND)
        assert isinstance(told, Failure)
        assert "url" not in told.data
        assert "lockgate login files" in str(told.remedy)
        await log_in(setting)

        assert await bearer(setting.person, ANN) == await bearer(setting.person, BOB)
        assert setting.person.partition(ANN) == setting.person.partition(BOB)

    asyncio.run(scenario())
