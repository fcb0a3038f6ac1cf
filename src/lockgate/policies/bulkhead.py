"""How many calls one server works on at once, and who is next when there are more.

Refuses: a call that would wait when too many wait already, or that has waited too long, with the
reason `server-busy`. Costs: two changes of a dictionary of principals; waiting costs a future. Does
not protect from: calls that each run for very long (deadlines do), callers without a name, who are
one principal.

A place that comes free goes to the waiting principal with the fewest calls running; equals take
turns. When the queue is full, a newcomer takes the last place of
the principal that holds most of it, unless that is the newcomer's own; so whoever asks for little
is served however much others ask for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import LISTEN, Call, Failure, Reply
from lockgate.core.policy import Stage, Wait
from lockgate.wire.jsonrpc import OVERLOADED

IN: Final = True
AGAIN: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadSettings:
    """How much at once.

    running  calls, in all.
    each     calls of one principal.
    waiting  calls in the queue.
    wait     seconds a call may be there.
    """

    running: int = 256
    each: int = 256
    waiting: int = 1024
    wait: float = 30.0


class Handle(Protocol):
    """Something due later that can be called off."""

    def cancel(self) -> object:
        """Call it off."""
        ...


Later = Callable[[float, Callable[[], None]], Handle]
Turn = asyncio.Future[object]


def on_loop(seconds: float, then: Callable[[], None]) -> Handle:
    """The running event loop's own timer."""
    return asyncio.get_running_loop().call_later(seconds, then)


class Bulkhead:
    """Of one server. Streams and notifications are not counted."""

    name: ClassVar[str] = "bulkhead"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(
        self,
        server: str,
        settings: BulkheadSettings,
        clock: Clock = SYSTEM,
        later: Later = on_loop,
    ) -> None:
        """Empty; `later` ends the waiting of those who have waited too long."""
        self._server = server
        self._settings = settings
        self._now = clock.monotonic
        self._later = later
        self._running: dict[str, int] = {}
        self._queues: dict[str, deque[Turn]] = {}
        self.running = self.waiting = 0

    def concerns(self, method: str) -> bool:
        """Requests that end by themselves."""
        return method != LISTEN and not method.startswith("notifications/")

    def enter(self, call: Call, /) -> object:
        """See `lockgate.core.policy.Valve`."""
        who = call.principal.id
        mine = self._running.get(who, 0)
        if self.running < self._settings.running and mine < self._settings.each:
            # Whoever waits then waits for a bound of its own, not for this place.
            self.running += 1
            self._running[who] = mine + 1
            return IN
        return self._queue(call, who)

    def left(self, call: Call, ticket: object, reply: Reply | None, /) -> None:
        """See `lockgate.core.policy.Valve`."""
        who = call.principal.id
        if self._queues or self._running[who] == 1:
            self._free(who)
        else:
            self.running -= 1
            self._running[who] -= 1

    def _free(self, who: str) -> None:
        self.running -= 1
        left = self._running[who] - 1
        if left:
            self._running[who] = left
        else:
            del self._running[who]
        if self._queues:
            self._next()

    def _next(self) -> None:
        while self.running < self._settings.running:
            running = self._running
            allowed = [who for who in self._queues if running.get(who, 0) < self._settings.each]
            if not allowed:
                return
            # The dictionary's order is that of their last turn, and `min` takes the first.
            who = min(allowed, key=lambda one: running.get(one, 0))
            queue = self._queues.pop(who)
            turn = queue.popleft()
            if queue:
                self._queues[who] = queue
            self.waiting -= 1
            if turn.done():
                # Its caller has gone in this very instant.
                continue
            self.running += 1
            running[who] = running.get(who, 0) + 1
            turn.set_result(IN)

    def _queue(self, call: Call, who: str) -> Failure | Wait:
        now = self._now()
        seconds = self._settings.wait
        if call.deadline is not None:
            seconds = min(seconds, call.deadline - now)
        if seconds <= 0 or (self.waiting >= self._settings.waiting and not self._make_room(who)):
            return self._refusal("too many calls wait for it")
        turn: Turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(who, deque()).append(turn)
        self.waiting += 1
        return Wait(self._wait(turn, who, seconds))

    def _make_room(self, who: str) -> bool:
        """Take the last place of whoever holds most of the queue; False: that is the newcomer."""
        most = max(self._queues, key=lambda one: len(self._queues[one]), default=who)
        mine = len(self._queues.get(who, ()))
        if most == who or len(self._queues[most]) <= mine + 1:
            return False
        turn = self._queues[most][-1]
        self._give_up(turn, most)
        if not turn.done():
            turn.set_result(self._refusal("others who ask for less have come to wait for it too"))
        return True

    def _give_up(self, turn: Turn, who: str) -> None:
        queue = self._queues.get(who)
        if queue is not None and turn in queue:
            queue.remove(turn)
            self.waiting -= 1
            if not queue:
                del self._queues[who]

    async def _wait(self, turn: Turn, who: str, seconds: float) -> object:
        def late() -> None:
            if not turn.done():
                self._give_up(turn, who)
                turn.set_result(self._refusal(f"no turn came within {seconds:.3g} s"))

        timer = self._later(seconds, late)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._give_up(turn, who)
            elif turn.result() is IN:
                # The turn came in the same instant as the caller went.
                self._free(who)
            raise
        finally:
            timer.cancel()

    def _refusal(self, why: str) -> Failure:
        return Failure(
            code=OVERLOADED,
            message=f"The server '{self._server}' is busy: {why}.",
            origin="policy",
            reason="server-busy",
            policy=self.name,
            data={"server": self._server, "retry_after": AGAIN},
            remedy="Try again shortly, or raise the server's limits in the configuration.",
        )
