"""What one session of the handshake era listens to, as one long canonical call at a time.

Must not know: the client's streams, subscriptions of other sessions.

The stateless era's filter cannot be changed, so a new set of URIs means a new call. The new one is
opened before the old one ends, and for a short while both are heard: an event both report is passed
on once, an event only one of them reports is not lost. What the old one reports counts as soon as
the new one is being opened, as that may keep events back until it is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lockgate.core.message import Emit, Failure, Notification, Reply
from lockgate.core.raw import Raw
from lockgate.core.reported import Reported
from lockgate.wire.jsonrpc import INTERNAL_ERROR

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
MOST_URIS = 1000

Open = Callable[[Raw, Emit], Awaitable[Reply]]
"""Runs one listen call with these params and this emit until it ends."""


class _Attempt:
    """One listen call, and what it reported while another one was heard beside it."""

    __slots__ = ("acknowledged", "seen", "task")

    def __init__(self) -> None:
        self.acknowledged: asyncio.Future[Raw | Failure] = (
            asyncio.get_running_loop().create_future()
        )
        self.seen = Reported()
        self.task: asyncio.Task[None] | None = None


class Listening:
    """The listen call of one session, opened on demand."""

    __slots__ = (
        "_ack_seconds",
        "_closed",
        "_current",
        "_deliver",
        "_linger",
        "_lock",
        "_old",
        "_open",
        "_opening",
        "_uris",
    )

    def __init__(self, open_call: Open, deliver: Emit, ack_seconds: float, linger: float) -> None:
        """`deliver` takes what is heard; see `ExchangeSettings` for the times."""
        self._open = open_call
        self._deliver = deliver
        self._ack_seconds = ack_seconds
        self._linger = linger
        self._uris: dict[str, None] = {}
        self._current: _Attempt | None = None
        self._old: _Attempt | None = None
        self._opening: _Attempt | None = None
        self._closed = False
        self._lock = asyncio.Lock()

    @property
    def uris(self) -> tuple[str, ...]:
        """The resources subscribed to."""
        return tuple(self._uris)

    @property
    def active(self) -> bool:
        """Whether a listen call is open."""
        return self._current is not None

    async def ensure(self) -> Failure | None:
        """Listen, if nothing does yet."""
        async with self._lock:
            if self._current is not None:
                return None
            opened = await self._replace(self._uris)
            return opened if isinstance(opened, Failure) else None

    async def subscribe(self, uri: str) -> Failure | None:
        """Hear of updates of `uri` too."""
        async with self._lock:
            if uri in self._uris and self._current is not None:
                return None
            if len(self._uris) >= MOST_URIS:
                return _refused(f"More than {MOST_URIS} resources are subscribed to.", uri)
            honoured = await self._replace({**self._uris, uri: None})
            if isinstance(honoured, Failure):
                return honoured
            if uri not in honoured:
                return _refused("No server takes a subscription for this resource.", uri)
            self._uris[uri] = None
            return None

    async def unsubscribe(self, uri: str) -> Failure | None:
        """Hear no more of `uri`; no fault when it was not subscribed to."""
        async with self._lock:
            if uri not in self._uris:
                return None
            del self._uris[uri]
            opened = await self._replace(self._uris)
            return opened if isinstance(opened, Failure) else None

    async def renew(self) -> None:
        """Listen anew as who the caller is by now; what is not for it any more is let go."""
        async with self._lock:
            if self._current is None:
                return
            honoured = await self._replace(self._uris)
            if isinstance(honoured, Failure):
                for attempt in (self._current, self._old):
                    if attempt is not None and attempt.task is not None:
                        attempt.task.cancel()
                self._current = self._old = None
            else:
                self._uris = {uri: None for uri in self._uris if uri in honoured}

    def close(self) -> None:
        """Listen no more, and never again."""
        self._closed = True
        # One that is not acknowledged yet would otherwise begin to be heard when it is.
        for attempt in (self._current, self._old, self._opening):
            if attempt is not None and attempt.task is not None:
                attempt.task.cancel()
        self._current = self._old = self._opening = None

    async def _replace(self, uris: dict[str, None]) -> frozenset[str] | Failure:
        if self._closed:
            return _ended()
        self._opening = attempt = _Attempt()
        if self._current is not None and self._old is None:
            self._current.seen.clear()
        attempt.task = asyncio.create_task(self._run(attempt, list(uris)))
        try:
            async with asyncio.timeout(self._ack_seconds):
                said = await asyncio.shield(attempt.acknowledged)
        except TimeoutError:
            attempt.task.cancel()
            return Failure(
                INTERNAL_ERROR,
                "Listening was not acknowledged in time.",
                "upstream",
                "listen-slow",
                remedy="Try again; see the state of the servers.",
            )
        except asyncio.CancelledError:
            attempt.task.cancel()
            raise
        finally:
            if self._opening is attempt:
                self._opening = None
        if isinstance(said, Failure):
            return said
        return frozenset(_honoured(said))

    async def _run(self, attempt: _Attempt, uris: list[str]) -> None:
        def emit(notification: Notification) -> None:
            self._heard(attempt, notification)

        reply: Reply | None = None
        try:
            reply = await self._open(_filter(uris), emit)
        finally:
            if self._current is attempt:
                self._current = None
            if self._old is attempt:
                self._old = None
            if not attempt.acknowledged.done():
                attempt.acknowledged.set_result(reply if isinstance(reply, Failure) else _ended())

    def _heard(self, attempt: _Attempt, notification: Notification) -> None:
        if notification.method == ACKNOWLEDGED:
            if not attempt.acknowledged.done():
                attempt.acknowledged.set_result(notification.params)
                self._take_over(attempt)
            return
        if attempt is not self._current and attempt is not self._old:
            return
        other = self._old if attempt is self._current else self._current
        if other is None and self._opening is not attempt:
            other = self._opening
        if other is None or attempt.seen.first(notification, other.seen):
            self._deliver(notification)

    def _take_over(self, attempt: _Attempt) -> None:
        previous, self._current = self._current, attempt
        if previous is None:
            return
        if self._old is not None:
            self._end(self._old)
        self._old = previous
        asyncio.get_running_loop().call_later(self._linger, self._end, previous)

    def _end(self, attempt: _Attempt) -> None:
        if self._old is attempt:
            self._old = None
            if self._current is not None and self._opening is None:
                self._current.seen.clear()
        if attempt.task is not None:
            attempt.task.cancel()


def _ended() -> Failure:
    return Failure(
        INTERNAL_ERROR, "Listening ended.", "gateway", "listen-ended", remedy="Subscribe again."
    )


def _filter(uris: list[str]) -> Raw:
    wanted: dict[str, Any] = {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourcesListChanged": True,
    }
    if uris:
        wanted["resourceSubscriptions"] = uris
    return Raw.of({"notifications": wanted})


def _honoured(acknowledgement: Raw) -> list[str]:
    uris: object = acknowledgement.object("notifications").get("resourceSubscriptions")
    return [uri for uri in uris if isinstance(uri, str)] if isinstance(uris, list) else []  # pyright: ignore[reportUnknownVariableType]  # a peer's own JSON


def _refused(message: str, uri: str) -> Failure:
    return Failure(
        -32602,
        message,
        "client",
        "subscription-refused",
        data={"uri": uri[:256]},
        remedy="Subscribe to resources whose server offers it (capability resources.subscribe).",
    )
