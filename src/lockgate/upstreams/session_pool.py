"""The open sessions with one server of the handshake era: found, opened once, bounded, ended.

Must not know: transports, what is said in a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import ClientFacts, Failure, Principal
from lockgate.upstreams.refusals import busy, session_lost
from lockgate.upstreams.sessions import Key, Session

Open = Callable[..., Awaitable[Session | Failure]]
"""Opens a session for these client facts; and, where the server tells them apart, for whom."""
SWEEP: Final = 60.0


class SessionPool:
    """Sessions by key, least recently used first."""

    def __init__(
        self, server: str, opener: Open, *, limit: int, idle: float, clock: Clock = SYSTEM
    ) -> None:
        """At most `limit` sessions at a time; those unused for `idle` seconds are ended."""
        self._server = server
        self._open = opener
        self._limit = limit
        self._idle = idle
        self._clock = clock
        self._live: dict[Key, Session] = {}
        self._aside: list[Session] = []
        self._keys: dict[str | None, set[Key]] = {}
        self._leaving: list[Session] = []
        self._opening: dict[Key, asyncio.Task[Session | Failure]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._live) + len(self._aside)

    def live(self, key: Key) -> Session | None:
        """The open session of `key`."""
        session = self._live.get(key)
        if session is not None and not session.alive:
            del self._live[key]
            session = None
        if session is None or session.occupied:
            session = self._another(key, session)
        if session is not None:
            session.used = self._clock.monotonic()
        return session

    def _another(self, key: Key, occupied: Session | None) -> Session | None:
        """A session of `key` that is not occupied any more, in the place of one that now is."""
        found = next(
            (one for one in self._aside if one.key == key and one.alive and not one.occupied), None
        )
        if occupied is not None:
            del self._live[key]
            self._aside.append(occupied)
        if found is not None:
            self._aside.remove(found)
            self._live[key] = found
        return found

    async def acquire(self, key: Key, facts: ClientFacts, *whom: Principal) -> Session | Failure:
        """The session of `key`, opened with `facts` (and for `whom`) if there is none.

        Raises what opening raises.
        """
        session = self.live(key)
        if session is not None:
            return session
        opening = self._opening.get(key)
        if opening is None:
            if not self._make_room(key):
                return busy(self._server, f"all its {self._limit} sessions are in use")
            session = self.live(key)
            if session is not None:
                return session
            opening = asyncio.get_running_loop().create_task(self._open_one(key, facts, *whom))
            self._opening[key] = opening
            opening.add_done_callback(_looked_at)
        # Opening serves all who wait for it: one of them going away must not end it.
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if not opening.cancelled():
                raise
            return session_lost(self._server)

    def adopt(self, key: Key, session: Session) -> None:
        """Take in a session opened elsewhere."""
        session.key = key
        session.used = self._clock.monotonic()
        before = self._live.get(key)
        if before is not None:
            # It was occupied when this one was asked for, and is not any more.
            self._aside.append(before)
        self._live[key] = session
        self._keys.setdefault(key[2], set()).add(key)
        self._schedule()

    def drop(self, session: Session) -> None:
        """The session is over: the next caller opens another."""
        session.expire()
        if self._live.get(session.key) is session:
            del self._live[session.key]
            self._forget(session.key)
        if session in self._aside:
            self._aside.remove(session)
        self._leaving = [one for one in self._leaving if one.phase == "forgotten"]
        if session.phase == "forgotten" and session not in self._leaving:
            self._leaving.append(session)

    def _forget(self, key: Key) -> None:
        keys = self._keys.get(key[2])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._keys[key[2]]

    def end(self, affinity: str) -> None:
        """End what is open for one client session, or about to be.

        Costs no more when there are many: all clients may end theirs at the same time.
        """
        for key, task in tuple(self._opening.items()):
            if key[2] == affinity:
                task.cancel()
        keys = self._keys.pop(affinity, set())
        own = [self._live[key] for key in keys if key in self._live]
        others = [one for one in (*self._aside, *self._leaving) if one.key[2] == affinity]
        for session in [*own, *others]:
            self.drop(session)
            session.close()

    def serving(self, affinity: str) -> list[Session]:
        """The open sessions this client session may use: its own, and those shared by many."""
        keys = [*self._keys.get(affinity, ()), *self._keys.get(None, ())]
        own = [self._live[key] for key in keys if key in self._live]
        return [one for one in (*own, *self._aside) if one.alive]

    def sessions(self) -> list[Session]:
        """All open sessions."""
        return [session for session in self._all() if session.alive]

    def _all(self) -> list[Session]:
        return [*self._live.values(), *self._aside]

    def close(self) -> None:
        """End them all."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for task in tuple(self._opening.values()):
            task.cancel()
        every = [*self._all(), *self._leaving]
        self._live, self._aside, self._leaving, self._keys = {}, [], [], {}
        for session in every:
            session.close()

    async def _open_one(self, key: Key, facts: ClientFacts, *whom: Principal) -> Session | Failure:
        try:
            session = await self._open(facts, *whom)
        finally:
            # From here on it counts as a session, not as both.
            self._opening.pop(key, None)
        if isinstance(session, Session):
            self.adopt(key, session)
        return session

    def _make_room(self, key: Key) -> bool:
        """Whether one more may be opened, or `key` has one again.

        An idle session goes first. After that the calls of the same principal that have waited
        longest for their client's answers: those who never come back must not shut the others out.
        """
        if len(self) + len(self._opening) < self._limit:
            return True
        idle = [session for session in self._all() if session.idle]
        if idle:
            oldest = min(idle, key=lambda session: session.used)
            self.drop(oldest)
            oldest.close()
            return True
        waiting = [one for one in self._all() if one.occupied and one.key[0] == key[0]]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda session: session.used)
        oldest.give_up_waiting()
        if oldest.key != key:
            self.drop(oldest)
            oldest.close()
        return True

    def _schedule(self) -> None:
        if self._sweeper is None and len(self):
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(min(SWEEP, self._idle), self.sweep)

    def sweep(self) -> None:
        """End the sessions nobody has used for long."""
        self._sweeper = None
        before = self._clock.monotonic() - self._idle
        for session in self._all():
            if not session.alive:
                self.drop(session)
            elif session.idle and session.used < before:
                self.drop(session)
                session.close()
        self._schedule()


def _looked_at(task: asyncio.Task[Session | Failure]) -> None:
    """Look at what became of it, in case everybody who waited has gone."""
    if not task.cancelled():
        task.exception()
