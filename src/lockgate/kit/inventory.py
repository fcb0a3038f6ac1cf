"""Which things were kept for whom, the newest first: handles and times, nothing of the things.

Must not know: what was kept, or whether it is still there.

Replicas that share a store write next to each other: each adds to one of a few lists of an owner,
and whoever asks reads all of them. What two write into the same list at the same moment may be
missing from it, as whatever a store may forget; the thing itself is there under its handle.
Bounded: `MOST` handles of a list, and everything goes with the time that things are kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from typing import Final

import msgspec

from lockgate.kit.sealed import Sealed, place

MOST: Final = 100
LISTS: Final = 8
_MOST_OWNERS: Final = 1000
_Times = dict[str, float]
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Times).decode


class Inventory:
    """Handles by owner."""

    def __init__(self, sealed: Sealed) -> None:
        """`sealed` keeps the lists."""
        self._sealed = sealed
        self._lists = 1 if sealed.near else LISTS
        self._own = secrets.randbelow(self._lists)
        self._mine: OrderedDict[str, _Times] = OrderedDict()

    async def note(self, owner: str, handle: str) -> None:
        """Something was kept for an owner.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        mine = self._mine.setdefault(owner, {})
        self._mine.move_to_end(owner)
        while len(self._mine) > _MOST_OWNERS:
            self._mine.popitem(last=False)
        mine[handle] = self._sealed.clock.wall()
        _bounded(mine)
        key = _key(owner, self._own)
        # What was noted here meanwhile is in `mine`, so nothing of it is lost by writing late.
        merged = {**await self._read(owner, key), **mine}
        _bounded(merged)
        await self._sealed.put(owner, key, _encode(merged))

    async def handles(self, owner: str) -> list[str]:
        """What was kept for an owner, the newest first.

        Raises:
            StoreGone: the store cannot be asked now.
        """
        keys = [_key(owner, number) for number in range(self._lists)]
        found = await asyncio.gather(*(self._read(owner, key) for key in keys))
        times: _Times = {}
        for one in found:
            for handle, at in one.items():
                times[handle] = max(at, times.get(handle, 0.0))
        over = self._sealed.clock.wall() - self._sealed.ttl
        return _newest({handle: at for handle, at in times.items() if at > over})

    async def _read(self, owner: str, key: str) -> _Times:
        data = await self._sealed.get(owner, key)
        try:
            return {} if data is None else _decode(data)
        except msgspec.MsgspecError:
            return {}


def _key(owner: str, number: int) -> str:
    return place("results", owner, str(number))


def _newest(times: _Times) -> list[str]:
    return sorted(times, key=lambda handle: (-times[handle], handle))


def _bounded(times: _Times) -> None:
    for handle in _newest(times)[MOST:]:
        del times[handle]
