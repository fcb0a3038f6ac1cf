"""Calls to one server of the handshake era, whatever transport it has.

Must not know: HTTP or processes, supervision. Finds or opens the session a call belongs to, takes
up parked calls, and serves those who listen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import (
    LISTEN,
    Call,
    Emit,
    Failure,
    Notification,
    Principal,
    Reply,
    Result,
)
from lockgate.core.raw import EMPTY
from lockgate.upstreams.filters import FLAG_OF, RESOURCES, Filter, acknowledged, refetch
from lockgate.upstreams.flights import Listener
from lockgate.upstreams.http_handshake import Expired
from lockgate.upstreams.parking import Parked, Parking
from lockgate.upstreams.questions import CAN_WAIT
from lockgate.upstreams.refusals import session_lost, state_elsewhere, unknown_state
from lockgate.upstreams.remote import Down
from lockgate.upstreams.session_pool import SessionPool
from lockgate.upstreams.sessions import SET_LEVEL, Key, Session
from lockgate.upstreams.supervisor import Backoff
from lockgate.wire.handshake_out import ABANDON, Opening, discovered

BACKLOG: Final = 1000
_CAPABILITY: Final = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
    "resourcesListChanged": "resources",
}
_METHOD: Final = {flag: method for method, flag in FLAG_OF.items()}


class Handshake:
    """Sends calls to one server of the handshake era."""

    def __init__(
        self,
        server: str,
        pool: SessionPool,
        parking: Parking,
        until_ready: Callable[[], Awaitable[None]],
        *,
        by_affinity: bool,
        partition: Callable[[Principal], str] | None = None,
        backoff: Backoff | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is opened yet.

        partition    tells principals apart as the server does; None: it does not.
        by_affinity  each client session has a session of its own; otherwise those of one
                     principal with equal capabilities share one.
        until_ready  returns when it makes sense to open a session again.
        """
        self.pool = pool
        self._server = server
        self._parking = parking
        self._until_ready = until_ready
        self._by_affinity = by_affinity
        self._partition = partition
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._expiry: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Event = asyncio.Event()

    def key(self, call: Call) -> Key:
        """What callers share a session by."""
        affinity = call.affinity if self._by_affinity else None
        whose = call.principal.id
        if self._partition is not None:
            whose = f"{whose}\0{self._partition(call.principal)}"
        return whose, call.client.capabilities_key, affinity

    async def send(self, call: Call) -> Reply:
        """Answer the call.

        Raises:
            Down: the server cannot be reached.
            Stale: the server does not speak this era any more.
        """
        method = call.method
        if method in CAN_WAIT and "requestState" in call.params:
            return await self._resume(call)
        if method == LISTEN:
            return await self._listen(call)
        if method == SET_LEVEL or method.startswith("notifications/"):
            return await self._tell(call)
        for _ in range(2):
            session = self.pool.live(self.key(call)) or await self.session(call)
            if isinstance(session, Failure):
                return session
            if method == "server/discover":
                return Result(discovered(session.greeting))
            try:
                reply = await session.call(call)
            except Expired:
                # The server did nothing, so that the call may be made again in a new session.
                self.pool.drop(session)
                continue
            return self._watched(reply)
        return session_lost(self._server)

    async def session(self, call: Call) -> Session | Failure:
        """The session `call` belongs to, opened if need be. Raises what opening raises."""
        if self._partition is None:
            return await self.pool.acquire(self.key(call), call.client)
        return await self.pool.acquire(self.key(call), call.client, call.principal)

    async def prove(self, call: Call) -> Session | Failure:
        """As `session`, and the server has answered just now; raises `Down` when it does not.

        A session that was opened before the server went away says nothing about its return.
        """
        session = self.pool.live(self.key(call))
        if session is not None:
            try:
                # Whatever the answer is, it is one.
                await session.call(call.replace(method="ping", params=EMPTY, target=None))
            except Expired:
                self.pool.drop(session)
        return await self.session(call)

    def has_session(self, call: Call) -> bool:
        """Whether the call can be served without opening anything."""
        return self.pool.live(self.key(call)) is not None

    def end_session(self, affinity: str) -> None:
        """A client session is over."""
        for session in self.pool.serving(affinity):
            for flight in tuple(session.flights.values()):
                if flight.affinity == affinity:
                    session.abandon(flight, "The client ended its session.")
        for parked in self._parking.of_session(affinity):
            # Its own session has ended before.
            parked.session.abandon(parked.flight, "The client ended its session.")
        self.pool.end(affinity)

    def close(self) -> None:
        """End every session and every listen call."""
        self._stopping.set()
        if self._expiry is not None:
            self._expiry.cancel()
        for session in self.pool.sessions():
            for listener in tuple(session.listeners):
                listener.end(gracefully=True)
        self.pool.close()

    async def _tell(self, call: Call) -> Reply:
        """What only changes a session: without one there is nothing to change."""
        session = self.pool.live(self.key(call))
        if session is None:
            return Result(EMPTY)
        if call.method != SET_LEVEL:
            session.notify(call.method, call.params)
            return Result(EMPTY)
        if not session.opening.offers("logging"):
            return Result(EMPTY)
        try:
            return await session.call(call)
        except Expired:
            self.pool.drop(session)
            return Result(EMPTY)

    async def _resume(self, call: Call) -> Reply:
        parked = self._parking.take(call.params.get("requestState"), call)
        if not isinstance(parked, Parked):
            return unknown_state() if parked == "unknown" else state_elsewhere(self._server)
        if ABANDON in call.params:
            parked.session.abandon(parked.flight, "The client cancelled the call.")
            return Result(EMPTY)
        try:
            return self._watched(await parked.session.resume(parked, call))
        except Expired:
            self.pool.drop(parked.session)
            return session_lost(self._server)

    def _watched(self, reply: Reply) -> Reply:
        """Have what was parked forgotten in time."""
        if isinstance(reply, Result) and reply.kind == "input_required" and self._expiry is None:
            self._schedule()
        return reply

    def _schedule(self) -> None:
        due = self._parking.next_expiry()
        if due is not None:
            wait = max(0.0, due - self._clock.monotonic()) + 0.01
            self._expiry = asyncio.get_running_loop().call_later(wait, self.expire)

    def expire(self) -> None:
        """Give up the parked calls nobody came back for."""
        self._expiry = None
        for parked in self._parking.expired():
            parked.session.abandon(parked.flight, "The client did not answer in time.")
        self._schedule()

    # Listening.

    async def _listen(self, call: Call) -> Reply:
        """One session's unasked messages, until cancelled or stopped; reopened when it is lost."""
        wanted = Filter.of(call.params)
        known: Filter | None = None
        failed = 0
        while True:
            try:
                session = await self.session(call)
            except Down:
                if known is None:
                    raise
                session = None
            if isinstance(session, Failure) and known is None:
                return session
            if isinstance(session, Session):
                failed = 0 if known is None else failed
                honoured, graceful = await self._attend(session, call, wanted, known)
                known = honoured
                if graceful or self._stopping.is_set():
                    return Result(EMPTY)
            failed += 1
            await asyncio.sleep(self._backoff.wait(failed))
            await self._until_ready()

    async def _attend(
        self, session: Session, call: Call, wanted: Filter, known: Filter | None
    ) -> tuple[Filter, bool]:
        """Listen in one session until it is over; what it honoured, and whether it ended well."""
        gate = _Gate(call.emit)
        # All that is wanted is passed on: some servers send more than they declare.
        methods = frozenset(_METHOD[flag] for flag in wanted.flags & set(_METHOD))
        listener = Listener(gate, call.ask, call.affinity, methods)
        try:
            await session.add(listener)
            if session.opening.offers("resources", "subscribe"):
                for uri in sorted(wanted.uris()):
                    refused = await session.subscribe(listener, uri)
                    if refused is not None and known is not None and _passes(refused):
                        # What its client was promised is not given up for a moment's trouble.
                        return known, False
            honoured = _honoured(session.opening, wanted, listener)
            if known is None:
                call.emit(acknowledged(honoured))
            else:
                refetch(known, call.emit)
            gate.open()
            return honoured, await listener.ended
        except Expired:
            self.pool.drop(session)
            return known or Filter(), False
        except Down:
            if known is None:
                raise
            return known, False
        finally:
            session.remove(listener)


class _Gate:
    """Holds back what comes before the acknowledgement."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._held: list[Notification] | None = []

    def __call__(self, notification: Notification, /) -> None:
        if self._held is None:
            self._emit(notification)
        elif len(self._held) < BACKLOG:
            self._held.append(notification)

    def open(self) -> None:
        held, self._held = self._held or [], None
        for notification in held:
            self._emit(notification)


def _passes(failure: Failure) -> bool:
    """Whether it is no answer of the server's own, so that it may be another one later."""
    return failure.reason != "upstream-error"


def _honoured(opening: Opening, wanted: Filter, listener: Listener) -> Filter:
    """What the server has declared that it will tell."""
    return Filter(
        frozenset(
            flag
            for flag in wanted.flags & set(_METHOD)
            if opening.offers(_CAPABILITY[flag], "listChanged")
        ),
        frozenset((RESOURCES, uri) for uri in listener.uris),
    )
