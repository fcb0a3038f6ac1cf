"""HTTP/1.1 toward servers: one request out, one response in, over connections kept for the next.

Must not know: MCP, eras, JSON. What goes where is decided by `plan`; this file carries it out. No
request is ever sent twice: a connection found closed before anything was written is replaced in
silence, everything else is told to the caller, with whether the server may have seen the request.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

from lockgate.upstreams.connection import Connection, ResponseLimits
from lockgate.upstreams.failures import (
    BadRequest,
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    HttpFailure,
    TimedOut,
    TooLarge,
)
from lockgate.upstreams.head import KeptHeaders, write_head
from lockgate.upstreams.lookup import Unreachable, connect
from lockgate.upstreams.plan import Plan, Step
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.addresses import is_public, keeps_credentials
from lockgate.wire.url import BadUrl, Origin, Url

__all__ = [
    "BadRequest",
    "BadResponse",
    "BadUrl",
    "ConnectFailed",
    "ConnectionLost",
    "HttpFailure",
    "HttpPool",
    "HttpReply",
    "PoolLimits",
    "ResponseLimits",
    "TimedOut",
    "TooLarge",
    "Url",
]

_CLOSE_SECONDS = 5.0
Reach = Literal["any", "outside", "public"]
REACHES: Final[Mapping[Reach, Callable[[str], bool] | None]] = {
    "any": None,
    "outside": lambda address: not keeps_credentials(address),
    "public": is_public,
}
_Turn = asyncio.Future["Connection | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Per origin. Times in seconds.

    connections       open at once for calls.
    streams           open at once for streams that stay: they never take a call's connection.
    waiting           requests waiting for one of them; one more is refused at once.
    wait_seconds      how long they wait.
    connect_seconds   name lookup, TCP and TLS handshake together.
    idle_seconds      an unused http connection is kept this long: less than the five seconds after
                      which common servers close it, perhaps just as a request is on its way.
    idle_tls_seconds  the same for https, where what answers is most often a proxy that waits for a
                      minute, and a new handshake is dear.
    sweep_seconds     how often times are looked at, so how late they may fire.
    reach             to which addresses names may lead: `any`; `outside` leaves out those where
                      clouds hand out credentials; `public` is the public internet alone.
    response          what a server may send.
    """

    connections: int = 256
    streams: int = 10_000
    waiting: int = 1024
    wait_seconds: float = 30.0
    connect_seconds: float = 5.0
    idle_seconds: float = 4.0
    idle_tls_seconds: float = 30.0
    sweep_seconds: float = 0.25
    reach: Reach = "any"
    response: ResponseLimits = field(default_factory=ResponseLimits)


class HttpPool:
    """Connections to any number of origins. Belongs to the event loop of its first request.

    limits     of origins that `origins` does not name.
    origins    the limits of each origin.
    tls        what https connections are made with; the system's certificate authorities by
               default.
    reachable  judges every address as it is about to be connected to; None: all may be.
    """

    def __init__(
        self,
        limits: PoolLimits | None = None,
        *,
        origins: Mapping[Origin, PoolLimits] | None = None,
        tls: ssl.SSLContext | None = None,
        reachable: Callable[[str], bool] | None = None,
    ) -> None:
        self._limits = limits or PoolLimits()
        self._origins = origins or {}
        self._tls = tls
        self.reachable = reachable
        self._lines: dict[Origin, _Line] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._open = 0
        self._all_closed: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def open(self) -> int:
        """Sockets open now, idle ones included."""
        return self._open

    async def request(
        self,
        url: Url,
        method: bytes,
        headers: Sequence[tuple[bytes, bytes]] | KeptHeaders,
        body: bytes = b"",
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - no timer of its own: the sweep looks at it
        stall: float | None = None,
        stream: bool = False,
    ) -> HttpReply:
        """Send one request and await the head of its response.

        `Host` and `Content-Length` are written here. Cancelling drops the connection.

        Args:
            url: where to.
            method: upper case; `POST` and so on.
            headers: names in any case; kept ones cost less the second time.
            body: the whole body.
            timeout: seconds from sending to the response's headers; None: no limit.
            stall: seconds the response's body may be silent; None: no limit (event streams).
            stream: the response is to stay open, so its connection counts among the streams.

        Raises:
            BadRequest: the headers cannot be sent.
            ConnectFailed: no connection; certainly not sent.
            TimedOut: with the phase that took too long.
            ConnectionLost: the connection ended before the response's headers.
            BadResponse: what came is no response.
        """
        if isinstance(headers, KeptHeaders):
            head = headers.head(url, method, len(body))
        else:
            head = write_head(url, method, headers, len(body))
        line = self._lines.get(url.origin) or self._new_line(url)
        connection = await line.for_stream() if stream else line.plan.take()
        while connection is None or not connection.ready():
            if connection is not None:
                connection.close()
            connection = await (line.for_stream() if stream else line.acquire())
        waiter = connection.send(
            head,
            body,
            is_head=method == b"HEAD",
            until=inf if timeout is None else line.loop.time() + timeout,
            stall=inf if stall is None else stall,
        )
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                connection.abort()
            elif waiter.exception() is None:
                waiter.result().close()
            raise

    async def close(self) -> None:
        """Drop every connection; requests under way fail. Returns when the sockets are closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for line in list(self._lines.values()):
            line.shut()
        if self._open:
            self._all_closed = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._all_closed], timeout=_CLOSE_SECONDS)

    def _new_line(self, url: Url) -> _Line:
        if self._closed:
            raise ConnectFailed("the pool is closed", cause="closed")
        self._loop = self._loop or asyncio.get_running_loop()
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.sweep_seconds, self._sweep)
        limits = self._origins.get(url.origin, self._limits)
        line = self._lines[url.origin] = _Line(self, url, limits, self._loop)
        return line

    def tls(self) -> ssl.SSLContext:
        """The context of https connections; loading certificates waits until one is needed."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def counted(self, change: int) -> None:
        """A socket was opened (1) or closed (-1)."""
        self._open += change
        if not self._open and self._all_closed is not None and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _sweep(self) -> None:
        """Look at all times. One timer for the whole pool, and none when nothing is open."""
        self._timer = None
        if self._loop is None or self._closed:
            return
        now = self._loop.time()
        for origin, line in list(self._lines.items()):
            line.sweep(now)
            if line.plan.empty:
                del self._lines[origin]
        if self._lines:
            self._timer = self._loop.call_later(self._limits.sweep_seconds, self._sweep)


class _Line:
    """One origin: its plan, carried out."""

    __slots__ = ("_idle_seconds", "_limits", "_pool", "_url", "loop", "plan", "shut_down")

    def __init__(
        self, pool: HttpPool, url: Url, limits: PoolLimits, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._pool = pool
        self._url = url
        self._limits = limits
        self.loop = loop
        self.shut_down = False
        self._idle_seconds = (
            limits.idle_tls_seconds if url.scheme == "https" else limits.idle_seconds
        )
        self.plan: Plan[Connection, _Turn] = Plan(
            limits.connections, limits.waiting, limits.streams
        )

    async def acquire(self) -> Connection:
        """A connection when none was idle: one of our own, or the next that comes free."""
        idle = self.plan.take()
        if idle is not None:
            return idle
        turn: _Turn = self.loop.create_future()
        step = self.plan.ask(turn, self.loop.time() + self._limits.wait_seconds)
        if step is Step.FULL:
            raise ConnectFailed(
                f"too many requests wait for a connection to {self._url.shown}", cause="busy"
            )
        if step is Step.WAIT:
            connection = await self._turn(turn)
            if connection is not None:
                return connection
        return await self._connect()

    async def _turn(self, turn: _Turn) -> Connection | None:
        try:
            return await turn
        except asyncio.CancelledError:
            self.plan.withdraw(turn)
            if not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        """Somebody was given a turn and cannot take it."""
        if connection is None:
            self._give(self.plan.gave_up_opening(), None)
        elif connection.usable:
            self.free(connection, None)

    def _give(self, turn: _Turn | None, connection: Connection | None) -> None:
        """Let `turn` have `connection`, or (None) open one."""
        while turn is not None:
            if not turn.done():
                turn.set_result(connection)
                return
            if connection is None:
                turn = self.plan.gave_up_opening()
            else:
                turn = self.plan.release(connection, self.loop.time() + self._idle_seconds)

    async def for_stream(self) -> Connection:
        """A connection of its own for a stream."""
        if not self.plan.open_stream():
            raise ConnectFailed(f"too many streams from {self._url.shown} are open", cause="busy")
        try:
            connection = await self._open()
        except BaseException:
            self.plan.gave_up_stream()
            raise
        self.plan.stream_opened(connection)
        return self._checked(connection)

    async def _connect(self) -> Connection:
        try:
            connection = await self._open()
        except BaseException:
            self._give(self.plan.gave_up_opening(), None)
            raise
        self.plan.opened(connection)
        return self._checked(connection)

    def _checked(self, connection: Connection) -> Connection:
        if not connection.usable:
            self.gone(connection)
            raise ConnectFailed(f"{self._url.shown} closed the connection at once")
        if self.shut_down:
            connection.abort()
            raise ConnectFailed("the pool is closed", cause="closed")
        return connection

    async def _open(self) -> Connection:
        url = self._url
        tls = self._pool.tls() if url.scheme == "https" else None
        made: list[Connection] = []

        def protocol() -> Connection:
            made.append(Connection(self, self._limits.response, url.shown, self.loop))
            return made[-1]

        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                connection = await connect(
                    self.loop,
                    protocol,
                    url.host,
                    url.port,
                    tls,
                    self._pool.reachable or REACHES[self._limits.reach],
                )
        except asyncio.CancelledError:
            for one in made:
                one.forsake()
            raise
        except TimeoutError:
            for one in made:
                one.forsake()
            raise TimedOut(f"connecting to {url.shown} took too long", phase="connect") from None
        except OSError as error:
            raise connect_failed(url, error) from error
        return connection

    # What connections tell.

    def opened(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        del connection
        self._pool.counted(1)

    def free(self, connection: Connection, keep_alive: bytes | None) -> None:
        """See `connection.Owner`."""
        seconds = self._idle_seconds
        if keep_alive is not None:
            seconds = min(seconds, _promised(keep_alive))
        until = self.loop.time() + seconds
        if self.plan.rest(connection, until):
            return
        if not self.plan.keeps(connection):
            connection.close()
            return
        turn = self.plan.release(connection, until)
        if turn is not None:
            self._give(turn, connection)

    def gone(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        turn = self.plan.lose(connection)
        if turn is not None:
            self._give(turn, None)

    def closed(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        del connection
        self._pool.counted(-1)

    # What the pool tells.

    def sweep(self, now: float) -> None:
        """Act on every time limit that has passed."""
        old, late = self.plan.expire(now)
        for connection in old:
            connection.close()
        for turn in late:
            if not turn.done():
                turn.set_exception(
                    TimedOut(f"no connection to {self._url.shown} came free in time", phase="wait")
                )
        for connection in self.plan.busy():
            connection.tick(now)

    def shut(self) -> None:
        """End everything now."""
        self.shut_down = True
        idle, waiting = self.plan.expire(inf)
        for connection in idle:
            connection.abort()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(ConnectFailed("the pool is closed", cause="closed"))
        for connection in self.plan.busy():
            connection.lose()


def _promised(keep_alive: bytes) -> float:
    """Seconds a server says it keeps an idle connection (`timeout=5`), less a margin."""
    for part in keep_alive.split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.lower() == b"timeout" and value.isdigit() and len(value) < 10:
            return int(value) * 0.8
    return inf


_TLS_REASONS: Final = {
    "WRONG_VERSION_NUMBER": "what answers there does not speak TLS",
    "HTTP_REQUEST": "what answers there does not speak TLS",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection",
}


def _tls_reason(error: ssl.SSLError) -> str:
    """Why TLS failed, in words; of a certificate, what is wrong with it."""
    word = error.reason or ""
    return getattr(error, "verify_message", "") or _TLS_REASONS.get(word, word or "it failed")


def connect_failed(url: Url, error: OSError) -> ConnectFailed:
    """What the system's refusal of a connection means."""
    shown = url.shown
    if isinstance(error, Unreachable):
        return ConnectFailed(f"{shown} is not on the public internet", cause="forbidden")
    if isinstance(error, socket.gaierror):
        return ConnectFailed(f"the host name of {shown} cannot be resolved", cause="name")
    if isinstance(error, ssl.SSLError):
        return ConnectFailed(f"no TLS connection to {shown}: {_tls_reason(error)}", cause="tls")
    # Several addresses tried give one OSError whose text lists the causes.
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return ConnectFailed(f"{shown} refuses connections", cause="refused")
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return ConnectFailed(f"{shown} cannot be reached", cause="unreachable")
    return ConnectFailed(f"no connection to {shown}", cause="other")
