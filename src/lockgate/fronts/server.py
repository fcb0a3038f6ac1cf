"""The native HTTP/1.1 server: listens, watches the clock, drains.

Must not know: MCP, what handlers do, how a connection works inside.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.fronts.connection import Connection
from lockgate.fronts.http import Handler, HttpLimits
from lockgate.fronts.state import ServerState
from lockgate.fronts.workers import Workers

_BACKLOG: Final = 1024
_PORT_TRIES: Final = 8  # to find one free port on every address
_LAST_WORDS: Final = 1.0  # seconds for cancelled handlers to end, and for their answers to leave
_LOOK: Final = 0.05  # seconds between two looks at whether all is quiet
_ABSENT: Final = frozenset((errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT))


class HttpStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one server. The first two are of this moment, the others since the start."""

    connections: int
    handlers: int
    requests: int
    refused_connections: int


class HttpServer:
    """Serves one handler on any number of addresses, over plain TCP or TLS.

    Lives on the event loop that `start` is awaited on.
    """

    def __init__(
        self,
        handler: Handler,
        limits: HttpLimits | None = None,
        clock: Clock = SYSTEM,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._ssl = ssl
        self._state = ServerState(handler, limits or HttpLimits(), clock, tls=ssl is not None)
        self._workers = Workers(self._state)
        self._listeners: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, host: str | Sequence[str], port: int) -> list[tuple[str, int]]:
        """Listen on every address of `host` (a name, an address, or several); port 0 picks one.

        Returns the (address, port) pairs bound; all have the same port. Raises OSError when an
        address cannot be bound, and then listens on none; an address family this machine lacks is
        passed over as long as another can be bound.
        """
        loop = asyncio.get_running_loop()
        addresses = await _resolve([host] if isinstance(host, str) else host)
        tries = 1 if port else _PORT_TRIES
        while True:
            tries -= 1
            try:
                bound = await self._bind(loop, addresses, port)
            except OSError as error:
                if not tries or error.errno != errno.EADDRINUSE:
                    raise
            else:
                break
        if self._timer is None:
            self._schedule(loop)
        return bound

    async def _bind(
        self, loop: asyncio.AbstractEventLoop, addresses: Sequence[str], port: int
    ) -> list[tuple[str, int]]:
        new: list[asyncio.Server] = []
        bound: list[tuple[str, int]] = []
        absent: OSError | None = None
        for address in addresses:
            try:
                listener = await self._listen(loop, address, port)
            except OSError as error:
                if error.errno in _ABSENT:
                    absent = error
                    continue
                for other in new:
                    other.close()
                raise
            new.append(listener)
            name = listener.sockets[0].getsockname()
            bound.append((name[0], name[1]))
            port = name[1]
        if not bound:
            raise absent or OSError(errno.EADDRNOTAVAIL, "the host has no address")
        self._listeners += new
        return bound

    async def _listen(
        self, loop: asyncio.AbstractEventLoop, address: str, port: int
    ) -> asyncio.Server:
        state = self._state
        return await loop.create_server(
            lambda: Connection(state, self._workers, loop),
            address,
            port,
            backlog=_BACKLOG,
            ssl=self._ssl,
            ssl_handshake_timeout=state.limits.headers_seconds if self._ssl else None,
            ssl_shutdown_timeout=state.limits.headers_seconds if self._ssl else None,
        )

    @property
    def stats(self) -> HttpStats:
        """How much there is of everything."""
        state = self._state
        return HttpStats(
            connections=len(state.connections),
            handlers=len(state.tasks),
            requests=state.requests,
            refused_connections=state.refused_connections,
        )

    def sweep(self) -> None:
        """Read the clock and enforce every time limit that has passed.

        Runs by itself every `HttpLimits.sweep_seconds`; public for tests with a clock of their own.
        """
        state = self._state
        state.tick(self._clock)
        for connection in tuple(state.connections):
            connection.sweep(state.now)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        def run() -> None:
            self._schedule(loop)
            self.sweep()

        self._timer = loop.call_later(self._state.limits.sweep_seconds, run)

    async def settle(self, grace: float, waiting: Callable[[], bool]) -> bool:
        """Go on answering until nothing is being answered; False: something is after `grace`.

        Every answer is its connection's last. `waiting` tells whether somebody is expected to come
        back for something.
        """
        loop = asyncio.get_running_loop()
        state = self._state
        state.draining = True
        ends = loop.time() + grace
        while state.tasks or waiting() or any(one.busy for one in state.connections):
            left = ends - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(_LOOK, left))
        return True

    async def drain(self, grace: float) -> None:
        """Stop, politely first.

        Stops listening and closes idle connections. Running requests have `grace` seconds, and
        their answers say `Connection: close`. Handlers still running then are cancelled (a client
        without an answer gets status 503), and what is left of connections is dropped.
        """
        state = self._state
        state.draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in tuple(state.connections):
            connection.drain()
        if not await self._emptied(grace):
            for task in tuple(state.tasks):
                task.cancel()
            await self._emptied(_LAST_WORDS)
            for connection in tuple(state.connections):
                connection.abort()
            await self._emptied(_LAST_WORDS)
        await self._workers.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _emptied(self, seconds: float) -> bool:
        state = self._state
        state.emptied = asyncio.Event()
        state.left()
        try:
            await asyncio.wait_for(state.emptied.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            state.emptied = None
        return True


async def _resolve(hosts: Sequence[str]) -> list[str]:
    loop = asyncio.get_running_loop()
    found: dict[str, None] = {}
    for host in hosts:
        for _, _, _, _, name in await loop.getaddrinfo(
            host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            found[str(name[0])] = None
    return list(found)
