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
    outside: bool = False
    """Heard outside of clients' sessions, where it may not have been said."""


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
        self._timers: dict[tuple[str, bool], asyncio.TimerHandle] = {}
        self._again: set[tuple[str, bool]] = set()

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` from now on; the result ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def tell(self, subject: str) -> None:
        """Announce now, or soon if it was announced just now."""
        self._tell(subject, False)

    def tell_outside(self, subject: str) -> None:
        """The same of what was heard outside of clients' sessions."""
        self._tell(subject, True)

    def _tell(self, subject: str, outside: bool) -> None:
        key = subject, outside
        if key in self._timers:
            self._again.add(key)
            return
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(self._quiet, self._rested, key)
        self.tell_now(subject, outside)

    def tell_now(self, subject: str, outside: bool = False) -> None:
        """Announce without holding anything back."""
        changed = Changed(self._server, cast("Subject", subject), outside)
        for watcher in tuple(self._watchers):
            watcher(changed)

    def stop(self) -> None:
        """Announce nothing that is held back."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._again.clear()

    def _rested(self, key: tuple[str, bool]) -> None:
        del self._timers[key]
        if key in self._again:
            self._again.discard(key)
            self._tell(*key)
