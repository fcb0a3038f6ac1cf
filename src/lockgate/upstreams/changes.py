"""News about one server for whoever keeps something that depends on it.

Must not know: who listens, or what a change means to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Literal, cast

import msgspec

Subject = Literal["tools", "prompts", "resources", "state", "replica"]
"""`replica`: another one answers now, and what it lists may be the same or not."""

QUIET: Final = 0.1


class Changed(msgspec.Struct, frozen=True):
    """Something about a server is no longer what it was."""

    server: str
    subject: Subject


Watcher = Callable[[Changed], None]


class Announcer:
    """Tells watchers of changes: the first at once, then at most one each `quiet` seconds.

    Many sessions hear of one change, each for itself; a watcher that refetches a list for each of
    them would do so many times over.
    """

    def __init__(self, server: str, quiet: float = QUIET) -> None:
        self._server = server
        self._quiet = quiet
        self._watchers: list[Watcher] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._again: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` from now on; the result ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def tell(self, subject: str) -> None:
        """Announce now, or soon if it was announced just now."""
        if subject in self._timers:
            self._again.add(subject)
            return
        loop = asyncio.get_running_loop()
        self._timers[subject] = loop.call_later(self._quiet, self._rested, subject)
        self.tell_now(subject)

    def tell_now(self, subject: str) -> None:
        """Announce without holding anything back."""
        changed = Changed(self._server, cast("Subject", subject))
        for watcher in tuple(self._watchers):
            watcher(changed)

    def stop(self) -> None:
        """Announce nothing that is held back."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()

    def _rested(self, subject: str) -> None:
        del self._timers[subject]
        if subject in self._again:
            self._again.discard(subject)
            self.tell(subject)
