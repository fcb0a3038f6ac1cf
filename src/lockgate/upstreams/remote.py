"""One HTTP server as a place to send to: its URL, its configured headers, its limits.

Must not know: eras, sessions, what a message means. Configured headers go to this origin only:
redirects are never followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from copy import copy
from typing import Final

import msgspec

from lockgate.core.message import Failure, RequestId
from lockgate.upstreams.failures import ConnectCause, ConnectFailed
from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.posting import Headers, Pool, Post, Posts
from lockgate.upstreams.refusals import invalid, too_large
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.jsonrpc import Malformed, Response, decode
from lockgate.wire.sse import Event, EventTooLarge, Parser
from lockgate.wire.url import Url

EVENTS: Final = b"text/event-stream"
ERROR_BODY: Final = 64 * 1024
"""How much of an error's body is looked at."""

LINGER: Final = 0.5
"""Seconds a server has to end a stream after its last event."""


class Down(Exception):
    """The server cannot be reached at all; the text is the cause in one line.

    remedy  what to do about it, when that is known; for the owner, not for clients.
    reason  what `lockgate.core.codes` calls it.
    """

    def __init__(
        self, why: str, remedy: str | None = None, *, reason: str = "server-ended"
    ) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.reason = reason


_REMEDIES: Final[dict[ConnectCause, str]] = {
    "name": "Check the host name in `url`, and this machine's network.",
    "refused": "Start the server, or correct the port in `url`.",
    "unreachable": "Check this machine's network, and the address in `url`.",
    "tls": "If it speaks plain HTTP, let `url` begin with http:. If a private authority made its "
    "certificate, start Lockgate with SSL_CERT_FILE naming that authority's file.",
}


_REASONS: Final[dict[ConnectCause, str]] = {
    "name": "connect-name",
    "refused": "connect-refused",
    "unreachable": "connect-unreachable",
    "tls": "connect-tls",
}
FAILED: Final = "connect-failed"
TOO_LONG: Final = "Check the address in `url`, and firewalls on the way; or raise connect_timeout."


def unreachable(error: ConnectFailed) -> Down:
    """What a failed connection means to the owner of the server's entry."""
    return Down(str(error), _REMEDIES.get(error.cause), reason=_REASONS.get(error.cause, FAILED))


class Stale(Exception):
    """The server no longer speaks the era it was taken to speak; nothing was executed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Refused(Exception):
    """A server that answers, but not so that anything can be done with it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Outcome(msgspec.Struct, frozen=True):
    """What one exchange outside of the path of a call came to.

    `response` is None when the body held no answer; `failure` is set when nothing came back.
    """

    status: int | None = None
    headers: Mapping[bytes, bytes] = {}
    response: Response | None = None
    failure: Failure | None = None


class Remote:
    """Sends bytes to one HTTP server."""

    def __init__(
        self,
        server: str,
        pool: Pool,
        url: Url,
        headers: Mapping[str, str],
        *,
        max_message: int,
        max_event: int,
    ) -> None:
        """`headers` are the configured ones; what the protocol writes itself is left out."""
        self.server = server
        self.max_message = max_message
        self.max_event = max_event
        self._pool = pool
        self._url = url
        own = {"accept", "content-type", "content-length", "host", "transfer-encoding"}
        self._headers: Headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
            if name.lower() not in own
        ]
        self._posts = Posts(pool, url, self._headers)

    def posted(self, headers: Headers) -> KeptHeaders:
        """The whole headers of a POST, given those of the protocol."""
        return self._posts.headers(headers)

    @property
    def url(self) -> Url:
        """Where everything is sent."""
        return self._url

    def at(self, url: Url) -> Remote:
        """The same server at another URL of the same origin, so with the same headers."""
        if url.origin != self._url.origin:
            raise ValueError("configured headers stay with their origin")
        other = copy(self)
        other._url = url  # noqa: SLF001 - a copy of this very object
        other._posts = Posts(self._pool, url, self._headers)  # noqa: SLF001 - as above
        return other

    @property
    def posting(self) -> Post:
        """As `post`, for every call."""
        return self._posts.send

    def post(
        self, headers: KeptHeaders, body: bytes, *, stream: bool = False
    ) -> Awaitable[HttpReply]:
        """POST `body`, with headers from `posted`; see `Posts.send`."""
        return self._posts.send(headers, body, stream=stream)

    async def get(self, headers: Headers) -> HttpReply:
        """Ask for an event stream that stays open. Raises what the pool raises."""
        return await self._pool.request(
            self._url, b"GET", [(b"accept", EVENTS), *self._headers, *headers], stream=True
        )

    async def delete(self, headers: Headers) -> HttpReply:
        """DELETE. Raises what the pool raises."""
        return await self._pool.request(self._url, b"DELETE", self._headers + headers)

    async def exchange(self, headers: KeptHeaders, body: bytes, request_id: RequestId) -> Outcome:
        """POST `body` and read until the response to `request_id`, passing over everything else.

        Raises:
            HttpFailure: the exchange failed.
        """
        reply = await self.post(headers, body)
        try:
            response = await self._response(reply, request_id)
        except EventTooLarge:
            return Outcome(failure=too_large(self.server, self.max_event))
        finally:
            reply.close()
        return Outcome(reply.status, reply.headers, response)

    async def _response(self, reply: HttpReply, request_id: RequestId) -> Response | None:
        kind = reply.headers.get(b"content-type", b"")
        if not kind.startswith(EVENTS):
            limit = self.max_message if reply.status == 200 else ERROR_BODY
            return read_response(await reply.read(limit), request_id)
        async for event in self.events(reply):
            response = read_response(event.data, request_id) if event.data else None
            if response is not None:
                return response
        return None

    async def events(self, reply: HttpReply) -> AsyncIterator[Event]:
        """The events of a stream as they come. Raises `EventTooLarge` and what the pool raises."""
        parser = Parser(self.max_event)
        async for chunk in reply.chunks():
            for event in parser.feed(chunk):
                yield event


def let_end(reply: HttpReply) -> None:
    """Let a stream that has said everything end by itself, so that its connection can be kept."""
    if not reply.complete:
        asyncio.get_running_loop().call_later(LINGER, reply.close)


def read_response(data: bytes, request_id: RequestId) -> Response | None:
    """The response to `request_id` in `data`, or None.

    An error may lack the id: its sender could not read the request, or never looked for it.
    """
    try:
        message = decode(data)
    except Malformed:
        return None
    if not isinstance(message, Response):
        return None
    if message.id == request_id or message.error is not None:
        return message
    return None


def not_an_answer(server: str, reply: HttpReply) -> Failure:
    """The Failure for a 200 that is neither JSON nor an event stream."""
    kind = reply.headers.get(b"content-type", b"").decode("latin-1")[:60]
    if not kind:
        return invalid(server, "it has no content type")
    what = "its content type is neither JSON nor an event stream"
    return invalid(server, what, detail=f"its content type is {kind!r}")
