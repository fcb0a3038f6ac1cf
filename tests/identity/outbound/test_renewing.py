"""Logins are renewed by one process at a time, and what is kept is never older than what is known.

The authorization server here ends a login whose refresh token comes a second time, as many do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lockgate.core.message import Failure
from lockgate.core.store import StoreGone
from lockgate.identity.fetch import Fetched
from lockgate.identity.outbound import owned
from lockgate.stores.memory import MemoryStore
from tests.identity.outbound.provider import Setting, World
from tests.identity.outbound.test_person import ANN, bearer, log_in, shown
from tests.security.musts import must


class Rotating(World):
    """Each refresh token is good once; what renews waits until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = self.rotate
        self.ended = False
        self.through = asyncio.Event()
        self.through.set()
        self.waiting = asyncio.Event()

    def rotate(self, grant: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if "refresh_token" in grant and grant["refresh_token"] != f"refresh-{self.given}":
            self.ended = True
        return (400, {"error": "invalid_grant"}) if self.ended else self.token(grant)

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        most: int = 0,
        within: float = 0,
    ) -> Fetched:
        if b"grant_type=refresh_token" in body:
            self.waiting.set()
            await self.through.wait()
        return await super().__call__(method, url, headers=headers, body=body)


class Leaky(MemoryStore):
    """A store that takes nothing while it is `full`."""

    full = False

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        if self.full:
            raise StoreGone("it takes nothing")
        await super().put(key, value, ttl, groups)


def renewals(world: World) -> list[str]:
    """The refresh tokens that were shown."""
    return [one["refresh_token"] for one in world.grants if "refresh_token" in one]


@must("refresh-once")
def test_two_processes_never_show_the_same_refresh_token() -> None:
    async def scenario() -> None:
        world = Rotating()
        setting = Setting(world)
        await log_in(setting)
        other = setting.again()
        assert await bearer(other) == b"Bearer access-1"
        setting.clock.advance(3700)
        world.through.clear()

        both = asyncio.gather(bearer(setting.person), bearer(other))
        await world.waiting.wait()
        # Long enough for the second one to have come as far as the first.
        await asyncio.sleep(owned.POLL * 1.5)
        world.through.set()

        assert await both == [b"Bearer access-2"] * 2
        assert renewals(world) == ["refresh-1"]
        for number in (3, 4):
            setting.clock.advance(3700)
            found = await asyncio.gather(bearer(setting.person), bearer(other))
            assert found == [f"Bearer access-{number}".encode()] * 2
        assert not world.ended

    asyncio.run(asyncio.wait_for(scenario(), 60))


@must("refresh-once")
def test_who_crashed_while_renewing_holds_others_up_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owned, "PATIENCE", 2)
    monkeypatch.setattr(owned, "POLL", 0.01)

    async def scenario() -> None:
        setting = Setting(Rotating())
        await log_in(setting)
        setting.clock.advance(3700)
        assert await setting.vault.first("refresh", "refresh-1", 45)

        told = await shown(setting.person)
        assert isinstance(told, Failure)
        assert told.reason == "token-unavailable"
        assert renewals(setting.world) == []
        setting.clock.advance(46)
        assert await bearer(setting.person) == b"Bearer access-2"

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_what_the_store_did_not_take_is_not_forgotten_for_what_it_has() -> None:
    async def scenario() -> None:
        world = Rotating()
        setting = Setting(world)
        store = Leaky(setting.clock)
        setting.store = store
        setting.person = setting.again()
        await log_in(setting)
        store.full = True
        setting.clock.advance(3700)
        assert await bearer(setting.person) == b"Bearer access-2"
        store.full = False
        setting.clock.advance(3700)

        assert await bearer(setting.person) == b"Bearer access-3"
        assert renewals(world) == ["refresh-1", "refresh-2"]
        assert not world.ended
        assert await bearer(setting.again()) == b"Bearer access-3"

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_who_logged_out_elsewhere_stays_logged_out() -> None:
    async def scenario() -> None:
        setting = Setting(Rotating())
        await log_in(setting)
        other = setting.again()
        assert await bearer(other) == b"Bearer access-1"
        assert await setting.person.log_out("ann")
        setting.clock.advance(3700)

        told = await shown(other)
        assert isinstance(told, Failure)
        assert told.reason == "login-required"
        assert renewals(setting.world) == []
        assert await shown(setting.again()) == {}

    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_login_made_anew_while_one_is_renewed_counts(where: str) -> None:
    async def scenario() -> None:
        world = Rotating()
        setting = Setting(world)
        await log_in(setting)
        person = setting.person
        setting.clock.advance(3700)
        world.through.clear()
        renewing = asyncio.ensure_future(bearer(person))
        await world.waiting.wait()
        if where == "elsewhere":
            setting.person = setting.again()
        world.given = 40
        await log_in(setting)
        world.given = 1
        world.through.set()

        assert await renewing == b"Bearer access-41"
        assert await bearer(person) == b"Bearer access-41"
        assert await bearer(setting.again()) == b"Bearer access-41"

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_two_refusals_of_one_token_are_one_renewal() -> None:
    async def scenario() -> None:
        world = Rotating()
        setting = Setting(world)
        await log_in(setting)
        refused = [setting.person.refused(ANN, 'Bearer error="invalid_token"') for _ in range(5)]

        assert await asyncio.gather(*refused) == [True] * 5
        assert renewals(world) == ["refresh-1"]
        assert await bearer(setting.person) == b"Bearer access-2"

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_client_that_is_forgotten_there_is_registered_anew() -> None:
    async def scenario() -> None:
        world = Rotating()
        setting = Setting(world)
        await log_in(setting)
        world.answer = lambda _: (401, {"error": "invalid_client"})
        setting.clock.advance(3700)
        assert (await shown(setting.person)).reason == "login-required"
        world.answer = world.token

        asked = await log_in(setting)

        assert asked["client_id"] == ["client-2"]
        assert await bearer(setting.person) == b"Bearer access-2"

    asyncio.run(asyncio.wait_for(scenario(), 60))
