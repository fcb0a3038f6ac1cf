"""The store in a file: survives the process, `kill -9` included, and is shared by processes here.

Must not know: what is kept. The standard library's sqlite3 in one thread of its own: one writer is
all SQLite has, and a package that does the same would be one more to trust.

Every write is one transaction in write-ahead logging. A killed process loses nothing it was told
was written; a machine that loses power may lose the last moments, never the file's consistency. A
file that is damaged is put aside (`.damaged`) and a new one begun: nothing here is irreplaceable.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import MICRO, Meter, Taken, admit, packed, restored
from lockgate.core.store import Demand, Entry, StoreGone
from lockgate.stores.outage import Outage

T = TypeVar("T")

VERSION: Final = 1
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
TOUCH: Final = 60
"""Seconds between two notes that a blob was used: reading shall not write each time."""
OVERHEAD: Final = 128
FOREIGN_KEYS: Final = "PRAGMA foreign_keys = ON"
SETTINGS: Final = (
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 8388608",
    FOREIGN_KEYS,
)
SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS blobs (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL,
    expires REAL NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blobs_used ON blobs (used, size);
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO total SELECT 1, coalesce(sum(size), 0) FROM blobs;
CREATE TRIGGER IF NOT EXISTS blobs_added AFTER INSERT ON blobs
    BEGIN UPDATE total SET bytes = bytes + NEW.size; END;
CREATE TRIGGER IF NOT EXISTS blobs_gone AFTER DELETE ON blobs
    BEGIN UPDATE total SET bytes = bytes - OLD.size; END;
CREATE INDEX IF NOT EXISTS blobs_expires ON blobs (expires);
CREATE TABLE IF NOT EXISTS members (
    grouped TEXT NOT NULL, key TEXT NOT NULL REFERENCES blobs (key) ON DELETE CASCADE,
    PRIMARY KEY (grouped, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_key ON members (key);
CREATE TABLE IF NOT EXISTS counters (
    key TEXT PRIMARY KEY, state BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_expires ON counters (expires);
CREATE TABLE IF NOT EXISTS journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS journal_stream ON journal (stream, number);
PRAGMA user_version = 1;
COMMIT;
"""


class SqliteStore:
    """See `lockgate.core.store.Store`."""

    def __init__(
        self,
        path: Path | str,
        clock: Clock = SYSTEM,
        *,
        max_bytes: int = 1024 * 1024 * 1024,
        max_entry: int = 16 * 1024 * 1024,
        max_journal: int = 10_000,
        max_waiting: int = 1000,
        busy_seconds: float = 1.0,
    ) -> None:
        """Nothing is opened before the first question.

        Args:
            path: the file; its folder must exist.
            clock: what ages are measured by, by wall time: they outlive the process.
            max_bytes: all blobs together; those used longest ago go first.
            max_entry: the largest blob or journal entry that is kept.
            max_journal: entries of one stream.
            max_waiting: questions that may wait for the file; one more is refused.
            busy_seconds: how long another process may hold the file.
        """
        self._path = Path(path)
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_entry = max_entry
        self._max_journal = max_journal
        self._max_waiting = max_waiting
        self._busy = busy_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lockgate-sqlite")
        self._file: sqlite3.Connection | None = None
        self._outage = Outage(clock)
        self._waiting = 0
        self._closed = False

    async def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` gives, done in the store's thread as one transaction."""
        if self._closed:
            raise StoreGone("The store is closed.")
        self._outage.check()
        if self._waiting >= self._max_waiting:
            raise StoreGone("Too much waits for the file already.")
        self._waiting += 1
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)
        except sqlite3.Error as error:
            raise self._outage.failed(f"SQLite: {error}") from error
        except OSError as error:
            raise self._outage.failed(f"SQLite: {error.strerror}") from error
        finally:
            self._waiting -= 1
        self._outage.answered()
        return done

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            file = self._opened()
            file.execute("BEGIN IMMEDIATE")
            try:
                done = work(file)
            except BaseException:
                file.rollback()
                raise
            file.commit()
        except sqlite3.Error as error:
            self._shut()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
                self._put_aside()
            raise
        return done

    def _opened(self) -> sqlite3.Connection:
        if self._file is not None:
            return self._file
        # Readable by nobody else: answers to one person's questions are kept in it.
        if not self._path.exists():
            self._path.touch(mode=0o600)
        file = sqlite3.connect(
            self._path, timeout=self._busy, isolation_level=None, check_same_thread=False
        )
        try:
            for setting in SETTINGS:
                file.execute(setting).fetchall()
            version = file.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise sqlite3.OperationalError("the file was written by a newer version")
            file.executescript(SCHEMA)
        except BaseException:
            file.close()
            raise
        self._file = file
        return file

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _put_aside(self) -> None:
        for ending in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + ending)
            if part.exists():
                part.replace(part.with_name(part.name + ".damaged"))

    async def take(self, demands: Sequence[Demand], /) -> Taken:
        """See `Counters.take`."""
        now = int(self._clock.wall() * MICRO)

        def work(file: sqlite3.Connection) -> Taken:
            held: list[tuple[Meter, ...]] = []
            for demand in demands:
                keys = [f"{demand.key}\0{rate.text}" for rate in demand.rates]
                held.append(
                    tuple(
                        restored(rate, _one(file, STATE, key), now)
                        for rate, key in zip(demand.rates, keys, strict=True)
                    )
                )
            taken = admit(held, now)
            if taken.wait:
                return taken
            for demand, meters in zip(demands, held, strict=True):
                for rate, one in zip(demand.rates, meters, strict=True):
                    over = now + rate.period * 2 + rate.interval * (rate.burst or 0)
                    file.execute(COUNT, (f"{demand.key}\0{rate.text}", packed(one), over))
            return taken

        return await self._ask(work)

    async def get(self, key: str, /) -> bytes | None:
        """See `Blobs.get`."""
        now = self._clock.wall()

        def work(file: sqlite3.Connection) -> bytes | None:
            row = file.execute("SELECT value, expires, used FROM blobs WHERE key = ?", (key,))
            found = row.fetchone()
            if found is None or found[1] <= now:
                return None
            if now - found[2] > TOUCH:
                file.execute("UPDATE blobs SET used = ? WHERE key = ?", (now, key))
            return found[0] if isinstance(found[0], bytes) else None

        return await self._ask(work)

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """See `Blobs.put`."""
        now = self._clock.wall()
        size = len(key) + len(value) + sum(map(len, groups)) + OVERHEAD

        def work(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM blobs WHERE key = ?", (key,))
            if ttl <= 0 or len(value) > self._max_entry or size > self._max_bytes:
                return
            row = (key, value, size, now + ttl, now)
            file.execute("INSERT INTO blobs VALUES (?, ?, ?, ?, ?)", row)
            file.executemany(
                "INSERT OR IGNORE INTO members VALUES (?, ?)", [(one, key) for one in groups]
            )
            self._evict(file, now, key)

        await self._ask(work)

    def _evict(self, file: sqlite3.Connection, now: float, newest: str) -> None:
        if _sum(file) <= self._max_bytes:
            return
        file.execute("DELETE FROM blobs WHERE expires <= ?", (now,))
        over = _sum(file) - self._max_bytes
        # A little more than needed, so that not every write has to do it again.
        over += self._max_bytes // SPARE if over > 0 else 0
        while over > 0:
            rows: list[tuple[str, int]] = file.execute(OLDEST, (newest,)).fetchall()
            if not rows:
                return
            for key, size in rows:
                if over > 0:
                    file.execute("DELETE FROM blobs WHERE key = ?", (key,))
                over -= size

    async def delete(self, key: str, /) -> None:
        """See `Blobs.delete`."""
        await self._ask(lambda file: file.execute("DELETE FROM blobs WHERE key = ?", (key,)))

    async def drop(self, group: str, /) -> None:
        """See `Blobs.drop`."""
        await self._ask(lambda file: file.execute(DROP, (group,)))

    async def append(self, stream: str, data: bytes, /) -> int:
        """See `Journal.append`."""
        if len(data) > self._max_entry:
            data = b""

        def work(file: sqlite3.Connection) -> int:
            added = file.execute("INSERT INTO journal (stream, data) VALUES (?, ?)", (stream, data))
            file.execute(SHORTEN, (stream, stream, self._max_journal))
            return added.lastrowid or 0

        return await self._ask(work)

    async def read(self, stream: str, after: int = 0, most: int = 100, /) -> list[Entry]:
        """See `Journal.read`."""

        def work(file: sqlite3.Connection) -> list[Entry]:
            rows = file.execute(READ, (stream, after, most))
            return [Entry(number, data) for number, data in rows]

        return await self._ask(work)

    async def sweep(self) -> int:
        """See `Store.sweep`."""
        now = self._clock.wall()

        def work(file: sqlite3.Connection) -> int:
            blobs = file.execute("DELETE FROM blobs WHERE expires <= ?", (now,)).rowcount
            over = (int(now * MICRO),)
            return blobs + file.execute("DELETE FROM counters WHERE expires <= ?", over).rowcount

        swept = await self._ask(work)
        if self._file is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._vacuum)
        return swept

    def _vacuum(self) -> None:
        if self._file is not None:
            self._file.execute("PRAGMA incremental_vacuum").fetchall()

    async def close(self) -> None:
        """See `Store.close`."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
            self._thread.shutdown(wait=False)


STATE: Final = "SELECT state FROM counters WHERE key = ?"
COUNT: Final = "INSERT OR REPLACE INTO counters VALUES (?, ?, ?)"
OLDEST: Final = "SELECT key, size FROM blobs WHERE key != ? ORDER BY used LIMIT 100"
SPARE: Final = 50
DROP: Final = "DELETE FROM blobs WHERE key IN (SELECT key FROM members WHERE grouped = ?)"
READ: Final = "SELECT number, data FROM journal WHERE stream = ? AND number > ? ORDER BY 1 LIMIT ?"
SHORTEN: Final = (
    "DELETE FROM journal WHERE stream = ? AND number <= "
    "(SELECT number FROM journal WHERE stream = ? ORDER BY number DESC LIMIT 1 OFFSET ?)"
)


def _one(file: sqlite3.Connection, statement: str, key: str) -> Any:
    row = file.execute(statement, (key,)).fetchone()
    return None if row is None else row[0]


def _sum(file: sqlite3.Connection) -> int:
    # Kept by triggers: adding all sizes up would cost more with every entry there is.
    return file.execute("SELECT bytes FROM total").fetchone()[0]
