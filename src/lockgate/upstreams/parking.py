"""Calls that wait for their client's answers while the server still works on them.

Must not know: transports, how an answer reaches the server. A parked call is found again by a
handle nobody can guess, once, and only by the caller it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Target
from lockgate.upstreams.flights import Asked, Flight

TOTAL: Final = 256
PER_SESSION: Final = 32
LIFETIME: Final = 300.0


class Parked(msgspec.Struct, frozen=True, eq=False):
    """One call that waits: in which session, for which answers, on whose behalf, until when."""

    session: Any
    flight: Flight
    asks: dict[str, Asked]
    principal: str
    affinity: str | None
    method: str
    target: Target | None
    expires: float


class Parking:
    """The parked calls of one server, bounded in number and in time."""

    def __init__(
        self,
        clock: Clock = SYSTEM,
        *,
        total: int = TOTAL,
        per_session: int = PER_SESSION,
        lifetime: float = LIFETIME,
        handle: Callable[[], str] = token_urlsafe,
    ) -> None:
        self._clock = clock
        self._total = total
        self._per_session = per_session
        self._lifetime = lifetime
        self._handle = handle
        self._parked: dict[str, Parked] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def park(
        self, session: object, flight: Flight, asks: dict[str, Asked], call: Call
    ) -> str | None:
        """Keep a call until its answers come; its handle, or None when there is no room."""
        if len(self._parked) >= self._total:
            return None
        here = sum(1 for parked in self._parked.values() if parked.session is session)
        if here >= self._per_session:
            return None
        handle = self._handle()
        self._parked[handle] = Parked(
            session,
            flight,
            asks,
            call.principal.id,
            call.affinity,
            call.method,
            call.target,
            self._clock.monotonic() + self._lifetime,
        )
        return handle

    def take(self, handle: object, call: Call) -> Parked | None:
        """The call that `handle` stands for, if it is `call`'s own to continue.

        Taking it uses the handle up. One that belongs to somebody else stays where it is, so that
        nobody can end another's call by guessing.
        """
        if not isinstance(handle, str):
            return None
        parked = self._parked.get(handle)
        if parked is None or not _same_caller(parked, call):
            return None
        if parked.expires <= self._clock.monotonic():
            # Left for `expired`, which also has the server told.
            return None
        del self._parked[handle]
        return parked

    def expired(self) -> list[Parked]:
        """Remove and return the calls nobody came back for."""
        now = self._clock.monotonic()
        gone = [handle for handle, parked in self._parked.items() if parked.expires <= now]
        return [self._parked.pop(handle) for handle in gone]

    def next_expiry(self) -> float | None:
        """When the oldest parked call expires, on the monotonic clock."""
        return min((parked.expires for parked in self._parked.values()), default=None)


def _same_caller(parked: Parked, call: Call) -> bool:
    return (
        parked.principal == call.principal.id
        and parked.affinity == call.affinity
        and parked.method == call.method
        and parked.target == call.target
    )
