"""A responder whose answers carry more than the handler gives them.

Must not know: what the headers say, or why.
"""

from __future__ import annotations

from collections.abc import Callable

from lockgate.fronts.http import Headers, Passage, Responder, Tunnel


class Dressed:
    """Hands on to another responder; see `lockgate.fronts.http.Responder`."""

    __slots__ = ("_headers", "_responder", "_status", "task")

    def __init__(self, responder: Responder, headers: Headers, status: int | None = None) -> None:
        """Answer through `responder`.

        Args:
            responder: what sends.
            headers: behind those of every answer.
            status: of answers in one piece, in place of theirs; a stream keeps its own.
        """
        self._responder = responder
        self._headers = headers
        self._status = status
        self.task = responder.task

    @property
    def started(self) -> bool:
        """See `Responder.started`."""
        return self._responder.started

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """See `Responder.send`."""
        self._responder.send(self._status or status, (*headers, *self._headers), body)

    def start(self, status: int, headers: Headers) -> None:
        """See `Responder.start`."""
        self._responder.start(status, (*headers, *self._headers))

    def write(self, chunk: bytes) -> None:
        """See `Responder.write`."""
        self._responder.write(chunk)

    def end(self) -> None:
        """See `Responder.end`."""
        self._responder.end()

    def abort(self) -> None:
        """See `Responder.abort`."""
        self._responder.abort()

    def on_close(self, callback: Callable[[], None]) -> None:
        """See `Responder.on_close`."""
        self._responder.on_close(callback)

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        """See `Responder.take_over`; a tunnel's answer is its own."""
        return self._responder.take_over(tunnel)
