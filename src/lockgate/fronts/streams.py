"""Answers that may become streams, and the one timer that keeps them alive.

Must not know: eras, JSON-RPC methods, the engine.

An answer is a plain JSON body unless something has to be said before it, or it takes long; then it
is an event stream. No call has a timer of its own: a single beat looks at all open answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from lockgate.core.clock import Clock
from lockgate.fronts.dressed import Dressed
from lockgate.fronts.http import Headers, Responder
from lockgate.wire import sse

JSON: Final[Headers] = ((b"content-type", b"application/json"),)
EVENTS: Final[Headers] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_FORBIDDEN: Final = 403
BEAT: Final = 1.0
COMMENTS: Final = 256
"""Comments in one beat, so that calls do not wait for thousands of them."""
COMMENTS_PART: Final = 8
"""Of very many streams, this part may get one: all have theirs within as many beats."""


class Running:
    """A call that can be called off: the task that awaits it, and whether somebody did."""

    __slots__ = ("cancelled", "task")

    def __init__(self, task: asyncio.Task[Any] | None = None) -> None:
        """The call runs in `task`; in the current one when none is given."""
        self.task = task or asyncio.current_task()
        self.cancelled = False

    def cancel(self) -> None:
        """Call it off; `settle` tells this from a cancellation that comes from elsewhere."""
        if not self.cancelled and self.task is not None:
            self.cancelled = True
            self.task.cancel()

    def settle(self) -> bool:
        """Called where a CancelledError arrived: whether it was ours, and is now done with."""
        if self.cancelled and self.task is not None:
            self.task.uncancel()
            return True
        return False

    def event(self, message: bytes, /) -> None:
        """Say something before the answer."""
        raise NotImplementedError

    def deny(self, challenge: Headers, /) -> None:
        """The answer that follows is a refusal, where the transport can say so, with this."""


class Pulse:
    """Beats while anything is open: keep-alive comments, long calls turned into streams."""

    __slots__ = ("_also", "_handle", "_open", "clock", "keep_alive", "stream_after")

    def __init__(self, clock: Clock, stream_after: float, keep_alive: float) -> None:
        """See `ExchangeSettings` for the times."""
        self.clock = clock
        self.stream_after = stream_after
        self.keep_alive = keep_alive
        self._open: dict[Stream, None] = {}
        self._also: list[Callable[[float], bool]] = []
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many answers are open."""
        return len(self._open)

    def add(self, stream: Stream) -> None:
        """Look after this answer."""
        self._open[stream] = None
        if self._handle is None:
            self.wake()

    def discard(self, stream: Stream) -> None:
        """This answer is complete."""
        self._open.pop(stream, None)

    def also(self, sweep: Callable[[float], bool]) -> None:
        """Call `sweep` with the time on every beat.

        It returns whether it needs another; `wake` starts the beat again when it stopped.
        """
        self._also.append(sweep)

    def wake(self) -> None:
        """Make sure the beat runs."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(BEAT, self._again)

    def stop(self) -> None:
        """Beat no more until something is added."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _again(self) -> None:
        self._handle = None
        if self.beat():
            self.wake()

    def beat(self) -> bool:
        """One beat; whether there is a reason for another."""
        now = self.clock.monotonic()
        # Thousands of streams that are told something in one moment would all fall silent in the
        # same one. Who gets no comment now gets it in the next beat, and is apart from then on.
        most = max(COMMENTS, len(self._open) // COMMENTS_PART)
        for stream in tuple(self._open):
            most -= stream.beat(now, comment=most > 0)
        wanted = [sweep(now) for sweep in self._also]
        return bool(self._open) or any(wanted)


class Stream(Running):
    """The answer to one HTTP request.

    `gone` is set once the client has gone away. From then on nothing is streamed to it; an answer
    in one piece is still sent, since it may only have closed its sending half.
    """

    __slots__ = (
        "_extra",
        "_over",
        "_patience",
        "_pulse",
        "_responder",
        "gone",
        "streaming",
        "touched",
    )

    def __init__(
        self,
        responder: Responder,
        pulse: Pulse,
        extra: Headers = (),
        patience: float | None = 0.0,
    ) -> None:
        """Answer through `responder`.

        Args:
            responder: the way to the client.
            pulse: what keeps the stream alive.
            extra: headers of the answer, whatever form it takes.
            patience: how long the call runs on when the client goes away; None: for ever.
        """
        # What `Running` would do: there is a stream for every call, so a call less.
        self.task = responder.task or asyncio.current_task()
        self.cancelled = False
        self._responder = responder
        self._pulse = pulse
        self._extra = extra
        self._patience = patience
        self._over = False
        self.streaming = False
        self.gone = False
        self.touched = pulse.clock.monotonic()
        pulse.add(self)
        responder.on_close(self.leave)

    def leave(self) -> None:
        """The client has gone away."""
        self.gone = True
        self.touched = self._pulse.clock.monotonic()
        if self.streaming and not self._over:
            # Otherwise the connection would stay half open for as long as the call runs.
            self._responder.end()
        if self._patience is None:
            self._pulse.discard(self)
        elif self._patience <= 0:
            self.cancel()

    def event(self, message: bytes, /) -> None:
        """Say something before the answer; makes it a stream."""
        if self._over or (self.gone and not self.streaming):
            return
        self.open()
        self._say(message)

    def _say(self, message: bytes) -> None:
        """One message on the open stream."""
        if not self.gone:
            self._responder.write(sse.encode(message))
            self.touched = self._pulse.clock.monotonic()

    def open(self) -> None:
        """Make the answer a stream now."""
        if not self.streaming and not self._over:
            self.streaming = True
            self._responder.start(200, (*EVENTS, *self._extra))

    def answer(self, body: bytes, status: int = 200, headers: Headers = ()) -> None:
        """The answer itself; what comes after it is dropped."""
        if self._over:
            return
        self._finish()
        if self.streaming:
            self._say(body)
            if not self.gone:
                self._responder.end()
        elif self._extra or headers:
            self._responder.send(status, (*JSON, *headers, *self._extra), body)
        else:
            self._responder.send(status, JSON, body)

    def deny(self, challenge: Headers, /) -> None:
        """See `Running.deny`. Once the stream is open its status has been said."""
        if not self.streaming and challenge:
            # RFC 6750 section 3.1.
            self._responder = Dressed(self._responder, challenge, _FORBIDDEN)

    def close(self) -> None:
        """End without an answer: an empty stream, which promises none."""
        if self._over:
            return
        if not self.gone:
            self.open()
            self._responder.end()
        elif not self.streaming:
            self._responder.abort()
        self._finish()

    def _finish(self) -> None:
        self._over = True
        self.task = None  # it may serve another request by now
        self._pulse.discard(self)

    def beat(self, now: float, *, comment: bool) -> bool:
        """A look at the time. With `comment`, one may be said; returns whether it was."""
        quiet = now - self.touched
        if self.gone:
            if self._patience is not None and quiet >= self._patience:
                self.cancel()
        elif self.streaming:
            if comment and quiet >= self._pulse.keep_alive:
                self._comment(now)
                return True
        elif quiet >= self._pulse.stream_after:
            self.open()
            self._comment(now)
            return True
        return False

    def _comment(self, now: float) -> None:
        self._responder.write(sse.COMMENT)
        self.touched = now
