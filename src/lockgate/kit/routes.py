"""What answers plain HTTP beside the protocol, on whatever server has routes.

Must not know: what is answered. Starlette is not imported: what a route has to return is called as
an ASGI application, and that is all there is to it.

    | server                          | how a route is added                                  |
    |---------------------------------|-------------------------------------------------------|
    | official SDK, FastMCP           | `custom_route`: open to whoever reaches the server    |
    | Starlette, FastAPI              | `add_route`                                           |
    | anything else that speaks ASGI  | `Route` is an ASGI application                        |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON: Final = b"application/json"


class Answer(msgspec.Struct, frozen=True):
    """What is answered; an ASGI application."""

    status: int
    body: bytes
    type: bytes = JSON

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        headers = [
            (b"content-type", self.type),
            (b"content-length", b"%d" % len(self.body)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Route:
    """Answers each request anew: with a request, as frameworks want it, or as ASGI does."""

    def __init__(self, answer: Callable[[], Awaitable[Answer]]) -> None:
        """`answer` makes each answer."""
        self._answer = answer

    async def of_request(self, request: Any) -> Any:
        """For `custom_route` and `add_route`."""
        del request
        return await self._answer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        await (await self._answer())(scope, receive, send)


def as_json(status: int, value: object) -> Answer:
    """An answer in JSON."""
    return Answer(status, msgspec.json.encode(value))


def add(server: Any, path: str, route: Route) -> None:
    """Have `server` answer GET requests for `path`.

    Raises:
        TypeError: it has no routes.
    """
    for name in ("custom_route", "add_route"):
        adder = getattr(server, name, None)
        if adder is None:
            continue
        if name == "custom_route":
            adder(path, methods=["GET"])(route.of_request)
        else:
            adder(path, route.of_request, methods=["GET"])
        return
    raise TypeError(
        f"{type(server).__name__} has no routes; mount the route as an ASGI application"
    )


def add_tool(server: Any, name: str, description: str, function: Callable[..., Any]) -> None:
    """Have `server` offer a function as a tool.

    Raises:
        TypeError: it takes none in the way of the SDKs.
    """
    tool = getattr(server, "tool", None)
    if tool is None:
        raise TypeError(f"{type(server).__name__} has no tools; offer the function yourself")
    tool(name=name, description=description)(function)
