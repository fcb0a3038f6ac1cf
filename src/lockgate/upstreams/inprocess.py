"""An ASGI application of this very process as a place to send to: requests without sockets.

Must not know: MCP, who sends, what the application is made with.

It stands where the pool of HTTP connections stands otherwise, so that a server in this process is
spoken to by the same adapters, in both eras, as one across the network. The application sees what a
web server would show it: a request's whole body at once, `http.disconnect` when the reader of its
answer gives up, and its lifespan once. Sources: the ASGI 3.0 specification, with HTTP and lifespan.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Final
from urllib.parse import unquote

from lockgate.upstreams.failures import ConnectFailed, ConnectionLost
from lockgate.upstreams.head import KeptHeaders, write_head
from lockgate.upstreams.reply import HttpReply, WholeReply
from lockgate.wire.url import Url

log: Final = logging.getLogger("lockgate.upstreams")

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
AsgiApp = Callable[[Event, Receive, Send], Awaitable[None]]
Pairs = Sequence[tuple[bytes, bytes]]

UNREAD: Final = 256 * 1024
"""Bytes of a streamed answer that may wait for their reader; then the application waits."""
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_PEER: Final = ("127.0.0.1", 0)
_GONE: Final[Event] = {"type": "http.disconnect"}
_NOT_STARTED: Final = "the application of this process has not been started"


class StartFailed(Exception):
    """The application's own start went wrong; the text is what it said."""


class InProcess:
    """One application. Belongs to the event loop that `start` is awaited on."""

    def __init__(self, app: AsgiApp) -> None:
        """Nothing is started yet."""
        self.dress: Callable[[Event], None] | None = None
        """Has a last look at each request's scope."""
        self._app = app
        self._lifespan = Lifespan(app)
        self._running: set[asyncio.Task[None]] = set()
        self._context: Context | None = None
        self._state: dict[str, Any] = {}

    @property
    def running(self) -> int:
        """Requests that the application still works at, those nobody waits for included."""
        return len(self._running)

    async def start(self) -> None:
        """Have the application start.

        Raises:
            StartFailed: it said that it cannot.
        """
        self._state = await self._lifespan.start()
        # What each request begins with, as under a web server: nothing of another request's.
        self._context = copy_context()

    async def stop(self, grace: float) -> None:
        """Let what runs end within `grace` seconds, and have the application stop."""
        self._context = None
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=grace)
        for task in tuple(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=grace)
        await self._lifespan.stop(grace)

    def tls(self) -> ssl.SSLContext:
        """There is no network in between. Raises RuntimeError."""
        raise RuntimeError("an application of this process is reached without TLS")

    async def request(
        self,
        url: Url,
        method: bytes,
        headers: Pairs | KeptHeaders,
        body: bytes = b"",
        *,
        stream: bool = False,
    ) -> HttpReply:
        """One request; see `HttpPool.request`. Cancelling shows the application a disconnect.

        Raises:
            ConnectFailed: the application has not been started, or was stopped.
            BadRequest: as for a request over the network.
        """
        del stream
        pairs = headers.pairs if isinstance(headers, KeptHeaders) else headers
        # Judged as on the wire: nothing comes in here that could not come over the network.
        if isinstance(headers, KeptHeaders):
            headers.head(url, method, len(body))
        else:
            write_head(url, method, headers, len(body))
        scope = _scope(url, method, pairs, len(body))
        if self.dress is not None:
            self.dress(scope)
        return await self.ask(scope, body)

    async def ask(self, scope: Event, body: bytes) -> HttpReply:
        """The answer to the request of an HTTP scope, once its head is there.

        Raises:
            ConnectFailed: the application has not been started, or was stopped.
        """
        context = self._context
        if context is None:
            raise ConnectFailed(_NOT_STARTED, cause="refused")
        scope["state"] = self._state.copy()
        loop = asyncio.get_running_loop()
        exchange = _Exchange(body, loop)
        # A copy each: what a request sets is its own.
        task = loop.create_task(
            exchange.run(self._app, scope),
            context=context.run(copy_context),
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await exchange.head
        except asyncio.CancelledError:
            exchange.abort()
            raise


class _Exchange:
    """One request and its answer: what the application receives and sends."""

    __slots__ = (
        "_asked",
        "_body",
        "_closed",
        "_deferred",
        "_disconnect",
        "_headers",
        "_loop",
        "_reply",
        "_room",
        "_status",
        "head",
    )

    def __init__(self, body: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self.head: asyncio.Future[HttpReply] = loop.create_future()
        self._loop = loop
        self._body = body
        self._asked = False
        self._closed = False
        self._disconnect: asyncio.Future[None] | None = None
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._deferred: asyncio.Handle | None = None
        self._reply: HttpReply | None = None
        self._room: asyncio.Future[None] | None = None

    async def run(self, app: AsgiApp, scope: Event) -> None:
        """Have the application answer; whatever it does, there is an answer or a failure."""
        try:
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._broke("it was ended before it had answered")
        except Exception:
            log.exception("the application failed at %s", scope["path"])
            self._broke("it failed")
        else:
            self._broke("it returned without a whole answer")

    # The application's side.

    async def receive(self) -> Event:
        """The request, and then nothing but its end."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        if not self._closed:
            if self._disconnect is None:
                self._disconnect = self._loop.create_future()
            # Shielded, because more than one may wait for the same end.
            await asyncio.shield(self._disconnect)
        return dict(_GONE)

    async def send(self, event: Event) -> None:
        """The answer, in its parts; what nobody reads any more is dropped."""
        kind = event["type"]
        if self._closed:
            return
        if kind == "http.response.start":
            self._begin(event)
        elif kind == "http.response.body":
            await self._part(event.get("body", b""), bool(event.get("more_body", False)))

    def _begin(self, event: Event) -> None:
        self._status = event["status"]
        headers = self._headers
        for raw_name, raw_value in event.get("headers", ()):
            name, value = bytes(raw_name).lower(), bytes(raw_value)
            headers[name] = headers[name] + b", " + value if name in headers else value
        # Most answers are whole with the next event, which then comes before this does.
        self._deferred = self._loop.call_soon(self._open)

    def _open(self) -> HttpReply:
        """Hand out the answer's head, with its body to come."""
        self._deferred = None
        reply = self._reply
        if reply is None:
            reply = self._reply = HttpReply(self._status, self._headers, self, UNREAD)
            if not self.head.done():
                self.head.set_result(reply)
        return reply

    async def _part(self, data: bytes, more: bool) -> None:
        if not self._status:
            raise RuntimeError("a body before its head")
        if self._deferred is not None:
            self._deferred.cancel()
            self._deferred = None
            if not more:
                self._end()
                if not self.head.done():
                    self.head.set_result(WholeReply(self._status, self._headers, bytes(data)))
                return
        reply = self._open()
        if data:
            reply.put(bytes(data))
        if not more:
            reply.finish()
            self._end()
        elif self._room is not None:
            await self._room

    def _broke(self, why: str) -> None:
        """The application is done; if the answer is not, say so as a web server would."""
        if self._closed:
            return
        if self._deferred is not None:
            self._deferred.cancel()
        self._end()
        if self._reply is not None:
            lost = f"the application of this process broke its answer off: {why}"
            self._reply.fail(ConnectionLost(lost, sent=True, answered=True))
        elif not self.head.done():
            plain = {b"content-type": b"text/plain; charset=utf-8"}
            self.head.set_result(WholeReply(500, plain, b"Internal Server Error"))

    def _end(self) -> None:
        self._closed = True
        if self._disconnect is not None and not self._disconnect.done():
            self._disconnect.set_result(None)
        self.resume_reading()

    # The reader's side; see `reply.Source`.

    def pause_reading(self) -> None:
        """Have the application wait with its next part."""
        if self._room is None:
            self._room = self._loop.create_future()

    def resume_reading(self) -> None:
        """Let it go on."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def abort(self) -> None:
        """Nobody reads the answer any more; the application is told, as by a closed connection."""
        if self._deferred is not None:
            self._deferred.cancel()
            self._deferred = None
        self._end()


class Lifespan:
    """The application's start and stop, each asked for once."""

    def __init__(self, app: AsgiApp, state: dict[str, Any] | None = None) -> None:
        """`state`: where the application puts what it wants to find with each request."""
        self._app = app
        self._state = {} if state is None else state
        self._to_app: asyncio.Queue[Event] = asyncio.Queue()
        self._said: asyncio.Future[Event] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """What the application wants to find with each request. Raises `StartFailed`."""
        loop = asyncio.get_running_loop()
        state = self._state
        scope: Event = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        scope["state"] = state
        self._said = loop.create_future()
        self._to_app.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run(scope))
        await asyncio.wait({self._said, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._said.done():
            said = self._said.result()
            if said["type"].endswith(".failed"):
                await asyncio.wait({self._task})
                raise StartFailed(str(said.get("message", "")) or "it gave no reason")
        else:
            # An application without a lifespan raises, or returns, as soon as it is asked.
            log.debug("the application has no lifespan")
        return state

    async def stop(self, grace: float) -> None:
        """Have it stop; it is not waited for longer than `grace` seconds beyond a second."""
        task = self._task
        if task is None or task.done():
            return
        self._said = asyncio.get_running_loop().create_future()
        self._to_app.put_nowait({"type": "lifespan.shutdown"})
        done, _ = await asyncio.wait({task}, timeout=grace + 1.0)
        if not done:
            log.error("the application did not stop in time")
            task.cancel()
            await asyncio.wait({task})
        elif self._said.done() and self._said.result()["type"].endswith(".failed"):
            log.error("the application failed to stop: %s", self._said.result().get("message"))

    async def _run(self, scope: Event) -> None:
        with suppress(asyncio.CancelledError):
            try:
                await self._app(scope, self._to_app.get, self._send)
            except Exception:
                # Servers take that for an application that knows no lifespan.
                log.debug("the application ended its lifespan", exc_info=True)

    async def _send(self, event: Event) -> None:
        if self._said is not None and not self._said.done():
            self._said.set_result(event)


def _scope(url: Url, method: bytes, headers: Pairs, length: int) -> Event:
    raw, _, query = url.target.partition(b"?")
    lines = [(b"host", url.host_header), *headers]
    if length:
        lines.append((b"content-length", b"%d" % length))
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "method": method.decode("ascii"),
        "scheme": url.scheme,
        "path": _decoded(raw),
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": lines,
        "client": _PEER,
        "server": (url.host, url.port),
    }


def _decoded(raw: bytes) -> str:
    text = raw.decode("ascii")
    return unquote(text) if "%" in text else text
