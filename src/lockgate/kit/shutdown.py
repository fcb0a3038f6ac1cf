"""An end that waits for calls under way: what SIGTERM and SIGINT should have meant all along.

Must not know: what is called. On the first signal the server is no longer ready and takes no new
calls; those under way have `grace` seconds; then it ends, streams that last for ever included. A
second signal ends the waiting.

    | server                     | how                                                             |
    |----------------------------|-----------------------------------------------------------------|
    | anything that speaks ASGI  | `await shutdown.serve(app, host=…, port=…)`, with uvicorn       |
    | stdio, and anything else   | `await shutdown.run(server.run_stdio_async())`, tools `tracked` |
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from lockgate.kit.errors import Unavailable
from lockgate.kit.health import Health
from lockgate.kit.routes import Receive, Scope, Send, as_json
from lockgate.kit.tap import Tap
from lockgate.kit.wrapping import require_async

P = ParamSpec("P")
T = TypeVar("T")

_log: Final = logging.getLogger("lockgate.kit")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
STREAMS: Final = 1
"""Seconds that streams have to close once no call is under way."""
_ENDLESS: Final = b"subscriptions/listen"


class Shutdown:
    """The end of one server."""

    def __init__(self, grace: float = 20.0, *, health: Health | None = None) -> None:
        """It runs.

        Args:
            grace: seconds that calls under way have. Whoever sends the signal must wait longer
                before it kills: `terminationGracePeriodSeconds`, `stop_grace_period`.
            health: is told, so that `/ready` says so.
        """
        self._grace = grace
        self._health = health
        self._idle = asyncio.Event()
        self._idle.set()
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._last: list[Callable[[], Awaitable[object]]] = []
        self.calls = 0

    @property
    def stopping(self) -> bool:
        """Whether the end has been asked for."""
        return self._asked.is_set()

    def stop(self) -> None:
        """Ask for the end; asked twice, nothing more is waited for."""
        if self.stopping:
            self._hurry.set()
        self._asked.set()
        if self._health is not None:
            self._health.stopping = True

    def at_end(self, job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        """A decorator: run it when all has ended; the last that was added first."""
        require_async(job, "a job")
        self._last.append(job)
        return job

    def tracked(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """A tool whose calls are waited for, and which takes none once the end was asked for.

        Raises:
            TypeError: it is not async.
        """
        require_async(function, "what is tracked")

        @wraps(function)
        async def counted(*args: P.args, **named: P.kwargs) -> T:
            if self.stopping:
                raise Unavailable("The server is stopping", "Call again: another may answer.")
            with _Under(self):
                return await function(*args, **named)

        return counted

    async def run(self, serving: Coroutine[Any, Any, object]) -> None:
        """Run a server until it ends by itself, or until calls are over after a signal.

        A server over stdio then finds its input at its end, as if its client had gone.
        """
        with Tap() as tap:

            def end(task: asyncio.Task[object]) -> None:
                tap.shut()
                task.get_loop().call_later(STREAMS, task.cancel)

            await self._until_over(serving, end)

    async def serve(
        self, app: Callable[..., Awaitable[None]], *, host: str = "127.0.0.1", port: int = 8000,
        **options: Any,
    ) -> None:  # fmt: skip
        """Serve an ASGI application with uvicorn until it has ended after a signal.

        Every request but GET and the streams of `subscriptions/listen` is waited for, whether a
        tool is `tracked` or not; what is `tracked` takes no new calls.

        Args:
            app: `server.streamable_http_app()` of the official SDK, `server.http_app()` of FastMCP.
            host: where to listen.
            port: where to listen.
            options: of `uvicorn.Config`.

        Raises:
            ImportError: there is no uvicorn; both SDKs bring it.
        """
        import uvicorn  # noqa: PLC0415 - comes with the SDKs; nobody else needs it

        # Its log is logged like everybody's: without a configuration of its own.
        chosen: Any = {"timeout_graceful_shutdown": STREAMS, "log_config": None, **options}
        config = uvicorn.Config(self.watching(app), host=host, port=port, **chosen)
        server: Any = uvicorn.Server(config)
        # It would take the signals for itself, and end streams and calls alike.
        server.capture_signals = nullcontext

        def end(_: asyncio.Task[object]) -> None:
            server.should_exit = True

        await self._until_over(server.serve(), end)

    def watching(self, app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """The ASGI application, its requests counted as `serve` does."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] == "GET" or _endless(scope):
                await app(scope, receive, send)
                return
            if self.stopping and _headers(scope).get(b"mcp-method"):
                # Only the newer revisions say here what they ask; others may be answers that a
                # call under way waits for.
                await as_json(503, {"error": "the server is stopping"})(scope, receive, send)
                return
            with _Under(self):
                await app(scope, receive, send)

        return watched

    async def _until_over(
        self, serving: Coroutine[Any, Any, object], end: Callable[[asyncio.Task[object]], object]
    ) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(serving)
        asked = loop.create_task(self._asked.wait())
        self._listen(loop)
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await self.drained()
                end(task)
            try:
                await task
            except asyncio.CancelledError:
                if not self.stopping:
                    raise
        finally:
            asked.cancel()
            task.cancel()
            await asyncio.wait({task}, timeout=STREAMS)
            self._deafen(loop)
            for job in reversed(self._last):
                try:
                    await job()
                except Exception:
                    _log.exception("a job at the end failed")

    async def drained(self) -> bool:
        """Wait until no call is under way, `grace` seconds at most; whether none is."""
        idle = asyncio.ensure_future(self._idle.wait())
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({idle, hurry}, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        hurry.cancel()
        if self.calls:
            _log.warning("%d calls are cut off: they took longer than is waited", self.calls)
        return not self.calls

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in _SIGNALS:
            if sys.platform == "win32":
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.stop))
            else:
                loop.add_signal_handler(number, self.stop)

    def _deafen(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in _SIGNALS:
            if sys.platform == "win32":
                signal.signal(number, signal.SIG_DFL)
            else:
                loop.remove_signal_handler(number)

    def began(self) -> None:
        """One more is under way."""
        self.calls += 1
        self._idle.clear()

    def ended(self) -> None:
        """One less is under way."""
        self.calls -= 1
        if not self.calls:
            self._idle.set()


class _Under:
    """One thing under way."""

    def __init__(self, shutdown: Shutdown) -> None:
        self._shutdown = shutdown

    def __enter__(self) -> None:
        self._shutdown.began()

    def __exit__(self, *_: object) -> None:
        self._shutdown.ended()


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope.get("headers", ()))


def _endless(scope: Scope) -> bool:
    return _headers(scope).get(b"mcp-method") == _ENDLESS
