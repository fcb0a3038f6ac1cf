"""A session of the handshake era over HTTP: POST for what goes out, streams for what comes in.

Must not know: what the messages mean, or which sessions exist. Source: revision 2025-11-25,
basic/transports (Streamable HTTP): sessions, the standalone stream, resuming and polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

from lockgate.core.message import Failure
from lockgate.upstreams.chores import Chores
from lockgate.upstreams.failures import ConnectFailed, HttpFailure
from lockgate.upstreams.flights import Flight
from lockgate.upstreams.posting import JSON
from lockgate.upstreams.refusals import (
    from_http,
    from_status,
    invalid,
    lost,
    no_endpoint,
    session_lost,
    too_large,
)
from lockgate.upstreams.remote import (
    ERROR_BODY,
    EVENTS,
    Down,
    Headers,
    Outcome,
    Remote,
    let_end,
    not_an_answer,
    read_response,
    unreachable,
)
from lockgate.upstreams.reply import HttpReply
from lockgate.upstreams.supervisor import Backoff
from lockgate.wire.headers import SESSION, VERSION
from lockgate.wire.jsonrpc import Response
from lockgate.wire.sse import EventTooLarge, Parser

SESSION_ID_LIMIT: Final = 1024
RESUMES: Final = 5
"""How often a broken stream is taken up again without anything new coming of it."""
LONGEST_RETRY: Final = 60.0
ESTABLISH: Final = 5.0
"""Seconds a listener waits for the standalone stream before going on without."""
HEADERS: Final = 60.0
"""Seconds after which a standing stream that has not begun is asked for anew: it may never do."""
PASSING: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing of what a server has."""
STAND_BY: Final = 0.5
"""Seconds the first call of a session waits for it."""

ASIDE: Final = 30.0
"""Seconds for what is sent in the background."""
NOT_FOUND: Final = frozenset({-32601, -32602, -32002})
"""Errors about what a request names, not about its session."""

Receive = Callable[[bytes, Flight | None], object]


class Expired(Exception):
    """The server does not know the session; the request was not executed."""


class Stream:
    """One event stream being read: where it stands, and how to take it up again."""

    __slots__ = ("chunks", "last_id", "parser", "reply", "retry")

    def __init__(self, reply: HttpReply, max_event: int, last_id: str | None = None) -> None:
        self.reply = reply
        self.chunks: AsyncIterator[bytes] = reply.chunks()
        self.parser = Parser(max_event)
        self.last_id = last_id
        self.retry: float | None = None

    async def next(self) -> list[bytes] | None:
        """The data of the next events; None when the stream has ended or broken.

        Raises:
            EventTooLarge: and the stream is of no further use.
        """
        try:
            chunk = await anext(self.chunks, None)
        except HttpFailure:
            return None
        if chunk is None:
            return None
        found: list[bytes] = []
        for event in self.parser.feed(chunk):
            if event.id is not None:
                self.last_id = event.id
            if event.retry is not None:
                self.retry = min(event.retry / 1000, LONGEST_RETRY)
            if event.data:
                found.append(event.data)
        return found


class HttpChannel:
    """Carries one session. `initialize` comes first, `connect` second, then the rest."""

    one_stream = False

    def __init__(
        self,
        remote: Remote,
        chores: Chores,
        backoff: Backoff | None = None,
        gone: Callable[[Down, float], object] | None = None,
    ) -> None:
        self._gone = gone
        self._remote = remote
        self._server = remote.server
        self._chores = chores
        self._backoff = backoff or Backoff()
        self._headers: Headers = []
        self._posted = remote.posted([])
        self._ask = remote.posting
        self._max_message = remote.max_message
        self._in_session = False
        self._forgotten = False
        self._receive: Receive = lambda _data, _flight: None
        self._expire: Callable[[], None] = lambda: None
        self._standing: asyncio.Task[None] | None = None
        self._posting: set[asyncio.Task[None]] = set()
        self._established: asyncio.Event = asyncio.Event()
        self._standing_by = False

    async def initialize(self, body: bytes, request_id: int) -> Outcome:
        """Open the session. Raises what the pool raises."""
        outcome = await self._remote.exchange(self._posted, body, request_id)
        session_id = outcome.headers.get(SESSION)
        if session_id and len(session_id) <= SESSION_ID_LIMIT:
            self._headers = [(SESSION, session_id)]
            self._in_session = True
        return outcome

    async def connect(
        self, version: str, body: bytes, receive: Receive, expire: Callable[[], None]
    ) -> None:
        """Confirm the session with `body` and go into service. Raises what the pool raises."""
        self._headers = [*self._headers, (VERSION, version.encode())]
        self._posted = self._remote.posted(self._headers)
        self._receive = receive
        self._expire = expire
        reply = await self._remote.post(self._posted, body)
        reply.close() if not reply.complete else None

    def run(self, flight: Flight, body: bytes) -> Awaitable[None]:
        """Send a request, when awaited, and return once its flight has landed.

        Awaiting it raises:
            Down: the server cannot be reached.
            Expired: the server does not know the session.
        """
        if self._standing is None:
            return self._fly(flight, body, pausing=True)
        return self._run_aside(flight, body)

    async def _run_aside(self, flight: Flight, body: bytes) -> None:
        # What comes on the standing stream may be for this call too, so its own stream is read
        # aside and both can wake the caller.
        flight.reader = asyncio.get_running_loop().create_task(self._fly_aside(flight, body))
        await flight.wait()

    async def _fly_aside(self, flight: Flight, body: bytes) -> None:
        try:
            await self._fly(flight, body, pausing=False)
        except (Down, Expired) as error:
            flight.raise_in_caller(error)

    async def _fly(self, flight: Flight, body: bytes, *, pausing: bool) -> None:
        try:
            reply = await self._ask(self._posted, body)
        except HttpFailure as error:
            if isinstance(error, ConnectFailed) and error.cause != "busy":
                raise unreachable(error) from None
            flight.fail(from_http(self._server, error, self._remote.max_message))
            return
        try:
            if not self._whole(flight, reply):
                await self._take(flight, reply, pausing=pausing)
        except HttpFailure as error:
            flight.fail(from_http(self._server, error, self._remote.max_message))
        except BaseException:
            reply.close()
            raise

    def _whole(self, flight: Flight, reply: HttpReply) -> bool:
        """Take a plain answer that has arrived already, so that nothing is waited for."""
        if not reply.complete or reply.status != 200:
            return False
        if not reply.headers.get(b"content-type", b"").startswith(JSON):
            return False
        self._landed(flight, reply.whole(self._max_message))
        return True

    def _landed(self, flight: Flight, answer: bytes) -> None:
        self._receive(answer, flight)
        if not flight.landed:
            flight.fail(invalid(self._server, "the answer has another request's id"))

    async def _take(self, flight: Flight, reply: HttpReply, *, pausing: bool) -> None:
        kind = reply.headers.get(b"content-type", b"")
        if reply.status != 200:
            await self._refused(flight, reply)
        elif kind.startswith(JSON):
            self._landed(flight, await reply.read(self._remote.max_message))
        elif kind.startswith(EVENTS):
            flight.stream = Stream(reply, self._remote.max_event)
            await self._follow(flight, pausing=pausing)
        else:
            flight.fail(not_an_answer(self._server, reply))

    async def _follow(self, flight: Flight, *, pausing: bool) -> None:
        """Read the flight's own stream until it is over or, if `pausing`, has a question."""
        failed = 0
        try:
            while not (flight.landed if pausing else flight.over):
                stream: Stream = flight.stream
                found = await stream.next()
                if found is None:
                    stream.reply.close()
                    failed += 1
                    await self._take_up(flight, stream, failed)
                    continue
                for data in found:
                    failed = 0
                    self._receive(data, flight)
        except EventTooLarge:
            flight.fail(too_large(self._server, self._remote.max_event))
        except BaseException:
            self._drop(flight)
            raise
        if flight.over and flight.stream is not None:
            let_end(flight.stream.reply)
            flight.stream = None

    async def _take_up(self, flight: Flight, stream: Stream, failed: int) -> None:
        """Ask for the rest of a stream that ended too early, where the server gave it ids."""
        if stream.last_id is None or failed > RESUMES:
            flight.fail(lost(self._server, "its stream ended before the answer"))
            return
        wait = stream.retry
        await asyncio.sleep(self._backoff.wait(failed) if wait is None else wait)
        last = (b"last-event-id", stream.last_id.encode())
        try:
            reply = await self._remote.get([*self._headers, last])
        except HttpFailure as error:
            if failed == RESUMES:
                flight.fail(from_http(self._server, error, self._remote.max_message))
            return
        if not _is_stream(reply):
            reply.close()
            flight.fail(
                session_lost(self._server)
                if reply.status == 404
                else lost(self._server, "its stream ended before the answer")
            )
            return
        flight.stream = Stream(reply, self._remote.max_event, stream.last_id)
        flight.stream.retry = stream.retry

    async def _refused(self, flight: Flight, reply: HttpReply) -> None:
        status = reply.status
        response = None
        if status not in {401, 403} and not 300 <= status < 400:
            response = read_response(await reply.read(ERROR_BODY), flight.id)
        named = response is not None and response.id == flight.id
        if self._in_session and status in {400, 404} and not (named and _known(status, response)):
            self._forgotten = True
            raise Expired
        if response is not None and response.error is not None:
            flight.settle(response)
        else:
            flight.fail(from_status(self._server, status, reply.headers.get(b"retry-after")))

    def park(self, flight: Flight) -> None:
        """Go on reading the flight's stream while its caller is away."""
        if flight.reader is None and flight.stream is not None:
            flight.reader = self._chores.add(self._follow(flight, pausing=False))

    def abandon(self, flight: Flight) -> None:
        """Stop reading the flight's stream."""
        if flight.reader is not None:
            flight.reader.cancel()
        self._drop(flight)

    @staticmethod
    def _drop(flight: Flight) -> None:
        stream, flight.stream = flight.stream, None
        if stream is not None:
            stream.reply.close()

    def post(self, body: bytes) -> None:
        """Send a notification or a response in the background."""
        task = self._chores.add(self._post(body))
        if task is not None:
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)

    async def _post(self, body: bytes) -> None:
        async with asyncio.timeout(ASIDE):
            let_end(await self._remote.post(self._posted, body))

    def answer(self, flight: Flight, body: bytes) -> None:
        """Send the answer to a question of the flight's; if it fails, so does the flight."""
        self._chores.add(self._answer(flight, body))

    async def _answer(self, flight: Flight, body: bytes) -> None:
        try:
            async with asyncio.timeout(ASIDE):
                reply = await self._remote.post(self._posted, body)
        except (HttpFailure, TimeoutError):
            flight.fail(lost(self._server, "it did not take the client's answer"))
            return
        if reply.status >= 400:
            flight.fail(session_lost(self._server))
        let_end(reply)

    async def listen(self) -> None:
        """Open the standing stream, and return once it stands or will not."""
        await self._stand_within(ESTABLISH)

    async def stand_by(self) -> None:
        """Open the standing stream and keep it for as long as the session lives.

        The server may ask the client something there; official clients open it at once. Servers
        drop what they say there before it stands, so calls wait for it a moment.
        """
        self._standing_by = True
        await self._stand_within(STAND_BY)

    async def _stand_within(self, seconds: float) -> None:
        self._open_standing()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._established.wait()

    def _open_standing(self) -> None:
        if self._standing is None:
            self._established = asyncio.Event()
            self._standing = asyncio.get_running_loop().create_task(self._stand())
            self._standing.add_done_callback(self._stood)

    def _stood(self, task: asyncio.Task[None]) -> None:
        """The standing stream is over, perhaps because the server has none."""
        self._established.set()
        if self._standing is task:
            self._standing = None

    def unlisten(self) -> None:
        """Close the standing stream, unless the server may still ask something there."""
        if not self._standing_by:
            self._close_standing()

    def _close_standing(self) -> None:
        if self._standing is not None:
            self._standing.cancel()
            self._standing = None

    async def _stand(self) -> None:
        """Keep the standing stream open until the server will not have it."""
        last_id: str | None = None
        failed = 0
        while True:
            extra = [] if last_id is None else [(b"last-event-id", last_id.encode())]
            retry = None
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(HEADERS):
                    reply = await self._remote.get([*self._headers, *extra])
            except TimeoutError:
                # At once: some servers send no headers before the first event, and wait for it.
                continue
            except HttpFailure as error:
                failed += 1
                self._unreached(error, began)
            else:
                self._established.set()
                if _is_stream(reply):
                    stream = Stream(reply, self._remote.max_event, last_id)
                    failed = 0 if await self._read_standing(stream) else failed + 1
                    last_id, retry = stream.last_id, stream.retry
                elif self._never(reply):
                    return
                else:
                    failed += 1
            # A stream that ends without a word is opened again less and less often.
            wait = self._backoff.wait(failed + 1) if retry is None else retry
            await asyncio.sleep(wait)

    def _never(self, reply: HttpReply) -> bool:
        """Whether a refused standing stream will not be had later either."""
        reply.close()
        if reply.status >= 500 or reply.status in PASSING:
            return False
        if reply.status == 404 and self._in_session:
            self._forgotten = True
            self._expire()
        return True

    def _unreached(self, error: HttpFailure, began: float) -> None:
        if self._gone is not None and isinstance(error, ConnectFailed) and error.cause != "busy":
            self._gone(unreachable(error), began)

    async def _read_standing(self, stream: Stream) -> bool:
        """Read to the end; whether anything came."""
        some = False
        try:
            while (found := await stream.next()) is not None:
                some = some or bool(found)
                for data in found:
                    self._receive(data, None)
        except EventTooLarge:
            stream.last_id = None
        finally:
            stream.reply.close()
        return some

    def close(self) -> None:
        """End the session at the server too, if it still knows it."""
        self._close_standing()
        if self._in_session and not self._forgotten:
            self._chores.add(self._delete())
        self._in_session = False

    async def _delete(self) -> None:
        # On another connection it could arrive before what was said last, such as a cancellation.
        if self._posting:
            await asyncio.wait(tuple(self._posting), timeout=ASIDE)
        async with asyncio.timeout(ASIDE):
            let_end(await self._remote.delete(self._headers))


def _known(status: int, response: Response | None) -> bool:
    """Whether a refusal with the request's own id is by somebody who knows the session.

    404 means that it is not known (2025-11-25, Session Management, point 3), whatever else is
    said; but some servers send it for an unknown method, tool or resource as well.
    """
    error = None if response is None else response.error
    return status != 404 or (error is not None and error.code in NOT_FOUND)


def _is_stream(reply: HttpReply) -> bool:
    kind = reply.headers.get(b"content-type", b"")
    return reply.status == 200 and kind.startswith(EVENTS)


def refused_opening(server: str, outcome: Outcome) -> Failure:
    """The Failure for an `initialize` that was answered with no InitializeResult."""
    if outcome.failure is not None:
        return outcome.failure
    if outcome.status in {400, 404, 405} and outcome.response is None:
        return no_endpoint(server, outcome.status)
    found = outcome.headers
    kind = found.get(b"content-type", b"")
    return from_status(server, outcome.status or 0, found.get(b"retry-after"), kind)
