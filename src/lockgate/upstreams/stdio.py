"""A server with one stream each way, of either era: a child process, or a connection like one.

Must not know: what carries the messages (lines of a process, a WebSocket, HTTP with SSE), how it
is started and ended, or which of them exist. Source: revision 2026-07-28, basic/transports/stdio;
the rules are the same in the handshake era. What is said here of a process holds for them all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count
from typing import Final, Protocol

from lockgate.core.message import LISTEN, Call, Failure, Reply, Result
from lockgate.core.raw import EMPTY, encode
from lockgate.upstreams.chores import Chores
from lockgate.upstreams.endings import NO_STRAY, ending_reason
from lockgate.upstreams.flights import Flight
from lockgate.upstreams.http_modern import wanted
from lockgate.upstreams.launch import SpawnFailed
from lockgate.upstreams.noise import Noise
from lockgate.upstreams.overlong import dropped
from lockgate.upstreams.refusals import from_error, invalid, lost, too_large
from lockgate.upstreams.remote import Down, Refused, Stale
from lockgate.wire.jsonrpc import (
    METHOD_NOT_FOUND,
    Malformed,
    Notice,
    Request,
    Response,
    decode,
    encode_error,
    encode_notice,
    encode_request,
    encode_result,
)
from lockgate.wire.modern_out import (
    MESSAGE,
    PROGRESS,
    InvalidResult,
    canonical,
    progress_token,
    read_result,
    request_of,
    request_params,
    subscription_id,
)
from lockgate.wire.revisions import UNSUPPORTED_VERSION

_log: Final = logging.getLogger("lockgate.servers")

CANCELLED: Final = "notifications/cancelled"
STRAY_BYTES: Final = 160
"""How much is kept of the first line that is no message."""
MOST_STRAY: Final = 500
"""Lines that are no message before the first that is one. Banners and start-up logs are shorter."""
MOST_STRAY_BYTES: Final = 256 * 1024
"""The same in bytes."""


class Child(Protocol):
    """What is needed of a child process, or of a connection."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs; None for a connection."""
        ...

    @property
    def last_words(self) -> str:
        """What it wrote last to its standard error, on one line; empty for a connection."""
        ...

    async def start(self) -> None:
        """Start it.

        Raises:
            OSError: it cannot be.
            Down, Refused, Stale: a connection cannot be made, will not do, or is none.
        """
        ...

    def write(self, line: bytes) -> None:
        """Write one line, given without its end."""
        ...

    async def stop(self, grace: float) -> None:
        """End it and everything it started."""
        ...

    def abort(self) -> None:
        """End it at once, waiting for nothing."""
        ...


OnLine = Callable[[bytes], None]
OnExit = Callable[[str], None]
OnTooLong = Callable[[bytes, int], None]
Spawn = Callable[[OnLine, OnExit, OnTooLong], Child]
"""Makes a child, not yet started, from what takes its lines, what is told of its end, and what
gets the first bytes of a message that was dropped, with the length it may have."""


class StdioProcess:
    """One process. Before anybody takes it over, it answers what is asked through `exchange`."""

    def __init__(self, server: str, spawn: Spawn, chores: Chores, *, grace: float = 5.0) -> None:
        self.server = server
        self.alive = False
        self.on_line: Callable[[bytes], bool] = self._early
        self.on_exit: Callable[[str], None] = lambda _: None
        self.on_dropped: Callable[[int | None, Failure], None] = self._early_dropped
        self._chores = chores
        self._grace = grace
        self._child = spawn(self._line, self._exit, self._too_long)
        self._asked: dict[int, asyncio.Future[Response]] = {}
        self._stray = ""
        self._strays = self._stray_bytes = 0
        self._given_up: Down | None = None
        self._noise = Noise()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self.alive else None

    @property
    def last_words(self) -> str:
        """As of `Child`, and before it what it wrote to its output that is no message."""
        said = self._child.last_words
        if not self._stray:
            return said
        stray = f"{self._stray} (on stdout, where only MCP messages belong)"
        return f"{stray} | {said}" if said else stray

    async def start(self) -> None:
        """Start the process. Raises `Down` when it cannot be."""
        self.alive = True
        try:
            await self._child.start()
        except OSError as error:
            self.alive = False
            if isinstance(error, SpawnFailed):
                raise Down(
                    f"it could not be started: {error.what}", error.remedy, reason=error.reason
                ) from None
            raise Down(
                f"it could not be started: {error.strerror or error}", reason="start-failed"
            ) from None
        except BaseException:
            self.stop()
            raise

    def write(self, line: bytes) -> None:
        """Send one message."""
        if self.alive:
            self._child.write(line)

    def stop(self) -> None:
        """End the process, in the background."""
        self.alive = False
        if self._chores.add(self._child.stop(self._grace)) is None:
            self._child.abort()

    def exchange(self, request_id: int, body: bytes) -> asyncio.Future[Response]:
        """Ask before anybody has taken over. The future fails with `Down` if the process ends."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if not self.alive:
            answer.set_exception(self._given_up or Down("it has ended"))
            return answer
        self._asked[request_id] = answer
        self.write(body)
        return answer

    def _line(self, data: bytes) -> None:
        if data and not data.isspace():
            try:
                heard = self.on_line(data)
            except Exception:
                # The rest of what arrives must be read, whatever one message did to its reader.
                _log.exception("%s: a message could not be handled", self.server)
                return
            if not heard:
                self._no_message(data, len(data))
            elif self._noise:
                self._noise.message()

    def _too_long(self, head: bytes, limit: int) -> None:
        if head and not head.lstrip().startswith(b"{"):
            self._no_message(head, limit)
            return
        found = dropped(head)
        if found.answers:
            self.on_dropped(found.id, too_large(self.server, limit))

    def _early_dropped(self, request_id: int | None, failure: Failure) -> None:
        if request_id is None and len(self._asked) == 1:
            [request_id] = self._asked
        answer = self._asked.pop(request_id, None) if request_id is not None else None
        if answer is not None and not answer.done():
            answer.set_exception(Refused(failure))
            # Looked at, so that one nobody awaits any more is not reported.
            answer.exception()

    def _early(self, data: bytes) -> bool:
        try:
            message = decode(data)
        except Malformed:
            # Banners and stray prints are common before a server speaks the protocol.
            return False
        self._strays = self._stray_bytes = 0
        if isinstance(message, Response) and isinstance(message.id, int):
            answer = self._asked.pop(message.id, None)
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif isinstance(message, Request) and message.method == "ping":
            self.write(encode_result(message.id, b"{}"))
        return True

    def _no_message(self, data: bytes, size: int) -> None:
        """Remember the first, and give up a process that never comes to an end with it."""
        if self.on_line != self._early:
            self._among_messages(data, size)
            return
        self._stray = self._stray or data[:STRAY_BYTES].decode(errors="replace").strip()
        self._strays += 1
        self._stray_bytes += size
        if self.alive and (self._strays > MOST_STRAY or self._stray_bytes > MOST_STRAY_BYTES):
            lines, kib = self._strays, self._stray_bytes // 1024
            why = f"it wrote {lines} lines ({kib} KiB) of which none is an MCP message"
            self._given_up = Down(why, NO_STRAY, reason="start-garbage")
            self._fail_asked(self._given_up)
            self.stop()

    def _among_messages(self, data: bytes, size: int) -> None:
        """It is dropped and told now and then; a server that writes nothing else is ended."""
        why = self._noise.heard(size) if self.alive else None
        count = self._noise.news(asyncio.get_running_loop().time())
        if count:
            line = data[:STRAY_BYTES].decode(errors="replace").strip()
            text = "%s: dropped what is no MCP message on its stdout (%d lines; the last: %s)"
            _log.warning(text, self.server, count, line)
        if why is not None:
            self.stop()
            self._fail_asked(Down(why, NO_STRAY, reason="server-noisy"))
            self.on_exit(why)

    def _fail_asked(self, error: Down) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(error)
                # Looked at, so that one nobody awaits any more is not reported.
                answer.exception()
        self._asked.clear()

    def _exit(self, why: str) -> None:
        # A process that was stopped here has no further news for anybody.
        expected = not self.alive
        self.alive = False
        self._fail_asked(Down(why, reason=ending_reason(why)))
        if not expected:
            self.on_exit(why)


class StdioChannel:
    """Carries one session of the handshake era over a process of its own."""

    one_stream = True

    def __init__(self, process: StdioProcess) -> None:
        self.process = process

    async def run(self, flight: Flight, body: bytes) -> None:
        """Send a request and return once its flight has landed."""
        if not self.process.alive:
            flight.fail(
                lost(self.process.server, "its process or connection has ended", sent=False)
            )
            return
        self.process.write(body)
        await flight.wait()

    def park(self, flight: Flight) -> None:
        """Nothing to do: everything comes in anyway."""

    def abandon(self, flight: Flight) -> None:
        """Nothing to do."""

    def post(self, body: bytes) -> None:
        """Send a notification or a response."""
        self.process.write(body)

    def answer(self, flight: Flight, body: bytes) -> None:
        """Send the answer to a question; the end of the process ends the flight."""
        self.process.write(body)

    async def listen(self) -> None:
        """Nothing to do."""

    def unlisten(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """End the process."""
        self.process.stop()


class ModernStdio:
    """Sends calls to one process of the stateless era, many at a time."""

    def __init__(self, process: StdioProcess) -> None:
        """Take the process over."""
        self._process = process
        self._server = process.server
        self._ids = count(1)
        self._calls: dict[int, tuple[Call, asyncio.Future[Reply]]] = {}
        process.on_line = self._line
        process.on_dropped = self._dropped

    def __len__(self) -> int:
        return len(self._calls)

    async def send(self, call: Call) -> Reply:
        """Answer the call. Cancelling tells the server.

        Raises:
            Stale: the server refused the protocol version.
        """
        if call.method.startswith("notifications/"):
            return Result(EMPTY)
        if not self._process.alive:
            return lost(self._server, "its process or connection has ended", sent=False)
        request_id = next(self._ids)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._calls[request_id] = (call, answer)
        self._process.write(
            encode_request(request_id, call.method, request_params(call, request_id))
        )
        try:
            return await answer
        except asyncio.CancelledError:
            params = encode({"requestId": request_id, "reason": "The caller cancelled the call."})
            self._process.write(encode_notice(CANCELLED, params))
            raise
        finally:
            self._calls.pop(request_id, None)

    def ended(self, failure: Failure) -> None:
        """The process is gone: whoever waits learns it."""
        for _, answer in self._calls.values():
            if not answer.done():
                answer.set_result(failure)

    def close(self) -> None:
        """End the process."""
        self.ended(lost(self._server, "the server is being stopped"))
        self._process.stop()

    def _dropped(self, request_id: int | None, failure: Failure) -> None:
        """An answer was dropped for its length: its call fails, if it can be told which it is."""
        if request_id is None and len(self._calls) == 1:
            [request_id] = self._calls
        found = self._calls.get(request_id) if request_id is not None else None
        if found is not None and not found[1].done():
            found[1].set_result(failure)

    def _line(self, data: bytes) -> bool:
        try:
            message = decode(data)
        except Malformed:
            return False
        if isinstance(message, Response):
            self._response(message)
        elif isinstance(message, Notice):
            self._notice(message)
        else:
            # This era has no requests from servers; an answer keeps a confused one from waiting.
            text = "Requests from servers do not exist in this revision."
            self._process.write(encode_error(message.id, METHOD_NOT_FOUND, text))
        return True

    def _response(self, response: Response) -> None:
        found = self._calls.get(response.id) if isinstance(response.id, int) else None
        if found is None or found[1].done():
            return
        answer = found[1]
        if response.error is not None:
            failure = from_error(response.error)
            if response.error.code == UNSUPPORTED_VERSION:
                answer.set_exception(Stale(failure))
            else:
                answer.set_result(failure)
            return
        try:
            answer.set_result(read_result(response.result or b""))
        except InvalidResult as error:
            answer.set_result(invalid(self._server, str(error)))

    def _notice(self, notice: Notice) -> None:
        if notice.method == CANCELLED:
            # The other way a server may end a subscription.
            self._torn_down(request_of(notice.params))
            return
        request_id = self._belongs_to(notice)
        found = self._calls.get(request_id) if isinstance(request_id, int) else None
        if found is not None and wanted(notice, found[0], int(request_id or 0)):
            found[0].emit(canonical(notice.method, notice.params))

    def _belongs_to(self, notice: Notice) -> int | str | None:
        if notice.method == PROGRESS:
            return progress_token(notice.params)
        tagged = subscription_id(notice.params)
        if tagged is not None or notice.method != MESSAGE:
            return tagged
        return self._only_logging()

    def _only_logging(self) -> int | None:
        """The one call a log message can belong to: this channel has nothing to tell them by."""
        asking = [
            (request_id, call)
            for request_id, (call, _) in self._calls.items()
            if call.client.log_level is not None
        ]
        if not asking:
            return None
        first = asking[0][1]
        same = all(
            call.affinity == first.affinity and call.principal.id == first.principal.id
            for _, call in asking
        )
        alone = len(asking) == 1 or (same and first.affinity is not None)
        return asking[-1][0] if alone else None

    def _torn_down(self, request_id: object) -> None:
        found = self._calls.get(request_id) if isinstance(request_id, int) else None
        if found is not None and found[0].method == LISTEN and not found[1].done():
            found[1].set_result(Result(EMPTY))
