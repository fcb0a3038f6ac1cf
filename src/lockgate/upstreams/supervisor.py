"""Whether a server is up, and when to try again: a state machine that does nothing by itself.

Must not know: event loops, sockets, processes, or what it takes to connect.

The machine is the table below. Whoever owns a `Supervisor` reports events to it and reads from
`state` what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.lifecycle import Step, Table
from lockgate.core.message import Era
from lockgate.upstreams.crashes import Crashes, CrashRule

Phase = Literal["idle", "connecting", "ready", "needs-login", "backoff", "crash-looping", "stopped"]
Event = Literal[
    "start", "connected", "barred", "failed", "lost", "looped", "retry", "probe", "rest", "stop"
]
Action = Literal["wait", "leave it alone", "say why"]

TABLE: Final[Table[Phase, Event, Action]] = {
    ("idle", "start"): Step("connecting"),
    ("connecting", "connected"): Step("ready"),
    ("connecting", "barred"): Step("needs-login", "say why"),
    ("needs-login", "start"): Step("connecting"),
    ("connecting", "failed"): Step("backoff", "wait"),
    ("connecting", "looped"): Step("crash-looping", "leave it alone"),
    ("ready", "lost"): Step("backoff", "wait"),
    ("ready", "looped"): Step("crash-looping", "leave it alone"),
    ("ready", "probe"): Step("connecting"),
    ("ready", "rest"): Step("idle"),
    ("backoff", "retry"): Step("connecting"),
    ("crash-looping", "retry"): Step("connecting"),
    ("idle", "stop"): Step("stopped"),
    ("connecting", "stop"): Step("stopped"),
    ("ready", "stop"): Step("stopped"),
    ("needs-login", "stop"): Step("stopped"),
    ("backoff", "stop"): Step("stopped"),
    ("crash-looping", "stop"): Step("stopped"),
}

STEADY_AFTER: Final = 10.0
"""Seconds a server must stay ready before the count of failed attempts starts again at zero, so
that one which starts well and dies at its first call is still tried less and less often."""

LOOPING: Final = "crash-looping"
"""What `lockgate.core.codes` calls a server in a crash loop."""
BY_HAND: Final = (
    "Run its command by hand to see what ends it. It is tried again by itself, "
    "and at once when its entry in the configuration changes."
)


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait between attempts: exponential, with full jitter.

    first   the upper bound of the first wait, in seconds; each further bound is twice as long.
    limit   no bound grows beyond this.
    jitter  gives a number in [0, 1); the wait is that share of the bound. Full jitter keeps many
            gateways from returning to a server that has just come up in the same instant.
    """

    first: float = 0.5
    limit: float = 60.0
    jitter: Callable[[], float] = random

    def wait(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt`, counted from 1."""
        bound = self.first * 2.0 ** min(max(attempt, 1) - 1, 32)
        return min(bound, self.limit) * self.jitter()


class UpstreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one server, for people and machines.

    phase         where in `TABLE` it stands.
    eras          the eras it is known to speak.
    name, version what the server calls itself; None until it has said so.
    since         when this phase began, wall time.
    attempt       failed attempts since it was last steadily ready.
    next_attempt  in backoff and crash-looping: when the next is due, on the monotonic clock.
    last_error    the last failure in one line; None when there was none since it became ready.
    reason        what `lockgate.core.codes` calls that failure.
    remedy        what its owner can do about that; may quote the server, so it is not for clients.
    pid           the process id of a stdio server that runs.
    """

    phase: Phase = "idle"
    eras: frozenset[Era] = frozenset()
    name: str | None = None
    version: str | None = None
    since: float = 0.0
    attempt: int = 0
    next_attempt: float | None = None
    last_error: str | None = None
    remedy: str | None = None
    reason: str | None = None
    pid: int | None = None


class Supervisor:
    """The state of one server and the rules for changing it."""

    def __init__(
        self,
        clock: Clock = SYSTEM,
        backoff: Backoff | None = None,
        on_change: Callable[[UpstreamState], None] | None = None,
        crashes: CrashRule | None = None,
    ) -> None:
        """`on_change` is told about every change of phase, after it happened.

        `crashes` says when a server that dies again and again is left alone for longer.
        """
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._crashes = Crashes(crashes or CrashRule(), self._backoff.jitter)
        self._on_change = on_change
        self._ready_at = clock.monotonic()
        self.state = UpstreamState(since=clock.wall())

    def report(
        self,
        event: Event,
        error: str | None = None,
        remedy: str | None = None,
        reason: str = "server-ended",
        died: bool = False,
    ) -> bool:
        """Take the transition that `event` names; False, changing nothing, when there is none.

        `error` is the one-line cause of `failed` and `lost`, `remedy` what to do about it,
        `reason` its name in the table of errors; `died`: its process has ended by itself.
        """
        old = self.state
        if (old.phase, event) not in TABLE:
            return False
        now = self._clock.monotonic()
        pause = self._crashes.died(now, self._stood(now)) if died else None
        if pause is not None:
            event, reason = "looped", LOOPING
            error = f"{self._crashes.told(now)}; the last time: {error or 'unknown error'}"
            remedy = f"{BY_HAND} {remedy}" if remedy else BY_HAND
        step = TABLE[old.phase, event]
        phase = step.phase
        attempt, next_attempt = old.attempt, None
        last_error, advice, known = old.last_error, old.remedy, old.reason
        if step.action == "say why":
            attempt, last_error, advice, known = 0, one_line(error or ""), remedy, reason
        elif step.action is not None:
            if old.phase == "ready" and now - self._ready_at >= STEADY_AFTER:
                attempt = 0
            attempt += 1
            next_attempt = now + (self._backoff.wait(attempt) if pause is None else pause)
            last_error, advice, known = one_line(error or "unknown error"), remedy, reason
        elif phase == "ready":
            self._ready_at = now
            last_error = advice = known = None
        elif event == "start":
            attempt, last_error, advice, known = 0, None, None, None
        self.state = replace(
            old,
            phase=phase,
            since=self._clock.wall(),
            attempt=attempt,
            next_attempt=next_attempt,
            last_error=last_error,
            remedy=advice,
            reason=known,
        )
        if self._on_change is not None:
            self._on_change(self.state)
        return True

    def _stood(self, now: float) -> float:
        """Seconds it has been ready."""
        return now - self._ready_at if self.state.phase == "ready" else 0.0

    def learn(
        self,
        *,
        eras: frozenset[Era] | None = None,
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        """Note what a server said about itself; what is None stays as it was."""
        self.state = replace(
            self.state,
            eras=self.state.eras if eras is None else eras,
            name=name or self.state.name,
            version=version or self.state.version,
        )

    def running(self, pid: int | None) -> None:
        """Note the process a stdio server runs as, or that it runs no more."""
        self.state = replace(self.state, pid=pid)

    def retry_after(self) -> float | None:
        """Seconds until the next attempt; None when none is scheduled."""
        due = self.state.next_attempt
        return None if due is None else max(0.0, due - self._clock.monotonic())


def one_line(text: str, limit: int = 200) -> str:
    """The first non-empty line of `text`, cut to `limit` characters."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"
