"""Bytes of owners over a store: what leaves the process is sealed, for its owner and its place.

Must not know: what the bytes are, or who asks for them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from lockgate.core.clock import Clock
from lockgate.core.store import Blobs
from lockgate.stores.memory import MemoryStore
from lockgate.wire.seal import BadSeal, KeyRing

_PURPOSE: Final = "result"


class Sealed:
    """Puts and gets. Everything is kept for the same time."""

    def __init__(self, store: Blobs, keys: KeyRing, *, ttl: float, clock: Clock) -> None:
        """`keys` seal what is kept anywhere but in this process; `ttl` in seconds."""
        self._store = store
        self._keys = keys
        self.ttl: Final = ttl
        self.clock: Final = clock
        self.near: Final = isinstance(store, MemoryStore)
        """Whether it is all in this process."""

    async def put(self, owner: str, key: str, data: bytes) -> None:
        """Keep `data` of an owner, in place of what was there.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        if not self.near:
            now, bind = self.clock.wall(), f"{key}\0{owner}"
            data = self._keys.seal(_PURPOSE, data, now=now, ttl=self.ttl, bind=bind).encode()
        await self._store.put(key, data, self.ttl)

    async def get(self, owner: str, key: str) -> bytes | None:
        """What an owner has there; None: nothing, or nothing of its own.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        data = await self._store.get(key)
        if data is None or self.near:
            return data
        try:
            now, bind = self.clock.wall(), f"{key}\0{owner}"
            return self._keys.open(_PURPOSE, data.decode("ascii"), now=now, bind=bind)
        except (BadSeal, UnicodeDecodeError):
            return None

    async def delete(self, key: str) -> None:
        """Forget what is there.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        await self._store.delete(key)


def place(kind: str, owner: str, name: str) -> str:
    """The key of something of an owner."""
    whose = sha256(owner.encode(errors="surrogatepass")).hexdigest()[:32]
    return f"{kind}:{whose}:{name}"
