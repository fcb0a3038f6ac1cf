"""What an HTTP front hands to a handler, and what the handler may do with it.

Must not know: sockets, ASGI, MCP. The native server and the ASGI shell both speak these types, so
that whatever serves a path is written once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from lockgate.fronts.request import Headers, HttpRequest

__all__ = [
    "Handler",
    "Headers",
    "HttpLimits",
    "HttpRequest",
    "Passage",
    "Responder",
    "Tunnel",
    "nothing_more",
]


class Tunnel(Protocol):
    """What goes on with a connection when HTTP is over on it (RFC 9110 section 7.8)."""

    def received(self, data: bytes, /) -> None:
        """The client sent bytes."""
        ...

    def writable(self, yes: bool, /) -> None:
        """Whether the network takes what is written, when that changes."""
        ...

    def ended(self) -> None:
        """The client sends nothing more, or is gone. Called once, and last."""
        ...


class Passage(Protocol):
    """What a tunnel may do with its connection. Nothing here blocks or raises."""

    def write(self, data: bytes, /) -> None:
        """Send bytes; a client that leaves too many unread is dropped."""
        ...

    def pause(self) -> None:
        """Read nothing until `resume`."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def close(self) -> None:
        """End the connection once everything written is sent."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...


class Responder(Protocol):
    """The way back to one client. Nothing here blocks or raises because a client has gone away.

    Either one `send`, or `start`, any number of `write`, then `end`. Calls that come too late
    (after the end, or after the client went away) are ignored; a second `send` or `start` is a
    mistake in the handler and raises RuntimeError. A handler that returns with nothing sent has its
    request answered with status 500; one that returns with its answer started and not ended keeps
    it open, for whoever holds the responder to end.

    The shell buffers for slow readers. When the unsent part of streamed writes grows over
    `HttpLimits.unsent_bytes`, or a client reads nothing for `HttpLimits.write_seconds`, it drops
    the connection.

    task  what runs the handler, if the shell has a task of its own for it.
    """

    task: asyncio.Task[None] | None

    @property
    def started(self) -> bool:
        """A status has been handed over, or never can be because the client is gone."""
        ...

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """The whole answer. Content-Length is written by the shell, not by the caller."""
        ...

    def start(self, status: int, headers: Headers) -> None:
        """Begin an answer of unknown length, or of the length that `headers` state.

        The head may be held back until the first `write` or the next turn of the event loop.
        """
        ...

    def write(self, chunk: bytes) -> None:
        """Append to a started answer. An empty chunk writes nothing."""
        ...

    def end(self) -> None:
        """Finish a started answer."""
        ...

    def abort(self) -> None:
        """Drop the connection, so that the client knows the answer is broken."""
        ...

    def on_close(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once if the client goes away before the answer is finished.

        When it has already gone, the callback runs in the next turn of the event loop. A later
        registration replaces an earlier one.
        """
        ...

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        """Leave HTTP: from now on the connection is the tunnel's, its first answer included.

        None when this request asked for no WebSocket, was answered, or its shell cannot. The
        handler is expected to run as long as the tunnel is open.
        """
        ...


Handler = Callable[[HttpRequest, Responder], Awaitable[None]]
"""Answers one request. Cancelled by a shell only at the end of a drain."""


async def nothing_more() -> None:
    """For a handler that is no coroutine itself and has answered already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a peer may ask of the native server. Sizes in bytes, times in seconds.

    body_bytes          a request body; more gives 413.
    header_count        header fields of one request; more gives 431.
    header_bytes        request line and headers together; more gives 431.
    target_bytes        the request target; more gives 414.
    headers_seconds     from the first byte of a request to the end of its headers; then 408.
    body_seconds        from there to the end of its body; then 408.
    idle_seconds        an idle connection between requests; then it is closed without a word.
    write_seconds       a client reads nothing although there is something to read; then dropped.
    unsent_bytes        streamed writes not yet taken by the network; more drops the connection.
    pipelined_bytes     received behind the request being answered; reading stops there.
    half_close_seconds  from a client's end of file to telling the handler that it has gone.
    connections         open at once; the next one gets 503.
    sweep_seconds       how often the times above are looked at, so how late they may fire.
    """

    body_bytes: int = 4 * 1024 * 1024
    header_count: int = 100
    header_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    write_seconds: float = 60.0
    unsent_bytes: int = 8 * 1024 * 1024
    pipelined_bytes: int = 64 * 1024
    half_close_seconds: float = 0.25
    connections: int = 10_000
    sweep_seconds: float = 1.0
