"""The store that replicas share: a Redis or Valkey server.

Must not know: what is kept. Needs the extra `lockgate[redis]`, which is imported when the first
store of this kind is made. One server, or one address that leads to the leading one: the scripts
touch several keys at once, which a cluster would keep in several places.

Each question has a time limit, and after one that failed nobody asks for a moment, so a server that
is away costs a caller no waiting. How much the server keeps is its own setting (`maxmemory`, best
with `allkeys-lru`); everything put here expires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar, cast

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import Rate, Taken, seconds
from lockgate.core.store import SCHEMES, Demand, Entry, StoreGone, StoreMisnamed
from lockgate.stores import redis_scripts
from lockgate.stores.outage import Outage

T = TypeVar("T")

JOURNAL_SECONDS: Final = 7 * 86400


class _Client(Protocol):
    """The part of redis-py's asyncio client that is used."""

    async def get(self, name: str, /) -> bytes | None: ...
    async def set(self, name: str, value: bytes, /, *, px: int) -> object: ...
    async def unlink(self, *names: str) -> int: ...
    async def xrange(
        self, name: str, first: str, last: str, count: int, /
    ) -> list[tuple[bytes, dict[bytes, bytes]]]: ...
    async def aclose(self) -> None: ...
    def register_script(self, script: str, /) -> Callable[..., Awaitable[Any]]: ...


class RedisStore:
    """See `lockgate.core.store.Store`."""

    def __init__(
        self,
        url: str,
        clock: Clock = SYSTEM,
        *,
        prefix: str = "lockgate:",
        max_entry: int = 4 * 1024 * 1024,
        max_journal: int = 10_000,
        timeout: float = 0.5,
        connections: int = 64,
        now: Callable[[], int] | None = None,
    ) -> None:
        """Nothing is connected before the first question.

        Args:
            url: redis://, rediss://, valkey://, valkeys:// or unix://, with credentials if need be.
            clock: what pauses between attempts are measured by.
            prefix: what every key begins with.
            max_entry: the largest blob or journal entry that is kept.
            max_journal: entries of one stream.
            timeout: seconds for connecting, and for one answer.
            connections: open at once; more questions wait, no longer than `timeout`.
            now: microseconds to count by instead of the server's own time; for tests.

        Raises:
            StoreMisnamed: the extra is not installed, or the URL is none.
        """
        self._prefix = prefix
        self._max_entry = max_entry
        self._max_journal = max_journal
        self._timeout = timeout
        self._now = now
        self._outage = Outage(clock)
        self._client, self._refused, self._failed = _connect(url, timeout, connections)
        script = self._client.register_script
        self._take = script(redis_scripts.TAKE)
        self._put = script(redis_scripts.PUT)
        self._drop = script(redis_scripts.DROP)
        self._append = script(redis_scripts.APPEND)

    async def _ask(self, answer: Callable[[], Awaitable[T]]) -> T:
        self._outage.check()
        try:
            async with asyncio.timeout(self._timeout):
                found = await answer()
        except self._refused as error:
            self._outage.answered()
            raise StoreGone(f"The server refused ({type(error).__name__}).") from error
        except (self._failed, OSError, TimeoutError) as error:
            # Its words may quote the URL, and the URL may hold a password.
            why = f"The Redis or Valkey server did not answer ({type(error).__name__})."
            raise self._outage.failed(why) from error
        self._outage.answered()
        return found

    async def take(self, demands: Sequence[Demand], /) -> Taken:
        """See `Counters.take`."""
        keys: list[str] = []
        asked: list[object] = ["" if self._now is None else self._now()]
        for demand in demands:
            for rate in demand.rates:
                keys.append(f"{self._prefix}rate:{demand.key}:{rate.text or _written(rate)}")
                asked += _told(rate)
        wait, at = await self._ask(lambda: self._take(keys, asked))
        return Taken(seconds(int(wait)), *_position(demands, int(at)))

    async def get(self, key: str, /) -> bytes | None:
        """See `Blobs.get`."""
        try:
            return await self._ask(lambda: self._client.get(f"{self._prefix}blob:{key}"))
        except StoreGone as gone:
            if not isinstance(gone.__cause__, self._refused):
                raise
            # Somebody else's value under our name, of another type than ours.
            return None

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """See `Blobs.put`."""
        milliseconds = int(ttl * 1000)
        if milliseconds <= 0 or len(value) > self._max_entry:
            await self.delete(key)
            return
        name = f"{self._prefix}blob:{key}"
        if not groups:
            await self._ask(lambda: self._client.set(name, value, px=milliseconds))
            return
        names = [name, *(f"{self._prefix}group:{one}" for one in groups)]
        await self._ask(lambda: self._put(names, [value, milliseconds]))

    async def delete(self, key: str, /) -> None:
        """See `Blobs.delete`."""
        await self._ask(lambda: self._client.unlink(f"{self._prefix}blob:{key}"))

    async def drop(self, group: str, /) -> None:
        """See `Blobs.drop`."""
        await self._ask(lambda: self._drop([f"{self._prefix}group:{group}"], []))

    async def append(self, stream: str, data: bytes, /) -> int:
        """See `Journal.append`."""
        if len(data) > self._max_entry:
            data = b""
        asked = [data, self._max_journal, JOURNAL_SECONDS * 1000]
        return int(await self._ask(lambda: self._append([f"{self._prefix}log:{stream}"], asked)))

    async def read(self, stream: str, after: int = 0, most: int = 100, /) -> list[Entry]:
        """See `Journal.read`."""
        name, first = f"{self._prefix}log:{stream}", f"{after + 1}-0"
        rows = await self._ask(lambda: self._client.xrange(name, first, "+", most))
        return [Entry(int(number.partition(b"-")[0]), row.get(b"d", b"")) for number, row in rows]

    async def sweep(self) -> int:
        """See `Store.sweep`: the server does it."""
        return 0

    async def close(self) -> None:
        """See `Store.close`."""
        # The server may be gone already, and then there is nothing to say goodbye to.
        with suppress(self._failed, OSError, TimeoutError):
            await self._client.aclose()


def _connect(
    url: str, timeout: float, connections: int
) -> tuple[_Client, type[Exception], type[Exception]]:
    """The client, what it raises when the server refuses, and when it does not answer."""
    try:
        import redis.asyncio as driver  # noqa: PLC0415 - an extra, needed by whoever has this store
        from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415 - as above
    except ImportError as error:
        raise StoreMisnamed(
            "A Redis or Valkey store is configured, and the package for it is not installed.",
            "pip install 'lockgate[redis]'",
        ) from error
    if not url.startswith(SCHEMES):
        raise StoreMisnamed(
            f"{url.partition('://')[0][:20]!r} is no scheme of a Redis or Valkey server.",
            "Write redis://host:6379/0, or rediss:// for TLS.",
        )
    if url.startswith("valkey"):
        url = "redis" + url.removeprefix("valkey")
    try:
        # redis-py leaves the keyword arguments of `from_url` without types.
        made = cast("Callable[..., driver.ConnectionPool]", driver.BlockingConnectionPool.from_url)  # pyright: ignore[reportUnknownMemberType] - as above
        pool = made(
            url,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # Trying again is decided here: what is asked may count, and nobody shall wait.
            retry=None,
            health_check_interval=0,
        )
    except ValueError as error:
        raise StoreMisnamed(
            "The URL of the Redis or Valkey server cannot be read.",
            "Write redis://host:6379/0, or rediss:// for TLS.",
        ) from error
    # `from_pool` hands the pool over: a client that is merely given one never closes it.
    return cast("_Client", driver.Redis.from_pool(pool)), ResponseError, RedisError


def _told(rate: Rate) -> tuple[object, object, object]:
    if rate.burst is None:
        return "w", rate.period, rate.limit
    return "b", rate.interval, rate.burst


def _written(rate: Rate) -> str:
    return f"{rate.limit}/{rate.seconds}/{rate.burst or ''}"


def _position(demands: Sequence[Demand], at: int) -> tuple[int, int]:
    for position, demand in enumerate(demands):
        if at < len(demand.rates):
            return position, at
        at -= len(demand.rates)
    return 0, 0
