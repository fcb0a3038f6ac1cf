"""A hardened server next to another application, as one ASGI application.

Must not know: what either is made with.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from lockgate.fronts.asgi import AsgiApp, Event, Receive, Send, asgi_app
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.hosts.hardened import Hardened
from lockgate.upstreams.inprocess import Lifespan


def beside(app: AsgiApp, hardened: Hardened) -> AsgiApp:
    """`app`, with the hardened server at its own paths; both start and stop with the whole.

    The paths are those of the configuration (`lockgate.path`, and what clients need to find out
    how to be let in); everything else is the application's, its own health pages included.
    """

    async def both(scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(app, hardened, scope, receive, send)
        elif scope["type"] == "http" and hardened.serves(scope["path"]):
            await hardened(scope, receive, send)
        else:
            await app(scope, receive, send)

    return both


async def _live(
    app: AsgiApp, hardened: Hardened, scope: Event, receive: Receive, send: Send
) -> None:
    @asynccontextmanager
    async def lives() -> AsyncGenerator[None]:
        # The server first: what the application does at its start may need it.
        async with hardened.lifespan():
            inner = Lifespan(app, scope.get("state"))
            await inner.start()
            try:
                yield
            finally:
                await inner.stop(hardened.config.lockgate.shutdown_grace)

    async def nothing(request: HttpRequest, responder: Responder) -> None:
        raise AssertionError("only its lifespan is asked for")

    await asgi_app(nothing, lifespan=lives)(scope, receive, send)
