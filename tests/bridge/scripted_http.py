"""The scripted servers' way onto loopback: streams of messages over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from lockgate.fronts.http import HttpRequest, Responder
from lockgate.fronts.server import HttpServer

EVENTS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"))
JSON = (b"content-type", b"application/json")


class Sse:
    """An open event stream toward whoever asked."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self.open = True
        responder.start(200, EVENTS)

    def send(self, message: dict[str, Any]) -> None:
        """One message."""
        if self.open:
            data = json.dumps({"jsonrpc": "2.0", **message})
            self.responder.write(f"event: message\ndata: {data}\n\n".encode())

    def end(self) -> None:
        """No more."""
        if self.open:
            self.open = False
            self.responder.end()


def reply(responder: Responder, body: dict[str, Any], status: int = 200, **headers: str) -> None:
    """A whole answer as JSON."""
    more = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    responder.send(status, (JSON, *more), json.dumps({"jsonrpc": "2.0", **body}).encode())


class OverHttp:
    """Runs handlers as tasks of their own, so that the server can die with all of them."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.responders: list[Responder] = []
        self.http = HttpServer(self._received)
        self.port = 0

    async def _received(self, request: HttpRequest, responder: Responder) -> None:
        self.responders.append(responder)
        await self.respond(request, responder)

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        """Answer one HTTP request."""
        raise NotImplementedError

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have this go on by itself."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def die(self) -> None:
        """Be gone at once: no connection survives, and nobody is told."""
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for responder in self.responders:
            responder.abort()
        await self.http.drain(0)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen on an ephemeral port."""
        [(_, self.port)] = await self.http.start("127.0.0.1", 0)
        try:
            yield
        finally:
            await self.die()


def headers_of(request: HttpRequest) -> dict[str, str]:
    """The headers as text."""
    return {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
