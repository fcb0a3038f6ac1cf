"""One request on its way in a session of the handshake era, and what the server asks meanwhile.

Must not know: transports, sessions, where answers go. `TABLE` is the life of a request.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from lockgate.core.lifecycle import Step, Table
from lockgate.core.message import Ask, Call, Emit, Failure, Notification, RequestId
from lockgate.core.raw import Raw
from lockgate.wire.jsonrpc import Response

ASK_LIMIT: Final = 32
"""How many requests a server may have open toward one call."""

Phase = Literal["running", "asking", "parked", "answered", "failed", "gone"]
Event = Literal["ask", "withdraw", "park", "resume", "settle", "fail", "refuse", "land", "abandon"]
Action = Literal["wake the caller", "tell the server"]

TABLE: Final[Table[Phase, Event, Action]] = {
    ("running", "ask"): Step("asking", "wake the caller"),
    ("running", "settle"): Step("answered", "wake the caller"),
    ("running", "fail"): Step("failed", "wake the caller"),
    ("running", "refuse"): Step("gone", "wake the caller"),
    ("running", "abandon"): Step("gone", "tell the server"),
    ("asking", "ask"): Step("asking"),
    ("asking", "withdraw"): Step("running"),
    ("asking", "park"): Step("parked"),
    ("asking", "settle"): Step("answered", "wake the caller"),
    ("asking", "fail"): Step("failed", "wake the caller"),
    ("asking", "refuse"): Step("gone", "wake the caller"),
    ("asking", "abandon"): Step("gone", "tell the server"),
    ("parked", "ask"): Step("parked"),
    ("parked", "resume"): Step("running"),
    ("parked", "settle"): Step("answered"),
    ("parked", "fail"): Step("failed"),
    ("parked", "abandon"): Step("gone", "tell the server"),
    ("answered", "land"): Step("gone"),
    ("answered", "abandon"): Step("gone"),
    ("failed", "land"): Step("gone"),
    ("failed", "abandon"): Step("gone"),
}
"""running: somebody waits for the answer. asking: the server has asked something, and its questions
are gathered. parked: they are with the client, and nobody waits until it comes back. refuse: it
turned out not to have been executed."""
_OVER: Final = frozenset({"answered", "failed", "gone"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request the server made: its own id, method and params."""

    id: RequestId
    method: str
    params: Raw


class Flight:
    """One request: where its notifications go, and the mailbox in which its end arrives.

    phase     where in `TABLE` it stands; `report` moves it.
    response  set in `answered`, `failure` in `failed`.
    asks      what the server asked and nobody has taken yet.
    ticket    the number it is parked under.
    stream    the transport's, as is `reader`.
    """

    __slots__ = (
        "_waiter",
        "affinity",
        "asks",
        "emit",
        "failure",
        "id",
        "log_level",
        "method",
        "phase",
        "reader",
        "response",
        "stream",
        "ticket",
        "trouble",
        "wants_progress",
    )

    def __init__(self, flight_id: int, call: Call) -> None:
        self.id = flight_id
        self.method = call.method
        self.affinity = call.affinity
        self.phase: Phase = "running"
        self.ticket: int | None = None
        self.response: Response | None = None
        self.failure: Failure | None = None
        self.asks: list[Asked] = []
        self.reader: asyncio.Task[None] | None = None
        self.stream: Any = None
        self.trouble: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.follow(call)

    def follow(self, call: Call) -> None:
        """From now on this call is the one that waits."""
        self.emit: Emit = call.emit
        self.wants_progress = call.wants_progress
        self.log_level = call.client.log_level

    def report(self, event: Event) -> Step[Phase, Action] | None:
        """Take the step that `event` names; None, changing nothing, when there is none."""
        step = TABLE.get((self.phase, event))
        if step is not None:
            self.phase = step.phase
            if step.action == "wake the caller":
                self._wake()
        return step

    @property
    def over(self) -> bool:
        """Nothing more can come of it."""
        return self.phase in _OVER

    @property
    def landed(self) -> bool:
        """There is something for the caller: the end, or a question."""
        return self.phase != "running"

    async def wait(self) -> None:
        """Return once there is something for the caller.

        Raises:
            Exception: the one given to `raise_in_caller`.
        """
        if self.phase == "running":
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self.trouble is not None:
            raise self.trouble

    def settle(self, response: Response) -> None:
        """The answer is here; only the first counts."""
        if self.report("settle"):
            self.response = response

    def fail(self, failure: Failure) -> None:
        """There will be no answer."""
        if self.report("fail"):
            self.failure = failure

    def raise_in_caller(self, error: Exception) -> None:
        """Have the caller's wait end with this exception: the request was not executed."""
        if self.report("refuse"):
            self.trouble = error

    def abandon(self, failure: Failure) -> bool:
        """Nobody is to wait for it; whoever still does gets `failure`.

        Returns:
            Whether the server works on it and has to be told.
        """
        step = self.report("abandon")
        if step is None or step.action != "tell the server":
            return False
        self.failure = failure
        self._wake()
        return True

    def ask(self, asked: Asked) -> bool:
        """Put a question of the server to whoever made the call; False when there are too many."""
        if len(self.asks) >= ASK_LIMIT or not self.report("ask"):
            return False
        self.asks.append(asked)
        return True

    def withdraw(self, request_id: object) -> None:
        """The server no longer wants an answer to this question."""
        self.asks[:] = [asked for asked in self.asks if asked.id != request_id]
        if not self.asks:
            self.report("withdraw")

    def resume(self, call: Call, unanswered: list[Asked]) -> None:
        """The client is back, and has left these questions open."""
        self.follow(call)
        self.report("resume")
        self.asks[:0] = unanswered
        if self.asks:
            self.report("ask")

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Listener:
    """Somebody who takes what a session's server says outside of calls.

    methods  the change notifications wanted and offered.
    uris     the resources subscribed to.
    """

    __slots__ = ("affinity", "ask", "emit", "ended", "methods", "uris")

    def __init__(
        self, emit: Emit, ask: Ask | None, affinity: str | None, methods: frozenset[str]
    ) -> None:
        self.emit = emit
        self.ask = ask
        self.affinity = affinity
        self.methods = methods
        self.uris: set[str] = set()
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def takes(self, notification: Notification) -> bool:
        """Whether this listener wants `notification`."""
        method = notification.method
        if method == "notifications/resources/updated":
            return updates(text(notification.params, "uri"), self.uris)
        if method.endswith("/list_changed"):
            return method in self.methods
        return True

    def end(self, *, gracefully: bool) -> None:
        """Tell whoever waits that this session gives no more."""
        if not self.ended.done():
            self.ended.set_result(gracefully)


def text(params: Raw, key: str) -> str | None:
    """A member that should be a string, if it is one."""
    try:
        value = params.get(key)
    except msgspec.MsgspecError:
        # Valid JSON can still hold what has no value here, such as a number out of range.
        return None
    return value if isinstance(value, str) else None


def updates(uri: str | None, subscribed: set[str] | frozenset[str]) -> bool:
    """Whether an update of `uri` concerns one of `subscribed`.

    A server may report a part of what was subscribed to (revision 2025-11-25,
    server/resources), so a longer URI below a subscribed one counts.
    """
    if uri is None:
        return False
    return uri in subscribed or any(uri.startswith(one.rstrip("/") + "/") for one in subscribed)
