"""Asks once more while the first answer is late, and takes whichever comes first.

Refuses: nothing. Costs: a task for each call that may be hedged; off by default. Does not protect
from: a server that is slow because it has too much to do (hedges are more to do; `share` bounds
them), a read-only tool that is not.

    | a call                                                     | is hedged                      |
    |------------------------------------------------------------|--------------------------------|
    | lists, reads, prompts, completions; tools that are listed  | when the answer is late, there |
    | as read-only                                               | is another place to ask, and   |
    |                                                            | the budget has one left        |
    | a round of a dialogue, one that makes a task, one whose    | never                          |
    | caller follows its progress, one of a client session, one  |                                |
    | that is a second attempt already; any other tool           |                                |

A failure of one attempt is not an answer while the other runs, and neither is a question that the
second one asks. Whoever loses is cancelled at the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from math import log
from typing import ClassVar, Final

import msgspec

from lockgate.core.attempts import ELSEWHERE, READING, SINGLE, TOOL, elsewhere, judged
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Reply, Result, drop
from lockgate.core.policy import CallNext, Stage
from lockgate.core.tally import Tally

MOST_SAVED: Final = 10.0
"""Hedges that may be saved up."""
LEAST: Final = 0.0005
GROWTH: Final = 1.25
KINDS: Final = 64
"""Times are counted in steps a quarter apart: from half a millisecond to a quarter of an hour."""
FRESH: Final = 1.0
"""Seconds for which a percentile is not looked up again."""


class HedgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, shares of 1.

    after        how late an answer has to be; None: later than `percentile` of those before.
    percentile   of the answers to the same method in the last `window`.
    minimum      with fewer answers than this in the window nothing is late.
    share        hedges for each call that comes in, on average.
    same_server  ask the same server again when there is no other replica.
    """

    after: float | None = None
    percentile: float = 0.95
    window: float = 60.0
    minimum: int = 20
    share: float = 0.05
    same_server: bool = False


class Hedge:
    """Of one server."""

    name: ClassVar[str] = "hedge"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(
        self,
        settings: HedgeSettings,
        read_only: Callable[[str], bool],
        spare: Callable[[], bool],
        clock: Clock = SYSTEM,
        *,
        late: Callable[[asyncio.Task[Reply], float], Awaitable[object]] | None = None,
    ) -> None:
        """Nothing is saved up, nothing known.

        read_only  whether the server lists a tool, by its own name for it, as read-only.
        spare      whether there is another replica that could be asked now.
        late       awaits a task for so many seconds at most.
        """
        self._settings = settings
        self._read_only = read_only
        self._spare = spare
        self._now = clock.monotonic
        self._late = late or _late
        self._saved = 0.0
        self._tallies: dict[str, Tally] = {}
        self._delays: dict[str, tuple[float, float | None]] = {}
        self.made = self.won = 0

    def concerns(self, method: str) -> bool:
        """What may be read-only."""
        # A task is at one replica.
        return method == TOOL or (method in READING and not method.startswith("tasks/"))

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        self._saved = min(self._saved + self._settings.share, MOST_SAVED)
        began = self._now()
        delay = self._delay(call.method, began)
        if delay is None or not self._may(call):
            reply = await call_next(call)
        else:
            reply = await self._hedged(call, call_next, delay)
        if self._settings.after is None and _answers(reply):
            self._learn(call.method, began)
        return reply

    async def _hedged(self, call: Call, call_next: CallNext, delay: float) -> Reply:
        tasks = [asyncio.ensure_future(call_next(call))]
        try:
            await self._late(tasks[0], delay)
            if tasks[0].done() or not self._spend(call):
                return await tasks[0]
            second = elsewhere(call).replace(emit=drop)
            tasks.append(asyncio.ensure_future(call_next(second)))
            return await self._first(*tasks)
        finally:
            running = [task for task in tasks if task.cancel()]
            if running:
                await asyncio.gather(*running, return_exceptions=True)

    async def _first(self, first: asyncio.Task[Reply], second: asyncio.Task[Reply]) -> Reply:
        """The first answer of the two; when neither has one, what became of the first."""
        await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        if first.done():
            reply = first.result()
            if _answers(reply):
                return reply
            other = await second
            return other if self._takes(other) else reply
        other = second.result()
        return other if self._takes(other) else await first

    def _takes(self, reply: Reply) -> bool:
        taken = _answers(reply) and not (isinstance(reply, Result) and reply.kind != "complete")
        self.won += taken
        return taken

    def _may(self, call: Call) -> bool:
        """Whether the call could be hedged, as far as it costs nothing to know."""
        return (
            call.affinity is None
            and not call.wants_progress
            and ELSEWHERE not in call.facts
            and (call.method != TOOL or call.target is not None)
            and not any(name in call.params for name in SINGLE)
        )

    def _spend(self, call: Call) -> bool:
        """Take one hedge, if the call may have it and there is one."""
        if self._saved < 1.0 or not (self._settings.same_server or self._spare()):
            return False
        tool = call.target if call.method == TOOL else None
        if tool is not None and not self._read_only(tool.name):
            return False
        self._saved -= 1.0
        self.made += 1
        return True

    def _delay(self, method: str, now: float) -> float | None:
        """How late is late; None: nobody knows yet."""
        if self._settings.after is not None:
            return self._settings.after
        until, delay = self._delays.get(method, (0.0, None))
        if now >= until:
            delay = self._percentile(method, now)
            self._delays[method] = now + FRESH, delay
        return delay

    def _percentile(self, method: str, now: float) -> float | None:
        tally = self._tallies.get(method)
        counts = tally.sums(now) if tally is not None else []
        left = sum(counts)
        if left < self._settings.minimum:
            return None
        left *= 1.0 - self._settings.percentile
        for kind in range(KINDS - 1, -1, -1):
            left -= counts[kind]
            if left < 0:
                return LEAST * GROWTH ** (kind + 1)
        return None

    def _learn(self, method: str, began: float) -> None:
        now = self._now()
        steps = log(max((now - began) / LEAST, 1.0)) / log(GROWTH)
        tally = self._tallies.setdefault(method, Tally(self._settings.window, KINDS))
        tally.add(min(int(steps), KINDS - 1), now)


def _answers(reply: Reply) -> bool:
    return isinstance(reply, Result) or judged(reply) == "good"


def _late(task: asyncio.Task[Reply], seconds: float) -> Awaitable[object]:
    return asyncio.wait((task,), timeout=seconds)
