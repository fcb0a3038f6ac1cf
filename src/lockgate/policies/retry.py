"""Asks a server again, where that can do no harm.

Refuses: nothing. Costs: one addition for each call; what fails costs a decision, and a pause if it
is asked again. Does not protect from: a server that is down for long (the breaker does), a tool
that says it is idempotent and is not.

    | what failed                                | what is asked again                           |
    |--------------------------------------------|-----------------------------------------------|
    | certainly before the server saw the call   | every call                                    |
    | lost, or HTTP 429, 502, 503 or 504         | lists, reads, prompts, completions, and tools |
    |                                            | that are read-only or idempotent              |
    | anything else                              | nothing                                       |

A round of a conversation (`inputResponses`, `requestState`) is never asked again: a state is used
once. Neither is a call that makes a task, nor (as progress must grow) one whose caller follows its
progress, unless the server has certainly not seen it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import random
from typing import Any, ClassVar, Final, Literal

from lockgate.core.attempts import LOST, READING, SINGLE, TOOL, elsewhere, unsent
from lockgate.core.backoff import Budget, bound
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.match import ByTool
from lockgate.core.message import Call, Failure, Reply
from lockgate.core.policy import CallNext, Stage

Which = Literal["annotated", "always", "never"]
PASSING: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses that say the same request may do better later (RFC 9110 section 15, RFC 6585)."""
BRIEF: Final = 0.5
"""Seconds: a server to be connected again this soon has just gone; one down for long is not
waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """Times in seconds.

    attempts  how often a call is sent at most, the first time included.
    first     the upper bound of the first pause; each further bound is twice as long.
    longest   no pause is longer. A server that asks for a longer one is not asked again.
    share     retries for each call that comes in, on average.
    floor     retries a second that are there without any calls.
    tools     which tools may run twice: `annotated` as read-only or idempotent, `always`, `never`.
    patterns  the same for tools by pattern.
    """

    attempts: int = 3
    first: float = 0.1
    longest: float = 2.0
    share: float = 0.2
    floor: float = 1.0
    tools: Which = "annotated"
    patterns: Mapping[str, Which] = field(default_factory=dict[str, Which])


class Retry:
    """Of one server."""

    name: ClassVar[str] = "retry"
    stage: ClassVar[Stage] = Stage.RESIST

    def __init__(
        self,
        settings: RetrySettings,
        annotated: Callable[[str], bool],
        clock: Clock = SYSTEM,
        *,
        jitter: Callable[[], float] = random,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        before: Retry | None = None,
    ) -> None:
        """Nothing is counted yet, or with `before` in the same budget as that one counts.

        annotated  whether the server lists a tool, by its own name for it, as read-only or
                   idempotent.
        jitter     gives a number in [0, 1), the share of each pause's bound.
        pause      waits.
        """
        self._settings = settings
        self._annotated = annotated
        self._tools: ByTool[Which] = ByTool(list(settings.patterns.items()), settings.tools)
        self.budget: Budget = (
            before.budget if before else Budget(settings.share, settings.floor, clock)
        )
        self._now = clock.monotonic
        self._jitter = jitter
        self._pause = pause

    def concerns(self, method: str) -> bool:
        """What may be repeated, and tool calls that certainly have not run."""
        return method in READING or method == TOOL

    def begin(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Recovery`."""
        self.budget.earn()

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Recovery`."""
        for attempt in range(1, self._settings.attempts):
            if not self._may_repeat(call, failure):
                break
            wait = self._wait(attempt, failure)
            if wait is None or (call.deadline is not None and self._now() + wait >= call.deadline):
                break
            if not self.budget.spend():
                break
            await self._pause(wait)
            reply = await again(elsewhere(call))
            if not isinstance(reply, Failure):
                return reply
            if reply.origin == "policy":
                # A refusal of our own says less about the server than what it did.
                break
            failure = reply
        return failure

    def _may_repeat(self, call: Call, failure: Failure) -> bool:
        if failure.origin != "upstream" or any(name in call.params for name in SINGLE):
            return False
        if unsent(failure):
            # Whoever waits for what keeps ending only waits.
            return failure.reason != "crash-looping"
        http = failure.reason == "upstream-http-error"
        passing = http and _data(failure).get("status") in PASSING
        if not passing and failure.reason not in LOST:
            return False
        return not call.wants_progress and self._harmless(call)

    def _harmless(self, call: Call) -> bool:
        if call.method != TOOL:
            return True
        if call.target is None:
            return False
        which = self._tools[call.target.name]
        return which == "always" or (which == "annotated" and self._annotated(call.target.name))

    def _wait(self, attempt: int, failure: Failure) -> float | None:
        """Seconds until the next attempt; None: there is to be none."""
        settings = self._settings
        most = bound(attempt, settings.first, settings.longest)
        asked = _data(failure).get("retry_after")
        down = failure.reason == "server-unavailable"
        if not isinstance(asked, int | float):
            return None if down else most * self._jitter()
        # Never before the server wants it, and not all callers in the same instant.
        patience = min(BRIEF, settings.longest) if down else settings.longest
        return None if asked > patience else asked + most * self._jitter()


def _data(failure: Failure) -> dict[str, Any]:
    data: Any = failure.data
    return data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
