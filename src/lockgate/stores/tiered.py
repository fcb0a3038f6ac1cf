"""Blobs in several stores, the nearest first: memory, then what replicas share, then a disk.

Must not know: what is kept, or what kind of store each tier is. A tier that is away is passed over.

Reading asks one tier after the other, and what was found further out is kept nearer as well.
Writing returns at once: farther tiers get it behind the call's back, in order, and what they are
too slow for they do not get. Everything outside of the process carries a digest; what fails it was
damaged, or written by somebody else, and counts as absent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import Blobs, StoreGone

MAGIC: Final = b"LGC1"
DIGEST: Final = 16


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    key: str
    expires: float
    groups: list[str]
    value: bytes


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(_Frame).decode


def framed(key: str, value: bytes, expires: float, groups: Sequence[str]) -> bytes:
    """A blob as it is kept outside of the process."""
    body = _pack(_Frame(key, expires, list(groups), value))
    return MAGIC + blake2b(body, digest_size=DIGEST).digest() + body


def unframed(data: bytes, key: str) -> _Frame | None:
    """What `framed` was given, if these bytes are its work for this key."""
    start = len(MAGIC) + DIGEST
    body = data[start:]
    if data[:start] != MAGIC + blake2b(body, digest_size=DIGEST).digest():
        return None
    try:
        frame = _unpack(body)
    except msgspec.MsgspecError:
        return None
    return frame if frame.key == key else None


class _Write(NamedTuple):
    do: Callable[[Blobs], Awaitable[None]]
    size: int
    needed: bool


class Tiered:
    """See the file, and `lockgate.core.store.Blobs`; nothing here raises `StoreGone`."""

    def __init__(
        self,
        near: Blobs | None,
        far: Sequence[tuple[str, Blobs]] = (),
        clock: Clock = SYSTEM,
        *,
        max_waiting: int = 16 * 1024 * 1024,
    ) -> None:
        """Tiers, the nearest first; `max_waiting` bounds the bytes that wait to be written out."""
        self._near = near
        self._far = tuple(far)
        self._clock = clock
        self._max_waiting = max_waiting
        self._writes: deque[_Write] = deque()
        self._waiting = 0
        self._writer: asyncio.Task[None] | None = None
        self._drops = 0
        self.hits = {"memory": 0, **dict.fromkeys((name for name, _ in self._far), 0)}
        self.refused = 0

    async def get(self, key: str, /) -> bytes | None:
        """See `Blobs.get`."""
        if self._near is not None:
            found = await self._near.get(key)
            if found is not None:
                self.hits["memory"] += 1
                return found
        for name, store in self._far:
            found = await self._from(store, key)
            if found is not None:
                self.hits[name] += 1
                return found
        return None

    async def _from(self, store: Blobs, key: str) -> bytes | None:
        drops = self._drops
        try:
            data = await store.get(key)
        except StoreGone:
            return None
        frame = None if data is None else unframed(data, key)
        if frame is None:
            self.refused += data is not None
            return None
        left = frame.expires - self._clock.wall()
        # What was dropped while this was on its way shall not come back.
        if left <= 0 or drops != self._drops:
            return None
        if self._near is not None:
            await self._near.put(key, frame.value, left, frame.groups)
        return frame.value

    async def put(self, key: str, value: bytes, ttl: float, groups: Sequence[str] = (), /) -> None:
        """See `Blobs.put`."""
        if self._near is not None:
            await self._near.put(key, value, ttl, groups)
        if not self._far or ttl <= 0:
            return
        expires = self._clock.wall() + ttl
        data = framed(key, value, expires, groups)

        async def write(store: Blobs) -> None:
            await store.put(key, data, expires - self._clock.wall(), groups)

        self._later(_Write(write, len(data), needed=False))

    async def delete(self, key: str, /) -> None:
        """See `Blobs.delete`."""
        self._drops += 1
        if self._near is not None:
            await self._near.delete(key)
        self._gone("delete", key)

    async def drop(self, group: str, /) -> None:
        """See `Blobs.drop`."""
        self._drops += 1
        if self._near is not None:
            await self._near.drop(group)
        self._gone("drop", group)

    def _gone(self, verb: Literal["delete", "drop"], name: str) -> None:
        async def write(store: Blobs) -> None:
            await (store.delete(name) if verb == "delete" else store.drop(name))

        self._later(_Write(write, 0, needed=True))

    def _later(self, write: _Write) -> None:
        if not self._far or (not write.needed and self._waiting + write.size > self._max_waiting):
            return
        self._writes.append(write)
        self._waiting += write.size
        if len(self._writes) > MOST_WRITES:
            # Only what says that something is over has to be done.
            self._writes = deque(one for one in self._writes if one.needed)
            self._waiting = 0
            while len(self._writes) > MOST_WRITES:
                self._writes.popleft()
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._writes:
            write = self._writes.popleft()
            self._waiting = max(0, self._waiting - write.size)
            for _, store in self._far:
                try:
                    await write.do(store)
                except StoreGone:
                    continue

    async def flush(self) -> None:
        """Wait until everything is written out that will be."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer})

    async def close(self) -> None:
        """Write out what waits, for a moment; the tiers themselves stay open."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait({self._writer}, timeout=1.0)
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)


MOST_WRITES: Final = 10_000
