"""What the facade remembers of logins that came to an end, in a store, sealed; and what was used.

Must not know: what is kept, which store it is.

Names are digests of what clients hold, and values are sealed under those names: who reads the store
can neither use nor exchange what is in it. That something was used is counted, which every store
does atomically for all who share it; a store that forgets lets nobody in a second time.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.once import first
from lockgate.core.rate import Rate
from lockgate.core.store import Demand, Store, StoreGone
from lockgate.identity.facade.clients import digest
from lockgate.identity.facade.refusals import STORE_AWAY, TOO_OFTEN, Refusal
from lockgate.wire.seal import BadSeal, KeyRing

_PREFIX: Final = "facade:"
_encode: Final = msgspec.msgpack.Encoder().encode
_T = TypeVar("_T")


class Vault:
    """Keeps structs under what clients hold.

    Every method but `keep` gives a Refusal when the store cannot be asked: nobody is let in then.
    """

    def __init__(self, store: Store, ring: KeyRing, clock: Clock) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock

    async def keep(
        self, kind: str, handle: str, value: object, ttl: float, family: str = ""
    ) -> Refusal | None:
        """Remember `value` for who holds `handle`; `family` is what `forget` calls it by."""
        name = self._name(kind, handle)
        text = self._ring.seal(
            f"facade {kind}", _encode(value), now=self._clock.wall(), ttl=ttl, bind=name
        )
        groups = (self._name("family", family),) if family else ()
        try:
            await self._store.put(name, text.encode(), ttl, groups)
        except StoreGone:
            return STORE_AWAY
        return None

    async def find(self, kind: str, handle: str, as_: type[_T]) -> _T | Refusal | None:
        """What is remembered for `handle`; None when there is nothing, or nothing any more."""
        name = self._name(kind, handle)
        try:
            text = await self._store.get(name)
        except StoreGone:
            return STORE_AWAY
        if text is None:
            return None
        try:
            data = self._ring.open(
                f"facade {kind}", text.decode("ascii"), now=self._clock.wall(), bind=name
            )
            return msgspec.msgpack.decode(data, type=as_)
        except (BadSeal, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    async def begin(self, family: str, ttl: float) -> Refusal | None:
        """Note that a login goes on, until `forget` or for `ttl`."""
        return await self.keep("login", family, True, ttl, family)

    async def goes_on(self, family: str) -> bool | Refusal:
        """Whether it does: what is kept in a family after it was forgotten is worth nothing."""
        found = await self.find("login", family, bool)
        return found if isinstance(found, Refusal) else found is True

    async def forget(self, family: str) -> Refusal | None:
        """Forget everything that was kept in a family."""
        try:
            await self._store.drop(self._name("family", family))
        except StoreGone:
            return STORE_AWAY
        return None

    async def first(self, kind: str, handle: str, ttl: float) -> bool | Refusal:
        """Whether nobody has used `handle` before; it counts as used from now on, for `ttl`."""
        try:
            return await first(self._store, self._name(f"used-{kind}", handle), ttl)
        except StoreGone:
            return STORE_AWAY

    async def admit(self, kind: str, peer: str, rates: tuple[Rate, ...]) -> Refusal | None:
        """Count one more of `kind` from an address; a Refusal when these are too many."""
        if not rates:
            return None
        demand = Demand(self._name(f"rate-{kind}", peer), rates)
        try:
            taken = await self._store.take((demand,))
        except StoreGone:
            return STORE_AWAY
        return TOO_OFTEN if taken.wait else None

    @staticmethod
    def _name(kind: str, handle: str) -> str:
        return f"{_PREFIX}{kind}:{digest(handle)}"
