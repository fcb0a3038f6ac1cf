"""Long lists are judged beside the event loop, before they are shown.

Must not know: what is suspicious, or what is done about it. A list may be as long as its server
likes, within bounds: whoever waits for other servers must not wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lockgate.gateway.listing import Section
from lockgate.guard.remembering import Scanner, judged
from lockgate.guard.scan import Verdict
from lockgate.guard.shadowing import Mention, mentions

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of one list, so much is judged; what comes after it is too large. Honest ones have a tenth."""

_AT_ONCE: Final = 32 * 1024
"""So much is judged where it is, in a few milliseconds."""

Judged = tuple[Verdict, tuple[Mention, ...]]


class Study:
    """Judges what a list brings that was not there before."""

    def __init__(
        self,
        scanner: Scanner,
        remember: Callable[[bytes, tuple[Mention, ...]], None],
        concerns: Callable[[str], bool],
    ) -> None:
        """See the attributes.

        Args:
            scanner: keeps the verdicts.
            remember: keeps whom definitions mention.
            concerns: whether anything is done about the findings of a server.
        """
        self._scanner = scanner
        self._remember = remember
        self._concerns = concerns

    async def __call__(self, section: Section) -> None:
        """Judge what is new, elsewhere if there is much of it."""
        if not self._concerns(section.server):
            return
        new: list[bytes] = []
        left = MOST_BYTES
        for item in section.items:
            data = item.raw.encode()
            left -= len(data)
            if left < 0:
                break
            if self._scanner.known(data) is None:
                new.append(data)
        if sum(map(len, new)) <= _AT_ONCE:
            return
        for data, (verdict, spoken) in zip(new, await asyncio.to_thread(_all, new), strict=True):
            self._scanner.keep(data, verdict)
            self._remember(data, spoken)


def _all(definitions: Sequence[bytes]) -> list[Judged]:
    return [
        (judged(data), mentions(msgspec.json.decode(data, type=dict[str, object])))
        for data in definitions
    ]
