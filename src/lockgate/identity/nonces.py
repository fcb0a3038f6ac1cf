"""Nonces for proofs of possession (RFC 9449 section 9): what no proof made ahead of time can hold.

Must not know: proofs, endpoints, clients.

There is one for everybody at a time, a sign of the time itself by keys that nobody else has. So
nothing is kept of them, and replicas with the same keys know each other's. Each lives from half of
`life` to all of it: it is given out for one half, and still accepted in the next.
"""

from __future__ import annotations

from typing import Final

from lockgate.wire.seal import KeyRing

_PURPOSE: Final = "dpop nonce"


class Nonces:
    """Those of one length of life."""

    def __init__(self, ring: KeyRing, life: float, *, demanded: bool) -> None:
        """`demanded`: a proof without one is not accepted."""
        self._ring = ring
        self._half = life / 2
        self._demanded = demanded
        self._turn = -1
        self._current = ""
        self._good: frozenset[str] = frozenset()

    def current(self, now: float) -> str:
        """The one that is given out at this time, on the wall clock."""
        turn = int(now // self._half)
        if turn != self._turn:
            # The next one is of a replica whose clock is ahead.
            marks = [self._marks(one) for one in (turn, turn - 1, turn + 1)]
            self._current = marks[0][0]
            self._good = frozenset(one for several in marks for one in several)
            self._turn = turn
        return self._current

    def accepts(self, shown: object, now: float) -> bool:
        """Whether a proof may hold this; None: it holds none."""
        if shown is None:
            return not self._demanded
        if self.current(now) == shown:
            return True
        return isinstance(shown, str) and shown in self._good

    def _marks(self, turn: int) -> list[str]:
        return self._ring.marks(_PURPOSE, f"{self._half:g} {turn}")
