"""Whether a replica that is up does so badly that others had better answer for a while.

Must not know: how replicas are reached, which of them answers.

    | what became of a call                            | counts as                              |
    |--------------------------------------------------|----------------------------------------|
    | lost after it was sent, timed out, HTTP 5xx      | failed                                 |
    | given up by its caller after `abandoned_after`   | failed                                 |
    | any other answer: results, the server's errors   | good                                   |
    | given up sooner, refused before it was sent      | nothing                                |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from lockgate.core.attempts import judged
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.lifecycle import Step, Table
from lockgate.core.message import Failure, Reply
from lockgate.core.tally import Tally

Phase = Literal["in", "out"]
Event = Literal["eject", "return"]
Action = Literal["rest longer", "forget"]

TABLE: Final[Table[Phase, Event, Action]] = {
    ("in", "eject"): Step("out", "rest longer"),
    ("out", "return"): Step("in", "forget"),
}
GOOD: Final = 0
FAILED: Final = 1


class EjectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, shares of 1.

    consecutive      so many failed calls in a row eject a replica.
    window           how far back calls count for the rate.
    minimum          fewer calls than this in the window have no rate.
    failure_rate     this share of failed calls ejects it.
    base             how long, the first time; so many times longer each time after that.
    longest          but no longer than this.
    most             no more than this share of the replicas are out at once, though always one.
    abandoned_after  a call its caller gives up after so long has failed.
    """

    consecutive: int = 5
    window: float = 30.0
    minimum: int = 20
    failure_rate: float = 0.5
    base: float = 30.0
    longest: float = 300.0
    most: float = 0.5
    abandoned_after: float = 30.0


class Health:
    """Of one replica."""

    def __init__(self, settings: EjectionSettings, clock: Clock = SYSTEM) -> None:
        """In, and nothing is known."""
        self.settings = settings
        self._now = clock.monotonic
        self._tally = Tally(settings.window, 2)
        self._in_a_row = self._times = 0
        self._since = self._now()
        self._rest = 0.0
        self._phase: Phase = "in"

    @property
    def out(self) -> bool:
        """Whether it is ejected now."""
        if self._phase == "out" and self._now() - self._since >= self._rest:
            self._move("return")
        return self._phase == "out"

    @property
    def rest(self) -> float:
        """Seconds until it returns."""
        return max(0.0, self._since + self._rest - self._now()) if self.out else 0.0

    @property
    def badness(self) -> float:
        """The share of its calls that failed lately, to choose between those that are out."""
        good, failed = self._tally.sums(self._now())
        return failed / (good + failed) if failed else 0.0

    def count(self, reply: Reply | None, began: float) -> bool:
        """A call that began then came to this, None: nothing; whether that is beyond the bounds."""
        if reply is None:
            late = self._now() - began >= self.settings.abandoned_after
            verdict = "failed" if late else None
        else:
            verdict = judged(reply) if isinstance(reply, Failure) else "good"
        if verdict is None or self.out or began < self._since:
            return False  # or it began before it was left alone, so it is no news
        self._tally.add(FAILED if verdict == "failed" else GOOD, self._now())
        if verdict == "good":
            self._in_a_row = 0
            return False
        self._in_a_row += 1
        return self._beyond()

    def _beyond(self) -> bool:
        settings = self.settings
        if self._in_a_row >= settings.consecutive:
            return True
        good, failed = self._tally.sums(self._now())
        calls = good + failed
        return calls >= settings.minimum and failed >= settings.failure_rate * calls

    def eject(self, every: Sequence[Health]) -> bool:
        """Leave it out, unless too many of `every` one would be; whether it is out."""
        most = max(1, int(self.settings.most * len(every)))
        if not self.out and sum(one.out for one in every) < most:
            self._move("eject")
        return self.out

    def _move(self, event: Event) -> None:
        step = TABLE[self._phase, event]
        now = self._now()
        if step.action == "rest longer":
            # Time in which it did well makes up for earlier ejections.
            forgiven = int((now - self._since) / self.settings.base)
            self._times = max(0, self._times - forgiven) + 1
            self._rest = min(self.settings.base * self._times, self.settings.longest)
        else:
            # It returned when its rest was over, whenever somebody looks.
            now = self._since + self._rest
            self._in_a_row = 0
            self._tally.forget()
        self._phase, self._since = step.phase, now
