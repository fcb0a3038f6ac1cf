"""Large things kept for a while, each for the one it belongs to, under a handle it can show.

Must not know: what is kept, how it is shown, or how handles travel.

A handle is twelve characters that follow from the owner and the thing, and twelve that sign them
for that owner. So the same thing kept again has the same handle; a handle somebody else shows is
no handle, and is known for that without asking the store. What is kept anywhere but in this process
is sealed, bound to its owner and its place (`lockgate.wire.seal`).

Bounded: each thing by `largest`, an owner's by `per_owner` (the oldest of theirs goes first), all
together by the store (what was used longest ago goes first). A thing of which a part is gone is
gone.
"""

from __future__ import annotations

from base64 import b32encode, urlsafe_b64decode
from collections import OrderedDict
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import Blobs
from lockgate.stores.memory import MemoryStore
from lockgate.wire.seal import BadSeal, KeyRing

MIB: Final = 1024 * 1024
HANDLE: Final = 24
_HALF: Final = 12
_PART: Final = 512 * 1024
_MOST_OWNERS: Final = 10_000
_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_PURPOSE: Final = "result"
_SIGNED: Final = "result handle"


class Gone(Exception):
    """There is nothing under this handle for this owner: it is over, went, or never was."""

    def __init__(self) -> None:
        super().__init__("There is no such result for this caller, or no longer.")


class TooLarge(Exception):
    """A thing is larger than what is kept."""


class About(msgspec.Struct, frozen=True):
    """What is known of a thing that is kept.

    json     it is a JSON document.
    binary   it is no text.
    origins  what it came from, in whatever words its keeper has for that.
    expires  when it goes, on the wall clock.
    """

    mime: str = "text/plain"
    name: str = "result"
    json: bool = False
    binary: bool = False
    origins: tuple[tuple[str, ...], ...] = ()
    expires: float = 0.0


class Deposit(msgspec.Struct, frozen=True):
    """A thing that is kept."""

    about: About
    data: bytes


class _Head(msgspec.Struct, frozen=True):
    parts: int
    about: About


class Deposits:
    """Things kept over a store."""

    def __init__(
        self,
        store: Blobs,
        keys: KeyRing,
        *,
        ttl: float,
        largest: int = 16 * MIB,
        per_owner: int = 32 * MIB,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is kept yet.

        Args:
            store: where; whatever it is, things of other keepers may be in it.
            keys: sign handles and seal what leaves the process.
            ttl: seconds each is kept.
            largest: bytes of one.
            per_owner: bytes of one owner's together, as far as they were kept by this process.
            clock: what ages are measured by.
        """
        self._store = store
        self._keys = keys
        self._ttl = ttl
        self._clock = clock
        self.largest: Final = largest
        self._per_owner = per_owner
        self._sealed = not isinstance(store, MemoryStore)
        self._owned: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    async def keep(self, owner: str, data: bytes, about: About) -> str:
        """Keep a thing for its owner; returns its handle.

        Raises:
            TooLarge: it is larger than what is kept.
            StoreGone: the store cannot be asked now.
        """
        if len(data) > self.largest:
            raise TooLarge(f"{len(data)} bytes, of {self.largest} at most")
        about = msgspec.structs.replace(about, expires=self._clock.wall() + self._ttl)
        handle = self._handle(owner, data, about)
        place = self._place(owner, handle)
        parts = [data[start : start + _PART] for start in range(0, len(data), _PART)] or [b""]
        head = msgspec.json.encode(_Head(len(parts), about)) + b"\n"
        # The first last: with it, all of it is there.
        for number in range(len(parts) - 1, 0, -1):
            await self._put(owner, f"{place}.{number}", parts[number])
        await self._put(owner, place, head + parts[0])
        await self._count(owner, handle, len(data))
        return handle

    async def take(self, owner: str, handle: str) -> Deposit:
        """What an owner has under a handle.

        Raises:
            Gone: nothing, or no longer.
            StoreGone: the store cannot be asked now.
        """
        if not self.signed(owner, handle):
            raise Gone
        place = self._place(owner, handle)
        first = await self._get(owner, place)
        written, _, data = first.partition(b"\n")
        head = msgspec.json.decode(written, type=_Head)
        if self._clock.wall() >= head.about.expires:
            raise Gone
        if head.parts > 1:
            more = [await self._get(owner, f"{place}.{n}") for n in range(1, head.parts)]
            data = b"".join((data, *more))
        return Deposit(head.about, data)

    async def forget(self, owner: str, handle: str) -> None:
        """Let go of what an owner has under a handle, if there is anything."""
        if self.signed(owner, handle):
            size = self._owned.get(owner, OrderedDict[str, int]()).pop(handle, self.largest)
            await self._forget(owner, handle, size)

    def signed(self, owner: str, handle: str) -> bool:
        """Whether a handle was given to this owner, whatever has become of the thing."""
        if not formed(handle):
            return False
        # By any of the keys, so that handles outlive a turn of them.
        signs = [_short(one) for one in self._keys.marks(_SIGNED, handle[:_HALF], bind=owner)]
        return any(compare_digest(handle[_HALF:], sign) for sign in signs)

    def _handle(self, owner: str, data: bytes, about: About) -> str:
        told = msgspec.json.encode([about.name, about.mime, about.origins])
        digest = sha256(told + b"\0" + data).hexdigest()
        name = _short(self._keys.mark(_PURPOSE, digest, bind=owner))
        return name + _short(self._keys.mark(_SIGNED, name, bind=owner))

    @staticmethod
    def _place(owner: str, handle: str) -> str:
        whose = sha256(owner.encode(errors="surrogatepass")).hexdigest()[:32]
        return f"result:{whose}:{handle}"

    async def _put(self, owner: str, key: str, data: bytes) -> None:
        if self._sealed:
            now, bind = self._clock.wall(), f"{key}\0{owner}"
            data = self._keys.seal(_PURPOSE, data, now=now, ttl=self._ttl, bind=bind).encode()
        await self._store.put(key, data, self._ttl)

    async def _get(self, owner: str, key: str) -> bytes:
        data = await self._store.get(key)
        if data is None:
            raise Gone
        if not self._sealed:
            return data
        try:
            now, bind = self._clock.wall(), f"{key}\0{owner}"
            return self._keys.open(_PURPOSE, data.decode("ascii"), now=now, bind=bind)
        except (BadSeal, UnicodeDecodeError):
            raise Gone from None

    async def _count(self, owner: str, handle: str, size: int) -> None:
        """Keep an owner within its bytes; its oldest goes first."""
        owned = self._owned.setdefault(owner, OrderedDict())
        self._owned.move_to_end(owner)
        owned.pop(handle, None)
        owned[handle] = size
        while sum(owned.values()) > self._per_owner and len(owned) > 1:
            await self._forget(owner, *owned.popitem(last=False))
        while len(self._owned) > _MOST_OWNERS:
            self._owned.popitem(last=False)

    async def _forget(self, owner: str, handle: str, size: int) -> None:
        place = self._place(owner, handle)
        await self._store.delete(place)
        for number in range(1, -(-size // _PART)):
            await self._store.delete(f"{place}.{number}")


def formed(handle: str) -> bool:
    """Whether a text looks like a handle."""
    return len(handle) == HANDLE and _ALPHABET.issuperset(handle)


def _short(mark: str) -> str:
    return b32encode(urlsafe_b64decode(mark))[:_HALF].decode().lower()
