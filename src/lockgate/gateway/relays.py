"""Listen streams that outlive the engine they were opened at.

Must not know: configurations, what is listened to.

A client's `subscriptions/listen` call runs at the engine of its time. When another engine takes
over, the stream is opened there before it ends here, so that no event is lost; what both report
meanwhile is passed on once. The client sees one stream with one acknowledgement.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

from lockgate.core.message import Call, Failure, Notification, Reply, Result
from lockgate.core.policy import CallNext
from lockgate.core.raw import EMPTY
from lockgate.core.reported import Reported
from lockgate.gateway.subscriptions import ACKNOWLEDGED, MOVED


class Relays:
    """Every open listen stream."""

    def __init__(self) -> None:
        self._open: CallNext | None = None
        self._relays: set[_Relay] = set()

    def __len__(self) -> int:
        return len(self._relays)

    def turn_to(self, listen: CallNext) -> None:
        """Open new streams with `listen` from now on; see `move` for those that are open."""
        self._open = listen

    async def listen(self, call: Call) -> Reply:
        """Serve one listen call until the client goes, or the last engine ends it."""
        if self._open is None:
            raise RuntimeError("no engine to listen to")
        relay = _Relay(call)
        self._relays.add(relay)
        try:
            return await relay.run(self._open)
        finally:
            self._relays.discard(relay)
            relay.close()

    async def move(self, seconds: float) -> None:
        """Open every stream where new ones are opened.

        Returns when all are acknowledged or refused there, or time is up. The earlier engine is to
        end its own after that.
        """
        if self._open is None:
            return
        opened = [relay.move(self._open) for relay in self._relays if relay.at is not self._open]
        if opened:
            waiting = [asyncio.ensure_future(one.stands.wait()) for one in opened]
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for one in late:
                one.cancel()

    def leave(self, listen: CallNext) -> None:
        """Hear no more of the engine of this `listen`, which is about to end its streams.

        What it would still report, the newer one reports. In one step, as an event must not be
        left to a stream that has heard its last.
        """
        for relay in self._relays:
            relay.leave(listen)


class _Attempt:
    """The stream at one engine, and what it reported while it was not alone."""

    __slots__ = ("at", "seen", "stands")

    def __init__(self, at: CallNext) -> None:
        self.at = at
        self.seen = Reported()
        self.stands = asyncio.Event()


class _Relay:
    """One client's stream."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._told = False
        self._newest: _Attempt | None = None
        self._older: _Attempt | None = None
        self._later: deque[asyncio.Task[Reply]] = deque()
        self.at: CallNext | None = None

    async def run(self, listen: CallNext) -> Reply:
        self.at = listen
        self._newest = _Attempt(listen)
        first = self._attempt(listen, self._newest, self._call)
        # A stream lasts for days, and must not keep the engine that it began at for as long.
        del listen
        reply = await first
        while self._later:
            # Earlier engines end their streams in turn; the last one's end is the client's.
            reply = await self._later.popleft()
        if self._told and isinstance(reply, Failure):
            # It was open, and ends because it cannot go on: the client may ask again and hear why.
            return Result(EMPTY)
        return reply

    def move(self, listen: CallNext) -> _Attempt:
        """Open the stream at another engine."""
        self.at = listen
        self._older, self._newest = self._newest, _Attempt(listen)
        if self._older is not None:
            self._older.seen.clear()
        call = self._call.replace(facts={**self._call.facts, MOVED: True})
        attempt = self._attempt(listen, self._newest, call)
        self._later.append(asyncio.get_running_loop().create_task(attempt))
        return self._newest

    def leave(self, listen: CallNext) -> None:
        if self._older is not None and self._older.at == listen:
            self._older = None

    def close(self) -> None:
        for task in self._later:
            task.cancel()
        self._later.clear()

    async def _attempt(self, listen: CallNext, attempt: _Attempt, call: Call) -> Reply:
        try:
            return await listen(call.replace(emit=partial(self._hear, attempt)))
        finally:
            attempt.stands.set()
            if self._older is attempt:
                self._older = None
            elif self._newest is attempt:
                self._newest = None

    def _hear(self, attempt: _Attempt, notification: Notification) -> None:
        if notification.method == ACKNOWLEDGED:
            attempt.stands.set()
            if not self._told:
                self._told = True
                self._call.emit(notification)
            return
        if attempt is self._newest:
            other = self._older
        elif attempt is self._older:
            other = self._newest
        else:
            return
        if other is None or attempt.seen.first(notification, other.seen):
            self._call.emit(notification)
