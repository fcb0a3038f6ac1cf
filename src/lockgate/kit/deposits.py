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
from itertools import pairwise
from typing import Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import Blobs
from lockgate.kit.sealed import Sealed, place
from lockgate.wire.seal import KeyRing

MIB: Final = 1024 * 1024
HANDLE: Final = 24
_HALF: Final = 12
_PART: Final = 512 * 1024
_FIRST: Final = 8 * 1024
"""Bytes that are kept with what is known of a thing; so that is read without the rest."""
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
    size     bytes of it.
    told     what its keeper says of it to whoever asks what there is.
    since, expires  when it was kept and when it goes, on the wall clock.
    """

    mime: str = "text/plain"
    name: str = "result"
    json: bool = False
    binary: bool = False
    origins: tuple[tuple[str, ...], ...] = ()
    size: int = 0
    told: tuple[str, ...] = ()
    since: float = 0.0
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
        self._keys = keys
        self.largest: Final = largest
        self._per_owner = per_owner
        self.sealed: Final = Sealed(store, keys, ttl=ttl, clock=clock)
        """Where they are, for whoever keeps something beside them."""
        self._owned: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    async def keep(self, owner: str, data: bytes, about: About) -> str:
        """Keep a thing for its owner; returns its handle.

        Raises:
            TooLarge: it is larger than what is kept.
            StoreGone: the store cannot be asked now.
        """
        if len(data) > self.largest:
            raise TooLarge(f"{len(data)} bytes, of {self.largest} at most")
        now = self.sealed.clock.wall()
        about = msgspec.structs.replace(
            about, size=len(data), since=now, expires=now + self.sealed.ttl
        )
        handle = self._handle(owner, data, about)
        where = place(_PURPOSE, owner, handle)
        starts = [0, *range(_FIRST, len(data), _PART), len(data)]
        parts = [data[start:end] for start, end in pairwise(starts)]
        head = msgspec.json.encode(_Head(len(parts), about)) + b"\n"
        # The first last: with it, all of it is there.
        for number in range(len(parts) - 1, 0, -1):
            await self.sealed.put(owner, f"{where}.{number}", parts[number])
        await self.sealed.put(owner, where, head + parts[0])
        await self._count(owner, handle, len(data))
        return handle

    async def take(self, owner: str, handle: str) -> Deposit:
        """What an owner has under a handle.

        Raises:
            Gone: nothing, or no longer.
            StoreGone: the store cannot be asked now.
        """
        head, data = await self._head(owner, handle)
        if head.parts > 1:
            where = place(_PURPOSE, owner, handle)
            more = [await self._get(owner, f"{where}.{n}") for n in range(1, head.parts)]
            data = b"".join((data, *more))
        return Deposit(head.about, data)

    async def about(self, owner: str, handle: str) -> About:
        """What is known of what an owner has under a handle.

        Raises: as `take`.
        """
        return (await self._head(owner, handle))[0].about

    async def _head(self, owner: str, handle: str) -> tuple[_Head, bytes]:
        """What is known of a thing, and how it begins."""
        if not self.signed(owner, handle):
            raise Gone
        written, _, data = (await self._get(owner, place(_PURPOSE, owner, handle))).partition(b"\n")
        head = msgspec.json.decode(written, type=_Head)
        if self.sealed.clock.wall() >= head.about.expires:
            raise Gone
        return head, data

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

    async def _get(self, owner: str, key: str) -> bytes:
        data = await self.sealed.get(owner, key)
        if data is None:
            raise Gone
        return data

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
        where = place(_PURPOSE, owner, handle)
        await self.sealed.delete(where)
        for number in range(1, 1 - (-(size - _FIRST) // _PART)):
            await self.sealed.delete(f"{where}.{number}")


def formed(handle: str) -> bool:
    """Whether a text looks like a handle."""
    return len(handle) == HANDLE and _ALPHABET.issuperset(handle)


def _short(mark: str) -> str:
    return b32encode(urlsafe_b64decode(mark))[:_HALF].decode().lower()
