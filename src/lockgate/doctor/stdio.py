"""One server process, and the two eras over its standard input and output.

Must not know: what is asked, or what an answer means. What it speaks to may as well be a connection
of HTTP+SSE, which is one stream of messages in each direction, too.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final

import msgspec

from lockgate.core.message import Era, RequestId
from lockgate.doctor.heard import Heard
from lockgate.doctor.http_voices import modern_params
from lockgate.doctor.report import Exchange
from lockgate.doctor.visit import StdioSubject, Visit
from lockgate.upstreams.processes import spawner
from lockgate.upstreams.spec import UpstreamLimits
from lockgate.upstreams.stdio import Spawn
from lockgate.wire.jsonrpc import (
    METHOD_NOT_FOUND,
    Malformed,
    Request,
    Response,
    decode,
    encode_error,
    encode_notice,
    encode_request,
    encode_result,
)

LINES: Final = 2000
"""Lines kept of what one process wrote."""
LIMITS: Final = UpstreamLimits(message_bytes=8 * 1024 * 1024)
_encode = msgspec.json.Encoder().encode


def starting(subject: StdioSubject) -> Spawn:
    """What starts a process of the server."""
    return spawner(subject.name, subject.spec, LIMITS)


class Process:
    """One process. `noise`: lines on its standard output that are no messages."""

    def __init__(self, visit: Visit, spawn: Spawn) -> None:
        """Nothing is started yet."""
        self.noise: list[bytes] = []
        self.ended: str | None = None
        self.lines = 0
        self.gone = asyncio.Event()
        self._visit = visit
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._listening: asyncio.Future[bytes] | None = None
        self.child = spawn(self._line, self._exit, self._too_long)

    async def start(self) -> None:
        """Start it. Raises what `upstreams.stdio.Child.start` raises."""
        await self.child.start()

    async def ask(self, method: str, params: dict[str, Any], within: float) -> Heard:
        """Write a request and wait for the line that answers it."""
        self._number += 1
        number = self._number
        line = encode_request(number, method, _encode(params))
        heard = Heard(id=number)
        began = perf_counter()
        if self.ended is None:
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting[number] = answer
            self.child.write(line)
            try:
                async with asyncio.timeout(within):
                    heard.events = [await answer]
            except TimeoutError:
                heard.trouble = "silence"
            except ConnectionError:
                pass
            finally:
                self._waiting.pop(number, None)
        if self.ended is not None and not heard.events:
            heard.trouble, heard.detail = "lost", self.ended
        heard.seconds = perf_counter() - began
        self._keep(line, heard)
        return heard

    def tell(self, method: str, params: dict[str, Any]) -> Heard:
        """Write a notification."""
        line = encode_notice(method, _encode(params))
        heard = Heard()
        if self.ended is not None:
            heard.trouble, heard.detail = "lost", self.ended
        else:
            self.child.write(line)
        self._keep(line, heard)
        return heard

    def _keep(self, line: bytes, heard: Heard) -> None:
        black = self._visit.black
        got = [black.body(one) for one in heard.events] or [black.text(str(heard))]
        if heard.id is None and heard.trouble is None:
            got = []
        self._visit.keep(Exchange((black.body(line),), tuple(got), round(heard.seconds, 4)))

    async def listen(self, params: dict[str, Any], within: float) -> Heard:
        """Ask for a subscription, wait for the first thing it says, and cancel it."""
        self._number += 1
        number = self._number
        line = encode_request(number, "subscriptions/listen", _encode(params))
        heard = Heard(id=number)
        first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._listening = self._waiting[number] = first
        self.child.write(line)
        try:
            async with asyncio.timeout(within):
                heard.events = [await first]
        except TimeoutError:
            heard.trouble = "silence"
        except ConnectionError as error:
            heard.trouble, heard.detail = "lost", str(error)
        finally:
            self._waiting.pop(number, None)
            self._listening = None
        self._keep(line, heard)
        self.tell("notifications/cancelled", {"requestId": number})
        return heard

    async def leave(self, grace: float) -> float:
        """Close its input; how long it took until it was gone."""
        began = perf_counter()
        await self.child.stop(grace)
        return perf_counter() - began

    # What the process says.

    def _line(self, line: bytes) -> None:
        self.lines += 1
        try:
            message = decode(line)
        except Malformed:
            if len(self.noise) < LINES:
                self.noise.append(line[:4000])
            return
        if isinstance(message, Response):
            self._answer(message, line)
        elif isinstance(message, Request):
            self._asked(message)
        elif self._listening is not None and not self._listening.done():
            self._listening.set_result(line)

    def _answer(self, message: Response, line: bytes) -> None:
        waiting = self._waiting.get(message.id) if isinstance(message.id, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(line)
        elif len(self._waiting) == 1 and not self._late(message.id):
            # Without the id, or with another: it can be an answer to nothing else.
            last = next(iter(self._waiting.values()))
            if not last.done():
                last.set_result(line)

    def _late(self, number: RequestId | None) -> bool:
        """Whether it is that of a request nobody waits for any more."""
        return isinstance(number, int) and 0 < number <= self._number

    def _asked(self, message: Request) -> None:
        """The server asks something; nothing was declared that it could ask for."""
        if message.method == "ping":
            self.child.write(encode_result(message.id, b"{}"))
        else:
            self.child.write(encode_error(message.id, METHOD_NOT_FOUND, "Method not found"))

    def _too_long(self, head: bytes, _limit: int) -> None:
        self.noise.append(head[:200])

    def _exit(self, reason: str) -> None:
        self.ended = reason
        self.gone.set()
        for one in self._waiting.values():
            if not one.done():
                one.set_exception(ConnectionError(reason))


class StdioVoice:
    """One era, spoken to one process."""

    def __init__(self, visit: Visit, process: Process, era: Era) -> None:
        """See the class."""
        self.process = process
        self._visit = visit
        self._era: Era = era

    @property
    def era(self) -> Era:
        """See `Voice`."""
        return self._era

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, *, within: float | None = None
    ) -> Heard:
        """See `Voice`."""
        whole = modern_params(params) if self._era == "modern" else dict(params or {})
        limit = self._visit.patience.answer if within is None else within
        return await self.process.ask(method, whole, limit)

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> Heard:
        """See `Voice`."""
        whole = modern_params(params) if self._era == "modern" else dict(params or {})
        return self.process.tell(method, whole)
