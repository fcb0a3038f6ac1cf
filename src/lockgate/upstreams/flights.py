"""One request on its way in a session of the handshake era, and what the server asks meanwhile.

Must not know: transports, sessions, where answers go.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from lockgate.core.message import Ask, Call, Emit, Failure, Notification, RequestId
from lockgate.core.raw import Raw
from lockgate.wire.jsonrpc import Response

ASK_LIMIT: Final = 32
"""How many requests a server may have open toward one call."""


class Asked(msgspec.Struct, frozen=True):
    """A request the server made: its own id, method and params."""

    id: RequestId
    method: str
    params: Raw


class Flight:
    """One request: where its notifications go, and the mailbox in which its end arrives.

    Exactly one of `response` and `failure` is set once it is over; `asks` holds what the server
    asked and nobody has taken yet. `stream` and `reader` belong to the transport.
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
        "reader",
        "response",
        "stream",
        "trouble",
        "wants_progress",
    )

    def __init__(self, flight_id: int, call: Call) -> None:
        self.id = flight_id
        self.method = call.method
        self.affinity = call.affinity
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

    @property
    def over(self) -> bool:
        """The answer, or what takes its place, has arrived."""
        return self.response is not None or self.failure is not None

    @property
    def landed(self) -> bool:
        """There is something for the caller: the end, or a question."""
        return (
            self.response is not None
            or self.failure is not None
            or self.trouble is not None
            or bool(self.asks)
        )

    async def wait(self) -> None:
        """Return once there is something for the caller."""
        if self.trouble is not None:
            raise self.trouble
        if self.landed:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self.trouble is not None:
            raise self.trouble

    def settle(self, response: Response) -> None:
        """The answer is here; only the first counts."""
        if not self.over:
            self.response = response
            self._wake()

    def fail(self, failure: Failure) -> None:
        """There will be no answer."""
        if not self.over:
            self.failure = failure
            self._wake()

    def raise_in_caller(self, error: Exception) -> None:
        """Have the caller's wait end with this exception: the request was not executed."""
        self.trouble = error
        self._wake()

    def ask(self, asked: Asked) -> bool:
        """Put a question of the server to whoever made the call; False when there are too many."""
        if self.over or len(self.asks) >= ASK_LIMIT:
            return False
        self.asks.append(asked)
        self._wake()
        return True

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
