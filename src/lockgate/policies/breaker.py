"""Stops asking a server that does not answer, and finds out when it does again.

Refuses: calls while it is open, at once, with the reason `breaker-open` and `retry_after`. Costs:
two looks at the clock and a few counters. Does not protect from: a server that answers fast and
wrongly (its errors are answers), one that is down (the supervisor knows), the first calls.

    | what became of a call                            | counts as                              |
    |--------------------------------------------------|----------------------------------------|
    | lost after it was sent, timed out, HTTP 5xx      | failed                                 |
    | cancelled by its caller after `abandoned_after`  | failed                                 |
    | an answer, later than `slow_after`               | slow                                   |
    | any other answer: results, the server's errors   | good                                   |
    | cancelled sooner, refused before it was sent     | nothing                                |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from lockgate.core.attempts import judged
from lockgate.core.clock import SYSTEM, Clock, enough, written
from lockgate.core.lifecycle import Step
from lockgate.core.message import LISTEN, Call, Failure, Reply, Result
from lockgate.core.policy import Stage
from lockgate.core.tally import Tally
from lockgate.wire.jsonrpc import OVERLOADED

Phase = Literal["closed", "open", "half-open"]
Event = Literal["trip", "rest", "relapse", "recover"]
Action = Literal["rest", "rest longer", "forget"]
Verdict = Literal["good", "slow", "failed"]
Move = Step[Phase, Action]

TABLE: Final[dict[tuple[Phase, Event], Move]] = {
    ("closed", "trip"): Move("open", "rest"),
    ("open", "rest"): Move("half-open"),
    ("half-open", "relapse"): Move("open", "rest longer"),
    ("half-open", "recover"): Move("closed", "forget"),
}
GOOD: Final = 0
KINDS: Final[dict[Verdict, int]] = {"good": GOOD, "slow": 1, "failed": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """Times in seconds, rates as shares of 1.

    window           how far back calls count; fewer than `minimum` say nothing.
    failure_rate     this share of failed calls opens the breaker.
    slow_after       an answer that takes longer is slow; None: none is.
    slow_rate        this share of slow or failed calls opens it.
    abandoned_after  a call its caller gives up after so long has failed.
    rest             how long it stays open; twice that each time a probe fails, to `longest_rest`.
    probes           calls let in then to see whether it is well; all of them have to be answered.
    """

    window: float = 30.0
    minimum: int = 20
    failure_rate: float = 0.5
    slow_after: float | None = None
    slow_rate: float = 0.9
    abandoned_after: float = 30.0
    rest: float = 5.0
    longest_rest: float = 60.0
    probes: int = 3


class Breaker:
    """Of one server."""

    name: ClassVar[str] = "breaker"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(
        self,
        server: str,
        settings: BreakerSettings,
        clock: Clock = SYSTEM,
        on_change: Callable[[Phase], None] | None = None,
    ) -> None:
        """Closed; `on_change` is told every change of phase."""
        self._server = server
        self._settings = settings
        self._now = clock.monotonic
        self._on_change = on_change
        self._any_result_is_good = settings.slow_after is None
        self._tally = Tally(settings.window, len(KINDS))
        self._rest = settings.rest
        self._since = self._now()
        self._probing = self._good = 0
        self.phase: Phase = "closed"

    def concerns(self, method: str) -> bool:
        """Requests; a stream lasts until somebody ends it, and a notification has no answer."""
        return method != LISTEN and not method.startswith("notifications/")

    @property
    def retry_after(self) -> float | None:
        """Seconds until a call may be let in again; None when calls are."""
        if self.phase == "closed":
            return None
        return max(0.0, self._since + self._rest - self._now())

    def enter(self, call: Call, /) -> float | Failure:
        """See `lockgate.core.policy.Valve`. The ticket is the time."""
        now = self._now()
        if self.phase == "closed":
            return now
        if self.phase == "open" and now - self._since >= self._rest:
            self._move("rest", now)
        elif self.phase == "half-open" and now - self._since >= self._rest:
            # Probes nobody has heard of for so long must not keep everyone out.
            self._since, self._probing, self._good = now, 0, 0
        if self.phase == "half-open" and self._probing + self._good < self._settings.probes:
            self._probing += 1
            return now
        return self._refusal()

    def left(self, call: Call, ticket: float, reply: Reply | None, /) -> None:
        """See `lockgate.core.policy.Valve`."""
        if self.phase == "open" or ticket < self._since:
            return  # it was let in before the breaker moved, so it is no news
        now = self._now()
        if self.phase == "closed" and self._any_result_is_good and reply.__class__ is Result:
            self._tally.add(GOOD, now)
            return
        verdict = self._verdict(reply, now - ticket)
        if self.phase == "half-open":
            self._probed(verdict, now)
        elif verdict is not None:
            self._count(verdict, now)

    def _verdict(self, reply: Reply | None, seconds: float) -> Verdict | None:
        settings = self._settings
        if reply is None:
            return "failed" if seconds >= settings.abandoned_after else None
        if isinstance(reply, Failure) and (found := judged(reply)) != "good":
            return found
        return "slow" if seconds > (settings.slow_after or seconds) else "good"

    def _count(self, verdict: Verdict, now: float) -> None:
        self._tally.add(KINDS[verdict], now)
        if verdict == "good":
            return
        settings = self._settings
        good, slow, failed = self._tally.sums(now)
        calls, slow = good + slow + failed, slow + failed
        if calls >= settings.minimum and (
            failed >= settings.failure_rate * calls
            or (settings.slow_after is not None and slow >= settings.slow_rate * calls)
        ):
            self._move("trip", now)

    def _probed(self, verdict: Verdict | None, now: float) -> None:
        self._probing -= 1
        if verdict == "good":
            self._good += 1
            if self._good >= self._settings.probes:
                self._move("recover", now)
        elif verdict is not None:
            self._move("relapse", now)

    def _move(self, event: Event, now: float) -> None:
        step = TABLE[self.phase, event]
        self.phase, self._since = step.phase, now
        self._probing = self._good = 0
        if step.action == "rest longer":
            self._rest = min(self._rest * 2, self._settings.longest_rest)
        elif step.action == "forget":
            self._rest = self._settings.rest
            self._tally.forget()
        if self._on_change is not None:
            self._on_change(self.phase)

    def _refusal(self) -> Failure:
        seconds = enough(self.retry_after or 0.0)
        return Failure(
            code=OVERLOADED,
            message=f"The server '{self._server}' has not been answering, so it is not asked now "
            f"({self.phase}). The next attempt is in {written(seconds)} s.",
            origin="policy",
            reason="breaker-open",
            policy=self.name,
            data={"server": self._server, "state": self.phase, "retry_after": seconds},
            remedy="Lockgate tries again by itself; the server's own log says what ails it.",
        )
