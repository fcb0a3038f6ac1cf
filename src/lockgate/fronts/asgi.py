"""The ASGI shell: the same handlers, inside somebody else's web server or application.

Must not know: MCP, how any ASGI server works inside.

What the surrounding server owns stays its own: time limits, header sizes, connections. Kept here
are the limits on bodies and on unsent bytes, and the checks of the Host header.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import quote

import msgspec

from lockgate.fronts.answer import head, refusal_body
from lockgate.fronts.http import Handler, Headers, HttpLimits, HttpRequest, Passage, Tunnel
from lockgate.fronts.screen import Refused, check_host

log = logging.getLogger("lockgate.fronts")

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Event, Receive, Send], Awaitable[None]]
Lifespan = Callable[[], AbstractAsyncContextManager[object]]

_BODILESS: Final = frozenset((204, 205, 304))


def asgi_app(
    handler: Handler, limits: HttpLimits | None = None, lifespan: Lifespan | None = None
) -> AsgiApp:
    """An ASGI 3 application that answers every HTTP request with `handler`.

    `lifespan` is entered when the server starts the application and left when it stops; a server or
    framework that sends no lifespan events needs it entered elsewhere. Mounted under a path, the
    handler sees paths without that prefix. WebSockets are refused.
    """
    bounds = limits or HttpLimits()

    async def app(scope: Event, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await _serve(handler, bounds, scope, receive, send)
        elif kind == "lifespan":
            await _live(lifespan, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    return app


class _ClientGone(Exception):
    """The client went away before its request was complete."""


class AsgiAnswer:
    """The ASGI shell's `Responder`. Calls are turned into events; `pump` sends them in order.

    ASGI has no way to drop a connection. `abort` leaves the answer incomplete, which servers take
    for just that.
    """

    __slots__ = (
        "_bare",
        "_begun",
        "_callback",
        "_done",
        "_events",
        "_gone",
        "_limit",
        "_loop",
        "_unsent",
        "_wake",
        "task",
    )

    def __init__(self, *, bare: bool, unsent_bytes: int) -> None:
        self._bare = bare
        self._limit = unsent_bytes
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._unsent = 0
        self._begun = self._done = self._gone = False
        self.task: asyncio.Task[None] | None = None
        self._callback: Callable[[], None] | None = None

    @property
    def started(self) -> bool:
        """See `Responder.started`."""
        return self._begun or self._gone

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """See `Responder.send`. Raises RuntimeError, ValueError."""
        lines = [(name, value) for name, value in headers if name != b"content-length"]
        if status in _BODILESS:
            body = b""
        else:
            lines.append((b"content-length", b"%d" % len(body)))
        self.start(status, lines)
        if not self._done:
            self._done = True
            self._add(b"" if self._bare else body, more=False)

    def start(self, status: int, headers: Headers) -> None:
        """See `Responder.start`. Raises RuntimeError, ValueError."""
        if self._begun:
            raise RuntimeError("this request has been answered already")
        head(status, headers, b"")  # only for its checks
        self._begun = True
        if self._gone:
            self._done = True
            return
        if status in _BODILESS:
            self._bare = True
        self._events.append(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )
        self._notify()

    def write(self, chunk: bytes) -> None:
        """See `Responder.write`. Raises RuntimeError."""
        if not self._begun:
            raise RuntimeError("write() before start()")
        if self._done or self._bare or not chunk:
            return
        if self._unsent > self._limit:
            self.leave()
        else:
            self._add(chunk, more=True)

    def end(self) -> None:
        """See `Responder.end`. Raises RuntimeError."""
        if not self._begun:
            raise RuntimeError("end() before start()")
        if not self._done:
            self._done = True
            self._add(b"", more=False)

    def abort(self) -> None:
        """See `Responder.abort`."""
        if not self._done:
            self._begun = self._done = True
            self._events.clear()
            self._notify()

    def on_close(self, callback: Callable[[], None]) -> None:
        """See `Responder.on_close`."""
        if self._gone:
            self._loop.call_soon(callback)
        elif not self._done:
            self._callback = callback

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        """See `Responder.take_over`; an ASGI server keeps its connections to itself."""
        return None

    def leave(self) -> None:
        """The client is gone, or is given up; the handler is told if its answer was not done."""
        self._gone = True
        callback, self._callback = self._callback, None
        if callback is not None and not self._done:
            self._loop.call_soon(callback)
        self._done = True
        self._events.clear()
        self._notify()

    def fail(self, status: int, message: str) -> None:
        """End an answer its handler did not finish: as `status` if that can still be said."""
        if self._begun:
            self.abort()
        else:
            body = msgspec.json.encode({"error": message})
            self.send(status, ((b"content-type", b"application/json"),), body)

    async def pump(self, send: Send) -> None:
        """Send events until the answer is complete, aborted, or its client gone."""
        while True:
            while self._events:
                event = self._events.popleft()
                self._unsent -= len(event.get("body", b""))
                try:
                    await send(event)
                except OSError:  # how servers say that the client has gone (ASGI 2.4)
                    self.leave()
            if self._done:
                return
            self._wake = self._loop.create_future()
            await self._wake

    def _add(self, body: bytes, *, more: bool) -> None:
        self._unsent += len(body)
        self._events.append({"type": "http.response.body", "body": body, "more_body": more})
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


async def _serve(
    handler: Handler, limits: HttpLimits, scope: Event, receive: Receive, send: Send
) -> None:
    answer = AsgiAnswer(bare=scope["method"] == "HEAD", unsent_bytes=limits.unsent_bytes)
    try:
        request = await _request(scope, receive, limits.body_bytes)
    except Refused as refused:
        body = refusal_body(refused.status, refused.message)
        answer.send(refused.status, ((b"content-type", b"application/json"),), body)
        await answer.pump(send)
        return
    except _ClientGone:
        return
    work = asyncio.ensure_future(_run(handler, request, answer))
    watch = asyncio.ensure_future(_watch(receive, answer))
    try:
        await answer.pump(send)
        await asyncio.wait((work,))
    finally:
        # Only reached with the handler at work when the server cancels the application.
        work.cancel()
        watch.cancel()
        await asyncio.wait((work, watch))


async def _run(handler: Handler, request: HttpRequest, answer: AsgiAnswer) -> None:
    try:
        await handler(request, answer)
        if not answer.started:
            log.error("the handler of %s returned without an answer", request.path)
            answer.fail(500, "Internal server error.")
    except asyncio.CancelledError:
        answer.fail(503, "The server is shutting down.")
        raise
    except Exception:
        log.exception("the handler of %s failed", request.path)
        answer.fail(500, "Internal server error.")


async def _watch(receive: Receive, answer: AsgiAnswer) -> None:
    with contextlib.suppress(Exception):  # a server that fails here has no client either
        while (await receive())["type"] != "http.disconnect":
            pass
    answer.leave()


async def _request(scope: Event, receive: Receive, limit: int) -> HttpRequest:
    headers: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for raw_name, raw_value in scope["headers"]:
        # White space around a value is no part of it (RFC 9110 section 5.5); not all servers trim.
        name, value = bytes(raw_name).lower(), bytes(raw_value).strip(b" \t")
        if name in headers:
            repeated.add(name)
            value = headers[name] + b", " + value
        headers[name] = value
    check_host(headers, frozenset(repeated), scope.get("http_version", "1.1"))
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        path=_path(scope),
        query=bytes(scope.get("query_string", b"")).decode("latin-1"),
        headers=headers,
        repeated=frozenset(repeated),
        body=await _body(receive, limit),
        peer=str(client[0]) if client else "",
        scheme=str(scope.get("scheme", "http")),
    )


def _path(scope: Event) -> str:
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"]) if raw is None else raw.decode("latin-1").partition("?")[0]
    root = quote(scope.get("root_path", ""))
    if root and path.startswith(root + "/"):
        return path[len(root) :]
    return "/" if root and path == root else path


async def _body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _ClientGone
        part: bytes = event.get("body", b"")
        size += len(part)
        if size > limit:
            raise Refused(413, f"The request body is larger than {limit} bytes.")
        if part:
            parts.append(part)
        if not event.get("more_body", False):
            return b"".join(parts)


async def _live(lifespan: Lifespan | None, receive: Receive, send: Send) -> None:
    phase = "startup"
    try:
        await receive()
        async with lifespan() if lifespan is not None else contextlib.nullcontext():
            await send({"type": "lifespan.startup.complete"})
            await receive()
            phase = "shutdown"
    except Exception as error:
        log.exception("the application's %s failed", phase)
        await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
    else:
        await send({"type": "lifespan.shutdown.complete"})
