"""Everybody who listens to one server of the stateless era, on one stream.

Must not know: transports, supervision. A stream's filter cannot change, so a new subject means a
new stream: it is opened first, then the old one is closed, and what both carry meanwhile counts
once. A stream that breaks is opened again, and everybody is told to look afresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from lockgate.core.message import LISTEN, Call, Emit, Failure, Notification, Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.core.reported import Reported
from lockgate.upstreams.fan import Fan
from lockgate.upstreams.filters import (
    LISTS,
    SHARED,
    SUBJECT_OF,
    Filter,
    Union,
    acknowledged,
    refetch,
)
from lockgate.upstreams.identity import gateway_call
from lockgate.upstreams.supervisor import Backoff
from lockgate.wire.jsonrpc import INTERNAL_ERROR
from lockgate.wire.modern_out import ACKNOWLEDGED

OVERLAP: Final = 0.25
"""Seconds the old stream is still read after the new one stands."""
ACKNOWLEDGE: Final = 15.0
STEADY_AFTER: Final = 10.0
"""Seconds after which the end of a stream is no sign that the next would end at once."""


class _Stream:
    """One listen request on its way."""

    __slots__ = ("_hub", "acked", "asked", "ended", "honoured", "seen", "since", "task")

    def __init__(self, hub: Listening, asked: Filter, send: Callable[[Call], Awaitable[Reply]]):
        self._hub = hub
        self.asked = asked
        self.honoured = Filter()
        self.ended = False
        self.since = 0.0
        self.seen = Reported()
        self.acked: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()
        call = gateway_call(LISTEN, asked.params(), emit=self._arrived)
        self.task = asyncio.get_running_loop().create_task(self._run(send, call))

    async def _run(self, send: Callable[[Call], Awaitable[Reply]], call: Call) -> None:
        try:
            reply = await send(call)
        except Exception as error:
            reply = Failure(
                INTERNAL_ERROR,
                "The subscription broke off.",
                "upstream",
                "upstream-lost",
                remedy="Lockgate opens it again by itself.",
                detail=repr(error),
            )
        finally:
            self.ended = True
        if not self.acked.done():
            self.acked.set_result(reply if isinstance(reply, Failure) else None)
        self._hub.wake()

    def _arrived(self, notification: Notification) -> None:
        if notification.method == ACKNOWLEDGED:
            if not self.acked.done():
                self.honoured = Filter.of(notification.params, SHARED)
                self.acked.set_result(None)
                # At once: what comes in the same breath must find everybody in place.
                self._hub.stand(self)
        else:
            self._hub.arrived(self, notification)

    def close(self) -> None:
        self.ended = True
        self.task.cancel()

    def give_up(self) -> Failure:
        self.close()
        text = f"The server did not acknowledge a subscription within {ACKNOWLEDGE:g} s."
        return Failure(
            INTERNAL_ERROR,
            text,
            "upstream",
            "upstream-timeout",
            remedy="Lockgate tries again by itself; the server's own log may say more.",
        )


class _Subscriber:
    """One listen call of a client."""

    __slots__ = ("acked", "done", "emit", "wanted")

    def __init__(self, wanted: Filter, emit: Emit) -> None:
        self.wanted = wanted
        self.emit = emit
        self.acked: Filter | None = None
        self.done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    @property
    def waits(self) -> bool:
        """Neither acknowledged nor refused."""
        return self.acked is None and not self.done.done()

    def acknowledge(self, honoured: Filter) -> None:
        self.acked = honoured & self.wanted
        self.emit(acknowledged(self.acked))

    def finish(self, reply: Reply) -> None:
        if not self.done.done():
            self.done.set_result(reply)


class Listening:
    """Shares one stream of a server among all who listen to it."""

    def __init__(
        self,
        send: Callable[[Call], Awaitable[Reply]],
        changed: Callable[[str], None],
        backoff: Backoff | None = None,
        overlap: float = OVERLAP,
    ) -> None:
        """Nothing is opened yet.

        send     sends one listen request and returns when its stream is over.
        changed  is told the subject of every list that changes.
        """
        self._send = send
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._overlap = overlap
        self._subscribers: dict[_Subscriber, None] = {}
        self._asked = Union()
        self._fan = Fan()
        self._watching = False
        self._stream: _Stream | None = None
        self._other: _Stream | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._again = asyncio.Event()
        self._gap = False
        self._stopped = False

    async def listen(self, call: Call) -> Reply:
        """Serve one `subscriptions/listen` call until it is cancelled or the server stops."""
        subscriber = _Subscriber(Filter.of(call.params), call.emit)
        self._subscribers[subscriber] = None
        self._asked.add(subscriber.wanted)
        stream = self._stream
        if stream is not None and not stream.ended and stream.asked.covers(subscriber.wanted):
            subscriber.acknowledge(stream.honoured)
        self._keep()
        try:
            return await subscriber.done
        finally:
            del self._subscribers[subscriber]
            self._asked.remove(subscriber.wanted)
            self.wake()

    def watch(self) -> None:
        """Hear of changed lists from now on, whoever else listens."""
        if not self._watching:
            self._asked.add(LISTS)
        self._watching = True
        self._keep()

    def stop(self) -> None:
        """End every listen call gracefully."""
        self._stopped = True
        self._fan.finish()
        for subscriber in tuple(self._subscribers):
            subscriber.finish(Result(EMPTY))
        if self._keeper is not None:
            self._keeper.cancel()
        self._close()

    @property
    def listened_to(self) -> bool:
        """Whether a client listens."""
        return bool(self._subscribers)

    def retry(self) -> None:
        """The server is up again: there is no point in waiting longer."""
        self._again.set()

    def wake(self) -> None:
        """Something changed that the keeper should look at."""
        self._news.set()

    def _keep(self) -> None:
        self.wake()
        if self._keeper is None and not self._stopped:
            self._keeper = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        failed = 0
        while (wanted := self._asked.filter) or self._subscribers:
            self._news.clear()
            # Before waiting: a stream may have ended as soon as it stood.
            failed = self._count_loss(failed)
            if not wanted:
                self._close()
                self._acknowledge()
            elif self._stream is None or self._stream.asked != wanted:
                if failed and self._stream is None:
                    await self._pause(self._backoff.wait(failed))
                failed += await self._open(wanted)
                continue
            await self._news.wait()
        self._close()
        self._keeper = None

    def _count_loss(self, failed: int) -> int:
        """The number of failures in a row, after looking whether the stream is still there."""
        stream = self._stream
        if stream is None or not stream.ended:
            return failed
        self._stream = None
        self._gap = True
        steady = asyncio.get_running_loop().time() - stream.since >= STEADY_AFTER
        return 1 if steady else failed + 1

    async def _pause(self, seconds: float) -> None:
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    async def _open(self, wanted: Filter) -> int:
        """Open a stream for `wanted`; the number of failures this adds."""
        old = self._stream
        new = _Stream(self, wanted, self._send)
        self._end_overlap()
        if old is not None:
            old.seen.clear()
            self._other = new
        try:
            await asyncio.wait([new.acked], timeout=ACKNOWLEDGE)
        except BaseException:
            new.close()
            raise
        failure = new.acked.result() if new.acked.done() else new.give_up()
        if failure is not None and failure.reason == "upstream-error":
            # The server has no such thing as listening, and that is an answer, not a fault.
            new.ended, failure = False, None
            self.stand(new)
        if failure is not None:
            self._other = None
            self._refuse(failure)
            return 1
        return 0

    def stand(self, new: _Stream) -> None:
        """The new stream has been acknowledged and is the one that counts."""
        old, self._stream = self._stream, new
        self._other = old
        new.since = asyncio.get_running_loop().time()
        self._acknowledge()
        if self._gap:
            self._gap = False
            refetch(new.honoured, self._deliver)
        if old is not None:
            loop = asyncio.get_running_loop()
            self._closing = loop.call_later(self._overlap, self._end_overlap)

    def _end_overlap(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        other, self._other = self._other, None
        if other is not None and other is not self._stream:
            other.close()

    def _close(self) -> None:
        self._end_overlap()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _acknowledge(self) -> None:
        asked = self._stream.asked if self._stream is not None else Filter()
        honoured = self._stream.honoured if self._stream is not None else Filter()
        for subscriber in tuple(self._subscribers):
            if subscriber.waits and asked.covers(subscriber.wanted):
                subscriber.acknowledge(honoured)

    def _refuse(self, failure: Failure) -> None:
        for subscriber in tuple(self._subscribers):
            if subscriber.waits and subscriber.wanted:
                subscriber.finish(failure)

    def arrived(self, stream: _Stream, notification: Notification) -> None:
        """Something came on one of the streams."""
        if stream is not self._stream and stream is not self._other:
            return
        other = self._other if stream is self._stream else self._stream
        # Both streams carry what happened since the second was opened.
        if self._other is None or other is None or stream.seen.first(notification, other.seen):
            self._deliver(notification)

    def _deliver(self, notification: Notification) -> None:
        subject = SUBJECT_OF.get(notification.method)
        if subject is not None:
            self._changed(subject)
        self._fan.out(
            [
                one.emit
                for one in self._subscribers
                if one.acked is not None and one.acked.takes(notification)
            ],
            notification,
        )
