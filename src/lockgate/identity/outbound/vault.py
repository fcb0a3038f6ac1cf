"""What has to outlive the process, sealed before it leaves it: logins, clients, flows.

Must not know: what is in it. The store sees digests for keys and sealed bytes for values, and may
forget anything: then the person logs in again.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal, Protocol

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.rate import Rate
from lockgate.core.store import Blobs, Counters, Demand, StoreGone
from lockgate.identity.outbound.trouble import Trouble
from lockgate.wire.seal import BadSeal, KeyRing

What = Literal["login", "client", "flow", "issuer", "refresh"]
DAY: Final = 86400.0
LONGEST: Final = 400 * DAY


class Keeping(Blobs, Counters, Protocol):
    """The part of a store that is needed."""


class Vault:
    """Sealed values under keys that say nothing."""

    def __init__(self, store: Keeping, keys: KeyRing, clock: Clock = SYSTEM) -> None:
        """`keys` seal what goes into `store`; the first seals, all open."""
        self._store = store
        self._keys = keys
        self._clock = clock

    async def get(self, what: What, key: str) -> bytes | None:
        """What was put; None when it is gone, over, or sealed by a key that is not here.

        Raises:
            Trouble: the store is away.
        """
        try:
            sealed = await self._store.get(_name(what, key))
        except StoreGone as error:
            raise _away() from error
        if sealed is None:
            return None
        try:
            token = sealed.decode("ascii", "replace")
            return self._keys.open(what, token, now=self._clock.wall(), bind=key)
        except BadSeal:
            return None

    async def put(self, what: What, key: str, value: bytes, ttl: float = LONGEST) -> None:
        """Keep `value` for `ttl` seconds. Raises as `get`."""
        sealed = self._keys.seal(what, value, now=self._clock.wall(), ttl=ttl, bind=key)
        try:
            await self._store.put(_name(what, key), sealed.encode(), ttl)
        except StoreGone as error:
            raise _away() from error

    async def delete(self, what: What, key: str) -> None:
        """Forget it. Raises as `get`."""
        try:
            await self._store.delete(_name(what, key))
        except StoreGone as error:
            raise _away() from error

    async def first(self, what: What, key: str, within: int) -> bool:
        """Whether nobody has asked this in the last `within` seconds, here or elsewhere.

        Raises as `get`.
        """
        demand = Demand(f"once:{_name(what, key)}", (Rate(1, within),))
        try:
            taken = await self._store.take([demand])
        except StoreGone as error:
            raise _away() from error
        return taken.wait == 0.0


def _name(what: What, key: str) -> str:
    return f"lockgate:{what}:{sha256(key.encode()).hexdigest()}"


def _away() -> Trouble:
    return Trouble(
        "login-store",
        "the store of logins cannot be asked now.",
        "Try again; if it stays so, look at lockgate.logins.store.",
        origin="gateway",
        retry_after=5,
    )
