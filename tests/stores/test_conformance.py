from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from lockgate.core.store import Store
from lockgate.stores.memory import MemoryStore
from lockgate.stores.redis import RedisStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from lockgate.testing.stores import StoreConformance
from tests.support.valkey import Valkey, valkey


class _OnManualClock(StoreConformance):
    def setup_method(self) -> None:
        self.clock = ManualClock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestMemory(_OnManualClock):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        store = MemoryStore(
            self.clock,
            max_bytes=self.max_bytes or 0,
            max_entry=self.max_entry,
            max_journal=self.max_journal,
        )
        yield store
        await store.close()


class TestSqlite(_OnManualClock):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteStore(
                Path(folder) / "store.db",
                self.clock,
                max_bytes=self.max_bytes or 0,
                max_entry=self.max_entry,
                max_journal=self.max_journal,
            )
            yield store
            await store.close()


class TestValkey(StoreConformance):
    exact = False
    max_bytes = None
    server: ClassVar[Valkey]
    numbers: ClassVar[Iterator[int]] = itertools.count()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _server(cls) -> Iterator[None]:
        with valkey() as server:
            cls.server = server
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        store = RedisStore(
            self.server.url,
            prefix=f"test{next(self.numbers)}:",
            max_entry=self.max_entry,
            max_journal=self.max_journal,
            timeout=5.0,
        )
        yield store
        await store.close()

    async def pass_time(self, seconds: float) -> None:
        # The server counts by its own clock, and time it has to be.
        await asyncio.sleep(seconds)
