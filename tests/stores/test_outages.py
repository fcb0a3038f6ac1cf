"""Stores that go away, come back, are killed or damaged."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lockgate.core.rate import Rate
from lockgate.core.store import Demand, StoreGone, StoreMisnamed
from lockgate.stores.memory import MemoryStore
from lockgate.stores.opening import open_store
from lockgate.stores.outage import Outage
from lockgate.stores.redis import RedisStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from tests.support.valkey import valkey

WRITER = """
import asyncio, sys
from lockgate.stores.sqlite import SqliteStore
from lockgate.core.store import Demand
from lockgate.core.rate import Rate

async def main():
    store = SqliteStore(sys.argv[1])
    for number in range(1_000_000):
        await store.put(str(number), b"x" * 1000, 3600.0, ("all",))
        await store.append("log", str(number).encode())
        await store.take([Demand("who", (Rate(1_000_000, 3600),))])
        print(number, flush=True)

asyncio.run(main())
"""


def test_pauses_grow_and_one_at_a_time_tries() -> None:
    clock = ManualClock()
    outage = Outage(clock, first=1.0, most=4.0, jitter=lambda low, high: high)
    outage.check()
    for pause in (1.0, 2.0, 4.0, 4.0):
        assert str(outage.failed("away")) == "away"
        clock.advance(pause - 0.01)
        with pytest.raises(StoreGone, match="away"):
            outage.check()
        clock.advance(0.01)
        outage.check()
        with pytest.raises(StoreGone):
            outage.check()
    outage.answered()
    outage.check()
    assert not outage.down


async def at_last(store: RedisStore, clock: ManualClock) -> bytes | None:
    """What it holds, as soon as the server answers as quickly as this store wants it to."""
    async with asyncio.timeout(60):
        while True:
            clock.advance(10)
            with suppress(StoreGone):
                return await store.get("1")


def test_valkey_is_killed_silent_and_back() -> None:
    async def run() -> None:
        clock = ManualClock()
        with valkey() as server:
            store = RedisStore(server.url, clock, timeout=20.0)
            await asyncio.gather(*(store.put(str(n), b"1", 60.0) for n in range(20)))
            server.kill()
            with pytest.raises(StoreGone, match="did not answer"):
                await store.get("1")
            began = time.monotonic()
            for _ in range(1000):
                with pytest.raises(StoreGone):
                    await store.take([Demand("who", (Rate(1, 60),))])
            # Waiting for each would take hours.
            assert time.monotonic() - began < 100.0
            server.start()
            clock.advance(10)
            assert await store.get("1") is None
            await store.put("1", b"2", 60.0, ("g",))
            assert (await store.take([Demand("who", (Rate(1, 60),))])).wait == 0.0
            hasty = RedisStore(server.url, clock, timeout=0.3)
            server.pause()
            with pytest.raises(StoreGone):
                await hasty.get("1")
            server.resume()
            assert await at_last(hasty, clock) == b"2"
            await store.close()
            await hasty.close()

    asyncio.run(run())


def test_a_refusal_of_the_server_is_no_outage() -> None:
    async def run() -> None:
        with valkey() as server:
            store = RedisStore(server.url, timeout=5.0)
            await store._client.register_script("redis.call('LPUSH', KEYS[1], 'x')")(
                ["lockgate:blob:list"], []
            )
            assert await store.get("list") is None
            await store.put("list", b"1", 60.0)
            assert await store.get("list") == b"1"
            await store.close()

    asyncio.run(run())


def test_messages_of_a_lost_server_hold_no_credentials() -> None:
    async def run() -> None:
        store = RedisStore("redis://user:hunter2@127.0.0.1:1/0", timeout=1.0)
        with pytest.raises(StoreGone) as gone:
            await store.get("x")
        assert "hunter2" not in str(gone.value)
        await store.close()

    asyncio.run(run())


def test_sqlite_survives_kill_9_with_everything_it_said_was_written(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        said = -1
        while said < 50:
            said = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        said = max([said, *(int(line) for line in child.stdout if line.endswith("\n"))])
    finally:
        child.kill()
        child.wait(60)
        child.stdout.close()

    async def run() -> None:
        store = SqliteStore(path)
        for number in range(said + 1):
            assert await store.get(str(number)) == b"x" * 1000
        entries = await store.read("log", 0, 10_000)
        written = [int(entry.data) for entry in entries]
        assert written[: said + 1] == list(range(said + 1))
        assert len(written) <= said + 2
        await store.close()
        with sqlite3.connect(path) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        file.close()

    asyncio.run(run())


def test_two_processes_count_together(tmp_path: Path) -> None:
    async def run() -> None:
        stores = [SqliteStore(tmp_path / "store.db", busy_seconds=20) for _ in range(2)]
        asked = [Demand("who", (Rate(10, 60),))]
        taken = await asyncio.gather(*(store.take(asked) for store in stores * 20))
        assert sum(one.wait == 0.0 for one in taken) == 10
        for store in stores:
            await store.close()

    asyncio.run(run())


@pytest.mark.parametrize("damage", ["foreign", "torn"])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.db"

    async def run() -> None:
        clock = ManualClock()
        store = SqliteStore(path, clock)
        for number in range(200):
            await store.put(str(number), b"x" * 1000, 3600.0)
        await store.close()
        data = path.read_bytes()
        torn = data[:4096] + b"\xa5" * (len(data) - 4096)
        path.write_bytes(b"no database\n" * 1000 if damage == "foreign" else torn)
        store = SqliteStore(path, clock)
        with pytest.raises(StoreGone):
            await store.put("1", b"1", 60.0)
        clock.advance(10)
        await store.put("1", b"1", 60.0)
        assert await store.get("1") == b"1"
        assert path.with_name("store.db.damaged").exists()
        await store.close()

    asyncio.run(run())


def test_a_file_that_cannot_be_written_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        store = SqliteStore(tmp_path / "later" / "store.db", clock)
        with pytest.raises(StoreGone):
            await store.put("1", b"1", 60.0)
        (tmp_path / "later").mkdir()
        clock.advance(10)
        await store.put("1", b"1", 60.0)
        assert await store.get("1") == b"1"
        assert (tmp_path / "later" / "store.db").stat().st_mode & 0o077 == 0
        await store.close()
        with pytest.raises(StoreGone):
            await store.get("1")

    asyncio.run(run())


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()

    async def run() -> None:
        store = SqliteStore(path)
        with pytest.raises(StoreGone, match="newer"):
            await store.get("x")
        await store.close()

    asyncio.run(run())
    assert not path.with_name("store.db.damaged").exists()


def test_stores_are_spelled_as_urls(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
    assert isinstance(open_store("sqlite:x.db", folder=tmp_path), SqliteStore)
    assert isinstance(open_store("valkeys://h:1/0"), RedisStore)
    for url in ("http://secret@host", "", "sqlite"):
        with pytest.raises(StoreMisnamed) as refused:
            open_store(url)
        assert "secret" not in str(refused.value)


def test_the_size_of_a_file_is_counted_over_everything_that_ends_a_blob(tmp_path: Path) -> None:
    async def run() -> None:
        clock = ManualClock()
        store = SqliteStore(tmp_path / "store.db", clock, max_bytes=10_000)
        for number in range(30):
            await store.put(str(number % 20), b"x" * (100 * number), 10.0 + number, ("g",))
        await store.delete("3")
        clock.advance(20)
        await store.sweep()
        await store.put("other", b"y", 60.0)
        await store.close()
        with sqlite3.connect(tmp_path / "store.db") as file:
            kept, counted = "SELECT sum(size) FROM blobs", "SELECT bytes FROM total"
            assert file.execute(kept).fetchone() == file.execute(counted).fetchone()
        file.close()
        store = SqliteStore(tmp_path / "store.db", clock)
        await store.drop("g")
        assert await store.get("other") == b"y"
        await store.close()

    asyncio.run(run())


def test_a_closed_store_leaves_no_connection() -> None:
    async def test() -> None:
        with valkey() as server:
            store = RedisStore(server.url)
            await asyncio.gather(*(store.get(str(number)) for number in range(8)))
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

            async def connected() -> int:
                writer.write(b"CLIENT LIST\r\n")
                size = int((await reader.readline())[1:])
                return (await reader.readexactly(size + 2)).count(b" addr=")

            assert await connected() > 1
            await store.close()
            async with asyncio.timeout(60):
                while await connected() > 1:
                    pass  # the server is busy with nothing else
            writer.close()
            server.kill()
            gone = RedisStore(server.url)
            with pytest.raises(StoreGone):
                await gone.get("x")
            await gone.close()

    asyncio.run(test())
