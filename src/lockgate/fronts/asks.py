"""Requests put to one client, and the answers it sends back.

Must not know: why a server asks, which stream carries the question.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from lockgate.core.clock import Clock
from lockgate.core.raw import Raw
from lockgate.wire.jsonrpc import ErrorObject, Response, encode_notice, encode_request

UNANSWERED = -32001
"""The error a server gets for a question its client never answered."""

Answer = bytes | ErrorObject
Send = Callable[[bytes], None]


class Asks:
    """The open questions of one client."""

    __slots__ = ("_clock", "_most", "_next", "_open", "_patience")

    def __init__(self, clock: Clock, most: int, patience: float) -> None:
        """At most `most` at once, each answered within `patience` seconds."""
        self._clock = clock
        self._most = most
        self._patience = patience
        # A session that lost its state must not take an old answer for a new one.
        self._next = secrets.randbits(40)
        self._open: dict[int, tuple[asyncio.Future[Answer], float]] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    async def ask(self, send: Send, method: str, params: Raw) -> Answer:
        """Ask with `send` and wait; the client's result as bytes, or the error it answered.

        When the wait is called off, the client is told to forget the question.
        """
        if len(self._open) >= self._most:
            return ErrorObject(UNANSWERED, "Too many questions wait for this client already.")
        number = self._next
        self._next += 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[number] = (answer, self._clock.monotonic())
        try:
            send(encode_request(number, method, params.encode()))
            return await answer
        except asyncio.CancelledError:
            send(encode_notice("notifications/cancelled", b'{"requestId":%d}' % number))
            raise
        finally:
            del self._open[number]

    def answer(self, response: Response) -> bool:
        """Take the client's answer; False when nothing was asked under that id."""
        waiting = self._open.get(response.id) if isinstance(response.id, int) else None
        if waiting is None or waiting[0].done():
            return False
        waiting[0].set_result(response.result or response.error or b"{}")
        return True

    def sweep(self, now: float) -> None:
        """Give up on what was asked too long ago."""
        for answer, since in self._open.values():
            if now - since >= self._patience and not answer.done():
                answer.set_result(ErrorObject(UNANSWERED, "The client did not answer in time."))
