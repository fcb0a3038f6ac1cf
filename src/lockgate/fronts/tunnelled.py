"""A connection of the native server after HTTP: bytes to and from whoever took it over.

Must not know: HTTP, what the bytes mean.
"""

from __future__ import annotations

import asyncio
from math import inf

from lockgate.fronts.http import Tunnel
from lockgate.fronts.state import ServerState


class Tunnelled(asyncio.Protocol):
    """Carries one tunnel; keeps the server's limits on clients that do not read."""

    __slots__ = ("_deadline", "_ended", "_sent", "_state", "_taken", "_transport", "_tunnel")

    def __init__(self, state: ServerState, transport: asyncio.Transport, tunnel: Tunnel) -> None:
        """Carry `tunnel`; the caller makes this the protocol of `transport`."""
        self._state = state
        self._transport = transport
        self._tunnel = tunnel
        self._ended = False
        self._sent = 0
        self._taken = -1
        self._deadline = inf

    # Called by the transport.

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not self._ended:
            self._tunnel.received(data)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._tunnel.writable(False)

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._tunnel.writable(True)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._end()
        self._state.connections.discard(self)
        self._state.left()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._tunnel.ended()

    # Called by the tunnel.

    def write(self, data: bytes) -> None:
        """See `Passage.write`."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > self._state.limits.unsent_bytes:
            self.abort()
            return
        self._sent += len(data)
        self._transport.write(data)

    def pause(self) -> None:
        """See `Passage.pause`."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """See `Passage.resume`."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """See `Passage.close`."""
        self._transport.close()

    def abort(self) -> None:
        """See `Passage.abort`."""
        self._transport.abort()

    # Called by the server.

    def sweep(self, now: float) -> None:
        """Drop a client that has taken nothing for too long."""
        backlog = self._transport.get_write_buffer_size()
        if backlog == 0:
            self._taken = -1
        elif self._taken != self._sent - backlog:
            self._taken = self._sent - backlog
            self._deadline = self._state.deadline(self._state.limits.write_seconds)
        elif now > self._deadline:
            self.abort()

    @property
    def busy(self) -> bool:
        """Always: whoever took the connection over ends it when nothing goes on any more."""
        return True

    def drain(self) -> None:
        """Nothing: whoever took the connection over ends it."""
