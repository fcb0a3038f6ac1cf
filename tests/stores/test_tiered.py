from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.store import StoreGone
from lockgate.stores.memory import MemoryStore
from lockgate.stores.redis import RedisStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.stores.tiered import Tiered, framed, unframed
from lockgate.testing import ManualClock
from tests.support.valkey import valkey


class Away(MemoryStore):
    """A store that can be away, or slow."""

    away = False
    gate: asyncio.Event | None = None

    async def get(self, key: str, /) -> bytes | None:
        if self.away:
            raise StoreGone("away")
        if self.gate is not None:
            await self.gate.wait()
        return await super().get(key)

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        if self.away:
            raise StoreGone("away")
        await super().put(key, value, ttl, groups)


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.near = MemoryStore(self.clock)
        self.middle, self.disk = Away(self.clock), Away(self.clock)
        far = [("shared", self.middle), ("disk", self.disk)]
        self.tiers = Tiered(self.near, far, self.clock)


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test(World())

    asyncio.run(bounded())


def test_what_is_found_far_out_is_kept_near() -> None:
    async def test(w: World) -> None:
        await w.tiers.put("k", b"v", 10.0, ["g"])
        await w.tiers.flush()
        await w.near.delete("k")
        await w.middle.delete("k")
        assert await w.tiers.get("k") == b"v"
        assert await w.tiers.get("k") == b"v"
        assert w.tiers.hits == {"memory": 1, "shared": 0, "disk": 1}
        # With the time it has left, and in its groups.
        w.clock.advance(9.9)
        assert await w.near.get("k") == b"v"
        await w.tiers.drop("g")
        await w.tiers.flush()
        found = [await store.get("k") for store in (w.near, w.middle, w.disk)]
        assert found == [None] * 3

    run(test)


def test_time_runs_in_every_tier() -> None:
    async def test(w: World) -> None:
        await w.tiers.put("k", b"v", 10.0)
        await w.tiers.flush()
        w.clock.advance(10)
        assert await w.tiers.get("k") is None

    run(test)


def test_tiers_that_are_away_are_passed_over() -> None:
    async def test(w: World) -> None:
        w.middle.away = True
        await w.tiers.put("k", b"v", 10.0)
        await w.tiers.flush()
        await w.near.delete("k")
        assert await w.tiers.get("k") == b"v"
        w.disk.away = True
        await w.near.delete("k")
        assert await w.tiers.get("k") is None
        await w.tiers.put("k", b"w", 10.0)
        assert await w.tiers.get("k") == b"w"

    run(test)


@pytest.mark.parametrize("foreign", [b"", b"junk", b"LGC1" + b"\0" * 40, None, "flipped", "other"])
def test_damaged_and_foreign_entries_are_misses(foreign: bytes | str | None) -> None:
    async def test(w: World) -> None:
        right = framed("k", b"v" * 100, w.clock.wall() + 10, ["g"])
        if foreign == "flipped":
            data = right[:50] + bytes([right[50] ^ 1]) + right[51:]
        elif foreign == "other":
            data = framed("another", b"theirs", w.clock.wall() + 10, [])
        else:
            data = foreign if isinstance(foreign, bytes) else framed("k", b"v", 0.0, [])
        await w.middle.put("k", data, 10.0)
        assert await w.tiers.get("k") is None
        await w.disk.put("k", right, 10.0)
        assert await w.tiers.get("k") == b"v" * 100

    run(test)


@given(st.binary(max_size=200))
def test_no_bytes_but_its_own_are_taken(data: bytes) -> None:
    assert unframed(data, "k") is None


def test_what_was_dropped_on_the_way_does_not_come_back() -> None:
    async def test(w: World) -> None:
        await w.tiers.put("k", b"v", 10.0, ["g"])
        await w.tiers.flush()
        await w.near.delete("k")
        w.middle.gate = asyncio.Event()
        reading = asyncio.ensure_future(w.tiers.get("k"))
        await asyncio.sleep(0)
        await w.tiers.drop("g")
        w.middle.gate.set()
        assert await reading is None
        assert await w.near.get("k") is None

    run(test)


def test_what_waits_to_be_written_is_bounded_and_drops_are_not_lost() -> None:
    async def test(w: World) -> None:
        tiers = Tiered(None, [("disk", w.disk)], w.clock, max_waiting=10_000)
        await tiers.put("first", b"x", 10.0, ["g"])
        for number in range(100):
            await tiers.put(str(number), b"x" * 1000, 10.0, ["g"])
        await tiers.drop("g")
        await tiers.put("last", b"x", 10.0)
        await tiers.flush()
        assert await tiers.get("first") is None
        assert all([await w.disk.get(str(number)) is None for number in range(100)])
        await tiers.close()

    run(test)


def test_three_real_tiers(tmp_path: Path) -> None:
    async def test(_: World) -> None:
        with valkey() as server:
            disk, shared = SqliteStore(tmp_path / "x.db"), RedisStore(server.url, timeout=5.0)
            one = Tiered(MemoryStore(), [("shared", shared), ("disk", disk)])
            other = Tiered(MemoryStore(), [("shared", shared)])
            await one.put("k", b"\0v", 60.0, ["g"])
            await one.flush()
            assert await other.get("k") == b"\0v"
            server.kill()
            again = Tiered(MemoryStore(), [("shared", shared), ("disk", disk)])
            assert await again.get("k") == b"\0v"
            assert again.hits == {"memory": 0, "shared": 0, "disk": 1}
            await again.drop("g")
            await again.flush()
            assert await disk.get("k") is None
            for tiers in (one, other, again):
                await tiers.close()
            await disk.close()
            await shared.close()

    run(test)
