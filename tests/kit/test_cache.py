"""Answers are given again to whom they belong, for as long as was said, from the nearest tier."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lockgate.core.store import StoreGone
from lockgate.kit import cache, errors, request
from lockgate.stores.memory import MemoryStore
from lockgate.stores.tiered import framed
from lockgate.testing import ManualClock
from tests.kit.servers import called, sdk
from tests.support.valkey import valkey
from tests.support.waiting import settle


class Asked:
    """A function that counts, and may fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    async def work(self, city: str, days: int = 1) -> dict[str, Any]:
        self.calls += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {"city": city, "days": days, "call": self.calls}


def kept(ttl: float = 60, **options: Any) -> tuple[Asked, cache.Cached[Any, Any], ManualClock, Any]:
    clock = ManualClock()
    asked = Asked()
    made = cache.Cache(clock=clock)
    return asked, made.keep(ttl, **options)(asked.work), clock, made


def test_an_answer_is_given_again_until_its_time_is_over() -> None:
    async def run() -> None:
        asked, work, clock, made = kept(60)
        first = await work("Oslo")
        assert await work("Oslo") == first
        assert await work(city="Oslo", days=1) == first
        assert (await work("Oslo", 2))["call"] == 2
        clock.advance(61)
        assert (await work("Oslo"))["call"] == 3
        assert asked.calls == 3
        assert made.counts["hits"] == 2

    asyncio.run(run())


def test_many_who_want_the_same_at_once_ask_once() -> None:
    async def run() -> None:
        asked, work, _, made = kept()
        found = await asyncio.gather(*(work("Oslo") for _ in range(20)))
        assert asked.calls == 1
        assert all(one == found[0] for one in found)
        found[0]["city"] = "changed"
        assert (await work("Oslo"))["city"] == "Oslo"
        assert made.counts["joined"] == 19

    asyncio.run(run())


def test_whoever_asks_may_go_away_and_another_asks() -> None:
    async def run() -> None:
        asked, work, _, _ = kept()
        first = asyncio.ensure_future(work("Oslo"))
        second = asyncio.ensure_future(work("Oslo"))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second)["city"] == "Oslo"
        assert asked.calls == 2

    asyncio.run(run())


def test_each_caller_has_its_own_unless_it_is_for_everyone() -> None:
    async def run() -> None:
        for per, calls in (("caller", 3), ("everyone", 1)):
            asked, work, _, _ = kept(per=per)
            for who in ("alice", "bob", ""):
                with request.given(caller=who):
                    await work("Oslo")
                    await work("Oslo")
            assert asked.calls == calls

    asyncio.run(run())


def test_what_cannot_answer_is_answered_for_and_what_refuses_is_not() -> None:
    async def run() -> None:
        asked, work, clock, made = kept(60, stale=30)
        first = await work("Oslo")
        clock.advance(61)
        for error in (errors.Unavailable("down"), TimeoutError(), ConnectionError()):
            asked.error = error
            assert await work("Oslo") == first
        assert made.counts["stale"] == 3
        for error in (errors.NotFound("gone"), KeyError("x")):
            asked.error = error
            with pytest.raises(type(error)):
                await work("Oslo")
        asked.error = errors.Unavailable("down")
        clock.advance(30)
        with pytest.raises(errors.Unavailable, match="down"):
            await work("Oslo")

    asyncio.run(run())


def test_an_error_is_not_kept_and_each_who_waits_gets_its_own() -> None:
    async def run() -> None:
        asked, work, _, _ = kept()
        asked.error = KeyError("x")
        found = await asyncio.gather(*(work("Oslo") for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, KeyError) for one in found)
        asked.error = None
        assert (await work("Oslo"))["city"] == "Oslo"

    asyncio.run(run())


def test_answers_can_be_forgotten_and_have_a_version() -> None:
    async def run() -> None:
        asked, work, _, _ = kept()
        await work("Oslo")
        await work.forget()
        assert (await work("Oslo"))["call"] == 2
        store = MemoryStore()
        for version, calls in (("1", 1), ("1", 1), ("2", 2)):
            made = cache.Cache(stores=[("shared", store)])
            found = await made.keep(60, version=version)(asked.work)("Bergen")
            await made.close()
            assert found["call"] == 2 + calls

    asyncio.run(run())


@dataclass
class Weather:
    city: str
    degrees: list[float]


def test_a_type_comes_back_as_that_type() -> None:
    async def run() -> None:
        @cache.Cache().keep(60, returns=Weather)
        async def weather(city: str) -> Weather:
            return Weather(city, [1.5])

        assert await weather("Oslo") == await weather("Oslo") == Weather("Oslo", [1.5])

    asyncio.run(run())


def test_what_another_version_kept_of_another_type_is_asked_for_anew() -> None:
    async def run() -> None:
        store = MemoryStore()
        asked = Asked()
        made = cache.Cache(stores=[("shared", store)])
        await made.keep(60)(asked.work)("Oslo")
        await made.close()
        newer = cache.Cache(stores=[("shared", store)])
        work = newer.keep(60, returns=dict[str, str | int])(asked.work)
        assert (await work("Oslo"))["call"] == 1
        odd = cache.Cache(stores=[("shared", store)]).keep(60, returns=list[int])(asked.work)
        assert (await odd("Oslo"))["call"] == 2

    asyncio.run(run())


def test_what_json_cannot_say_is_refused_and_names_are_one_each() -> None:
    made = cache.Cache()

    @made.keep(60)
    async def work(value: object) -> object:
        return value

    with pytest.raises(TypeError, match="have to be JSON"):
        asyncio.run(work(object()))
    with pytest.raises(TypeError, match="share a name"):
        made.keep(60)(work)
    with pytest.raises(TypeError, match="async"):
        made.keep(60)(lambda: 1)  # type: ignore[arg-type,return-value] # pyright: ignore[reportArgumentType] - that is the test


def test_a_file_keeps_it_for_the_next_process_and_damage_is_passed_over(tmp_path: Path) -> None:
    async def run() -> None:
        asked = Asked()
        for _ in range(2):
            made = cache.Cache(sqlite=tmp_path / "kept.sqlite")
            assert (await made.keep(60)(asked.work)("Oslo"))["call"] == 1
            await made.close()
        (tmp_path / "kept.sqlite").write_bytes(b"no database at all" * 100)
        made = cache.Cache(sqlite=tmp_path / "kept.sqlite")
        assert (await made.keep(60)(asked.work)("Oslo"))["call"] == 2
        await made.close()

    asyncio.run(run())


def test_replicas_share_what_is_kept_in_valkey_and_do_without_it() -> None:
    async def run() -> None:
        asked = Asked()
        with valkey() as server:
            one, other = cache.Cache(redis=server.url), cache.Cache(redis=server.url)
            await one.keep(60)(asked.work)("Oslo")
            await one.close()
            shared = other.keep(60)(asked.work)
            assert (await shared("Oslo"))["call"] == 1
            server.kill()
            assert (await shared("Oslo"))["call"] == 1
            assert (await shared("Bergen"))["call"] == 2
            await other.close()

    asyncio.run(run())


def test_a_tier_that_is_away_or_says_what_it_was_not_told_is_passed_over() -> None:
    class Away(MemoryStore):
        async def get(self, key: str, /) -> bytes | None:
            raise StoreGone("away")

    class Forged(MemoryStore):
        async def get(self, key: str, /) -> bytes | None:
            return framed("another key", b'{"v": "forged"}', 9e9, [])

    async def run() -> None:
        for store in (Away(), Forged()):
            asked = Asked()
            made = cache.Cache(stores=[("far", store)])
            assert (await made.keep(60)(asked.work)("Oslo"))["call"] == 1
            await settle()
            await made.close()

    asyncio.run(run())


@pytest.mark.parametrize("number", [0, 1])
def test_a_tool_of_an_sdk_is_kept_whatever_context_it_is_given(number: int) -> None:
    import fastmcp
    from mcp.server.mcpserver import Context

    server = sdk(number)
    calls = 0

    async def weather(city: str, ctx: Any) -> str:
        nonlocal calls
        calls += 1
        assert ctx is not None
        return f"{city} {calls}"

    weather.__annotations__["ctx"] = Context if number == 0 else fastmcp.Context
    server.tool()(cache.Cache().keep(60, per="everyone")(weather))

    async def run() -> None:
        assert await called(server, "weather", city="Oslo") == (False, "Oslo 1")
        assert await called(server, "weather", city="Oslo") == (False, "Oslo 1")

    asyncio.run(run())
