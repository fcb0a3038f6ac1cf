"""The lists that are being read: each once at a time, however many wait for it.

Must not know: when a list is to be read, how long it counts, or who sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from lockgate.core.message import ANONYMOUS, Call
from lockgate.gateway.absent import broken
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.listing import LISTS, Section
from lockgate.gateway.reading import Source, read_pages
from lockgate.gateway.shelf import Key

_MOST: Final = (10_000, 200)
ATTEMPTS: Final = 3
"""How often a list of several pages is read when it changes meanwhile; then it is taken so."""


class Done(Protocol):
    """Told of every list that was read, or could not be."""

    def __call__(self, key: Key, section: Section, call: Call, overtaken: float | None, /) -> None:
        """`overtaken`: since when it is known to have changed while it was read."""
        ...


class Reads:
    """What is being read, by one task each."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: CatalogSettings,
        done: Done,
        study: Callable[[Section], Awaitable[None]],
    ) -> None:
        """Nothing is read yet.

        Args:
            sources: the servers.
            settings: what is taken of one list.
            done: told of each reading that was not given up, once it is no longer under way.
            study: awaited with what was read, which is not read before that is over.
        """
        self._sources = {source.name: source for source in sources}
        self._settings = settings
        self._done = done
        self._study = study
        self._tasks: dict[Key, asyncio.Task[Section]] = {}
        self._overtaken: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        """Whether this list is being read."""
        return key in self._tasks

    def read(self, key: Key, call: Call) -> asyncio.Task[Section]:
        """The task that reads this list, on behalf of whoever asked first."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(key, call))
            self._tasks[key] = task
            task.add_done_callback(lambda ended: self._ended(key, ended, call))
        return task

    def overtake(self, concerned: Callable[[Key], bool], due: float) -> None:
        """Such lists have changed: what is being read of them was due to be read anew at `due`."""
        for key in filter(concerned, self._tasks):
            self._overtaken[key] = min(due, self._overtaken.get(key, due))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: Key, task: asyncio.Task[Section], call: Call) -> None:
        self._tasks.pop(key, None)
        overtaken = self._overtaken.pop(key, None)
        if task.cancelled():
            return
        method, server, _ = key
        error = task.exception()
        section = task.result() if error is None else broken(server, method, type(error).__name__)
        self._done(key, section, call, overtaken)

    async def _read(self, key: Key, caller: Call) -> Section:
        for _ in range(ATTEMPTS - 1):
            section, pages = await self._read_pages(key, caller)
            if pages == 1 or key not in self._overtaken:
                break
            # The first pages are of the old list and the last ones of the new.
        else:
            section, _ = await self._read_pages(key, caller)
        await self._study(section)
        return section

    def _read_pages(self, key: Key, caller: Call) -> Awaitable[tuple[Section, int]]:
        method, server, view = key
        self._overtaken.pop(key, None)
        return read_pages(
            server,
            self._sources[server].send,
            LISTS[method],
            Call(
                method=method,
                client=caller.client,
                # What everybody is told alike is asked for on nobody's behalf.
                principal=caller.principal if view.partition else ANONYMOUS,
                affinity=view.session,
            ),
            most=self._settings.most.get(server, _MOST),
            most_bytes=self._settings.most_bytes,
        )
