"""One connection to a server that speaks HTTP with SSE: a stream for what comes, POST for the rest.

Must not know: what messages mean, sessions, when such a server is looked for. Source: revision
2024-11-05, basic/transports ("HTTP with SSE").

The server names the URL that messages are posted to. It is one of the server's own origin or the
connection is refused: the configured headers go with every message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urljoin

from lockgate.core.message import Failure, RequestId
from lockgate.upstreams.failures import Barred, ConnectFailed, HttpFailure
from lockgate.upstreams.refusals import foreign_endpoint, from_http, from_status, invalid
from lockgate.upstreams.remote import (
    EVENTS,
    FAILED,
    Down,
    Refused,
    Remote,
    Stale,
    let_end,
    unreachable,
)
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.jsonrpc import INTERNAL_ERROR, Request, decode, encode_error
from lockgate.wire.sse import Event, EventTooLarge
from lockgate.wire.url import BadUrl, Url

OPEN_WITHIN: Final = 10.0
"""Seconds for the stream and its first event, which names the URL to post to."""
TAKEN_WITHIN: Final = 30.0
"""Seconds for a notification or an answer to be taken; what follows waits for it."""
UNDER_WAY: Final = 1000
"""Messages on their way to the server at once."""
LAST_WORDS: Final = 0.5
"""Seconds for what is being posted when the connection is to end."""
_GONE: Final = frozenset({404, 410})


class SseConnection:
    """One stream and what is posted beside it. See `Child` for what each method promises."""

    pid: int | None = None
    last_words: str = ""

    def __init__(
        self,
        remote: Remote,
        on_line: Callable[[bytes], None],
        on_exit: Callable[[str], None],
        on_too_long: Callable[[bytes, int], None],
    ) -> None:
        self._remote = remote
        self._server = remote.server
        self._on_line = on_line
        self._on_exit = on_exit
        self._on_too_long = on_too_long
        self._posting = remote
        self._posted = remote.posted([])
        self._reply: HttpReply | None = None
        self._reader: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()
        self._ordered: asyncio.Task[None] | None = None
        self._over = False

    async def start(self) -> None:
        """Open the stream and wait for the URL to post to.

        Raises:
            Down: the server cannot be reached, or its stream breaks.
            Refused: it is there and will not have us, or names a URL of another origin.
            Stale: what answers is no such stream.
        """
        endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(OPEN_WITHIN):
                self._reply = reply = await self._get()
                self._reader = asyncio.create_task(self._read(reply, endpoint))
                await asyncio.wait([endpoint, self._reader], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.abort()
            what = f"its event stream named no URL to post to within {OPEN_WITHIN:g} s"
            raise Stale(invalid(self._server, what)) from None
        if not endpoint.done():
            self.abort()
            raise Stale(invalid(self._server, "its event stream ended before naming a URL"))
        self._posting = self._endpoint(endpoint.result())

    async def _get(self) -> HttpReply:
        try:
            reply = await self._remote.get([])
        except ConnectFailed as error:
            if error.cause == "busy":
                raise Refused(from_http(self._server, error, self._remote.max_message)) from None
            raise unreachable(error) from None
        except Barred as error:
            raise Refused(error.failure) from None
        except HttpFailure as error:
            raise Down(str(error), reason=FAILED) from None
        status = reply.status
        if status == 200 and reply.headers.get(b"content-type", b"").startswith(EVENTS):
            return reply
        reply.close()
        failure = from_status(self._server, status, reply.headers.get(b"retry-after"))
        if status == 200 or status == 429 or (400 <= status < 500 and status not in {401, 403}):
            raise Stale(invalid(self._server, f"HTTP {status} and no event stream to a GET"))
        raise Refused(failure)

    def _endpoint(self, text: str) -> Remote:
        """Where messages go. Raises `Refused` unless it is at the server's own origin."""
        url = self._remote.url
        try:
            found = Url.parse(urljoin(f"{url.shown}{url.target.decode()}", text))
        except ValueError as error:
            self.abort()
            why = str(error) if isinstance(error, BadUrl) else "it cannot be read"
            raise Refused(
                invalid(self._server, f"the URL it names for messages is not valid ({why})")
            ) from None
        if found.origin != url.origin:
            self.abort()
            raise Refused(foreign_endpoint(self._server, found.shown))
        return self._remote.at(found)

    # What comes.

    async def _read(self, reply: HttpReply, endpoint: asyncio.Future[str]) -> None:
        why = "its event stream ended"
        try:
            async for event in self._remote.events(reply):
                self._take(event, endpoint)
        except EventTooLarge:
            # Where the event ends cannot be told any more, so neither where the next begins.
            self._on_too_long(b"", self._remote.max_event)
            why = "it sent a message over the limit"
        except HttpFailure as error:
            why = str(error)
        finally:
            reply.close()
        if endpoint.done():
            self._end(why)

    def _take(self, event: Event, endpoint: asyncio.Future[str]) -> None:
        if event.event == "endpoint":
            if not endpoint.done():
                endpoint.set_result(event.data.decode("utf-8", "replace").strip())
        elif event.event == "message" and event.data and not self._over:
            self._on_line(event.data)

    def _end(self, why: str) -> None:
        if not self._over:
            self.abort()
            self._on_exit(why)

    # What goes.

    def write(self, line: bytes) -> None:
        """Post one message in the background.

        Each waits until the notifications and answers before it have been taken, so that none
        overtakes `notifications/initialized`, but not for requests: some servers take a request
        only once they have answered it, and may ask something before that.
        """
        if self._over:
            return
        if len(self._posts) >= UNDER_WAY:
            self._end(f"it left more than {UNDER_WAY} messages waiting")
            return
        message = decode(line)
        asks = isinstance(message, Request)
        task = asyncio.create_task(
            self._post(line, message.id if isinstance(message, Request) else None, self._ordered)
        )
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)
        if not asks:
            self._ordered = task

    async def _post(
        self, line: bytes, request_id: RequestId | None, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        try:
            async with asyncio.timeout(None if request_id is not None else TAKEN_WITHIN):
                reply = await self._posting.post(self._posted, line)
        except TimeoutError:
            self._end(f"it did not take a message within {TAKEN_WITHIN:g} s")
            return
        except HttpFailure as error:
            if isinstance(error, Barred) and request_id is not None:
                self._on_line(encode_error(request_id, INTERNAL_ERROR, error.failure.message))
            else:
                self._end(str(error))
            return
        let_end(reply)
        if reply.status >= 300:
            self._refused(reply.status, request_id)

    def _refused(self, status: int, request_id: RequestId | None) -> None:
        """One message was not taken; that need not concern the others."""
        if status in _GONE or request_id is None:
            self._end(f"it answered HTTP {status} to a message")
        else:
            failure: Failure = from_status(self._server, status)
            self._on_line(encode_error(request_id, INTERNAL_ERROR, failure.message))

    # The end.

    async def stop(self, grace: float) -> None:
        """Let what is being posted go, then close the stream."""
        try:
            if self._posts and not self._over:
                await asyncio.wait(tuple(self._posts), timeout=min(grace, LAST_WORDS))
        finally:
            self.abort()
        left = [task for task in (self._reader, *self._posts) if task is not None]
        if left:
            await asyncio.wait(left, timeout=LAST_WORDS)

    def abort(self) -> None:
        """Close the stream at once."""
        self._over = True
        if self._reply is not None:
            self._reply.close()
        own = asyncio.current_task()
        for task in (self._reader, *self._posts):
            if task is not None and task is not own:
                task.cancel()
