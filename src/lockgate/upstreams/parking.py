"""Calls that wait for their client's answers while the server still works on them.

Must not know: transports, how an answer reaches the server.

What a client gets is a sealed state. It opens only for the principal, method, target and arguments
it was made for, until it expires, and only once: taking a call up uses its state up, so nothing is
ever run or answered twice. It names the process that keeps the call, because the open request to
the server lives there and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from os import urandom
from typing import Any, Final, Literal

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Target
from lockgate.upstreams.flights import Asked, Flight
from lockgate.wire.binding import bound_to
from lockgate.wire.seal import BadSeal, KeyRing

TOTAL: Final = 256
PER_SESSION: Final = 32
PER_PRINCIPAL: Final = 64
LIFETIME: Final = 300.0

_PURPOSE: Final = "parked-call"

Lost = Literal["unknown", "elsewhere"]
"""Why a state leads to no call: it is forged, used up, expired or another caller's; or the process
that kept the call is another one, or gone."""


class Parked(msgspec.Struct, frozen=True, eq=False):
    """One call that waits: in which session, for which answers, on whose behalf, until when.

    state  what its client was given to come back with.
    """

    session: Any
    flight: Flight
    asks: dict[str, Asked]
    principal: str
    affinity: str | None
    target: Target | None
    expires: float
    state: str


class _State(msgspec.Struct, array_like=True):
    """What is sealed: which process keeps the call, and under which number."""

    process: bytes
    number: int


_read_state = msgspec.msgpack.Decoder(_State).decode


class Parking:
    """The parked calls of one server, bounded in number and in time."""

    def __init__(
        self,
        clock: Clock = SYSTEM,
        keys: KeyRing | None = None,
        *,
        total: int = TOTAL,
        per_session: int = PER_SESSION,
        per_principal: int = PER_PRINCIPAL,
        lifetime: float = LIFETIME,
    ) -> None:
        """`keys` seal the states; without any, states end with the process as the calls do."""
        self._clock = clock
        self._keys = keys or KeyRing.generate()
        self._process = urandom(8)
        self._numbers = count(1)
        self._total = total
        self._per_session = per_session
        self._per_principal = per_principal
        self._lifetime = lifetime
        self._parked: dict[int, Parked] = {}

    def __len__(self) -> int:
        return len(self._parked)

    def park(
        self, session: object, flight: Flight, asks: dict[str, Asked], call: Call
    ) -> str | None:
        """Keep a call until its answers come; its sealed state, or None when there is no room."""
        principals = Counter(parked.principal for parked in self._parked.values())
        sessions = Counter(id(parked.session) for parked in self._parked.values())
        if (
            len(self._parked) >= self._total
            or principals[call.principal.id] >= self._per_principal
            or sessions[id(session)] >= self._per_session
        ):
            return None
        number = flight.ticket = next(self._numbers)
        state = self._keys.seal(
            _PURPOSE,
            msgspec.msgpack.encode(_State(self._process, number)),
            now=self._clock.wall(),
            ttl=self._lifetime,
            bind=bound_to(call),
        )
        self._parked[number] = Parked(
            session,
            flight,
            asks,
            call.principal.id,
            call.affinity,
            call.target,
            self._clock.monotonic() + self._lifetime,
            state,
        )
        return state

    def keeps(self, state: str) -> bool:
        """Whether a call waits here for this state to come back, whoever brings it."""
        return any(parked.state == state for parked in self._parked.values())

    def take(self, state: object, call: Call) -> Parked | Lost:
        """The call that `state` stands for, if it is `call`'s own to continue.

        Taking it uses the state up. One that belongs to somebody else stays where it is, so that
        nobody can end another's call by guessing.
        """
        if not isinstance(state, str):
            return "unknown"
        try:
            sealed = self._keys.open(_PURPOSE, state, now=self._clock.wall(), bind=bound_to(call))
        except BadSeal:
            return "unknown"
        opened = _read_state(sealed)
        if opened.process != self._process:
            return "elsewhere"
        parked = self._parked.get(opened.number)
        if parked is None or parked.expires <= self._clock.monotonic():
            # An expired one is left for `expired`, which also has the server told.
            return "unknown"
        return self._parked.pop(opened.number)

    def forget(self, flight: Flight) -> None:
        """Nobody can take this call up any more, so it takes up no room either."""
        if flight.ticket is not None:
            self._parked.pop(flight.ticket, None)

    def of_session(self, affinity: str) -> list[Parked]:
        """The calls of one client session."""
        return [parked for parked in self._parked.values() if parked.affinity == affinity]

    def expired(self) -> list[Parked]:
        """Remove and return the calls nobody came back for."""
        now = self._clock.monotonic()
        gone = [number for number, parked in self._parked.items() if parked.expires <= now]
        return [self._parked.pop(number) for number in gone]

    def next_expiry(self) -> float | None:
        """When the oldest parked call expires, on the monotonic clock."""
        return min((parked.expires for parked in self._parked.values()), default=None)
