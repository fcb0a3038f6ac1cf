"""A store from how the configuration spells it; the one place that knows every kind.

Must not know: what is kept in them.
"""

from __future__ import annotations

from pathlib import Path

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import MEMORY, SCHEMES, SQLITE, Store, StoreMisnamed
from lockgate.stores.memory import MemoryStore
from lockgate.stores.redis import RedisStore
from lockgate.stores.sqlite import SqliteStore


def open_store(url: str, clock: Clock = SYSTEM, folder: Path | None = None) -> Store:
    """The store a URL names: `memory:`, `sqlite:PATH` or `redis://HOST` and its relatives.

    A relative path starts at `folder`. Nothing is opened or connected yet.

    Raises:
        StoreMisnamed: it names none, or needs an extra that is not installed.
    """
    if url == MEMORY:
        return MemoryStore(clock)
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        return SqliteStore(path if folder is None else folder / path, clock)
    if url.startswith(SCHEMES):
        return RedisStore(url, clock)
    raise StoreMisnamed(
        "This is no address of a store.",
        "Write redis://host:6379/0, valkey://host:6379/0 or sqlite:PATH.",
    )
