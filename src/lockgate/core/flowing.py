"""What answered whom lately, so that what must not follow it can be told. Pure but for the clock.

Must not know: what the things are, or what is to become of calls.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lockgate.core.clock import Clock

MOST: Final = 10_000
"""Callers that are remembered; whoever was heard of longest ago goes first."""


class Answered:
    """When something of each list last answered a caller."""

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        """Nothing has answered anybody yet."""
        self._now = clock.monotonic
        self._most = most
        self._known: OrderedDict[tuple[str, str], dict[int, float]] = OrderedDict()

    def note(self, flow: str, caller: str, number: int) -> None:
        """Something of the list with this number, of this flow, has answered."""
        known = self._known.setdefault((flow, caller), {})
        known[number] = self._now()
        self._known.move_to_end((flow, caller))
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def all(self, flow: str, caller: str, lists: int, within: float) -> bool:
        """Whether something of every list has, in the last `within` seconds."""
        known = self._known.get((flow, caller))
        if known is None or len(known) < lists:
            return False
        since = self._now() - within
        return all(known.get(number, since) > since for number in range(lists))
