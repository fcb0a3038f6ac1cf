"""Servers of the official SDK: their application, and what is put right in them.

Must not know: FastMCP, configuration, how they are served. The SDK is imported inside functions
alone, once there is a server that was made with it.

| what                                            | how it is put right                            |
|-------------------------------------------------|------------------------------------------------|
| a list of all tools is made for every call of   | the schema is said to be unknown, so that none |
| the stateless era, to check headers by          | is made; Lockgate checks those headers itself  |
| news of changed lists and resources get lost in | a listen stream is served, and what handlers   |
| the stateless era where no listen handler is    | send goes there                                |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from lockgate.errors import HostError
from lockgate.upstreams.inprocess import AsgiApp

if TYPE_CHECKING:
    from mcp.server.subscriptions import ServerEvent

_NEEDS: Final = (
    "get_tool_input_schema",
    "get_request_handler",
    "add_request_handler",
    "middleware",
)
_LISTEN: Final = "subscriptions/listen"
_MARK: Final = "_lockgate_bus"


def inner(server: Any) -> Any:
    """The low-level server of an MCPServer. Raises HostError when it has none that is known."""
    low = getattr(server, "_lowlevel_server", None)
    if low is None:
        raise HostError(
            "This version of the SDK keeps its low-level server where it is not found.",
            "Use mcp 2.3, or harden the server's streamable_http_app().",
            reason="host-prepared",
        )
    return low


def examine(low: Any) -> None:
    """See that a low-level server has what `prepare` needs. Raises HostError."""
    missing = [one for one in _NEEDS if not hasattr(low, one)]
    if missing:
        raise HostError(
            f"A server of this version of the SDK has no `{missing[0]}`.",
            "Use mcp 2.3 or later, or harden the server's streamable_http_app().",
            reason="host-prepared",
        )


def app(server: Any, path: str, body: int, sessions: int) -> AsgiApp:
    """The server's own application. Who may ask is judged before it, so not again in it."""
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415 - see the top

    options: dict[str, Any] = {
        "streamable_http_path": path,
        "max_request_body_size": body,
        "max_sessions": sessions,
        "transport_security": TransportSecuritySettings(enable_dns_rebinding_protection=False),
    }
    return server.streamable_http_app(**options)


def pages(server: Any) -> tuple[str, ...]:
    """The paths of an MCPServer's custom routes."""
    routes: list[Any] = getattr(server, "_custom_starlette_routes", [])
    return tuple(sorted(str(one.path) for one in routes))


class Bus:
    """Carries news to listen streams, from whichever thread; a `SubscriptionBus` of the SDK."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def publish(self, event: ServerEvent) -> None:
        """See the SDK's `SubscriptionBus`."""
        self._out(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See the SDK's `SubscriptionBus`."""
        self._loop = asyncio.get_running_loop()
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def tell(self, event: ServerEvent) -> None:
        """Publish from code that is not of the event loop, or does not know whether it is."""
        if self._listeners and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._out, event)

    def _out(self, event: ServerEvent) -> None:
        for listener in tuple(self._listeners.values()):
            listener(event)


def prepare(low: Any) -> Bus | None:
    """Put right what the table above says; the bus of the listen stream, where one was added."""
    if low.get_tool_input_schema is None:
        low.get_tool_input_schema = _unknown
    kept: Bus | None = getattr(low, _MARK, None)
    if kept is not None or low.get_request_handler(_LISTEN) is not None:
        return kept
    from mcp.server.subscriptions import ListenHandler  # noqa: PLC0415 - see the top
    from mcp_types import SubscriptionsListenRequestParams  # noqa: PLC0415 - see the top

    bus = Bus()
    low.add_request_handler(_LISTEN, SubscriptionsListenRequestParams, ListenHandler(bus))
    # Outermost, so that whatever handles a request has the session that tells the bus.
    low.middleware.insert(0, _Announcing(bus))
    setattr(low, _MARK, bus)
    return bus


def _unknown(name: str) -> None:
    """No schema is known of any tool, so that there is nothing to check by it."""
    del name


class _Announcing:
    """A middleware of the SDK: news that handlers send reach those who listen."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        # A session is made for each request, so this one is this request's own.
        session = context.session
        session.send_notification = self._announcing(session, session.send_notification)
        return await call_next(context)

    def _announcing(
        self, session: Any, send: Callable[..., Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        from mcp_types.version import MODERN_PROTOCOL_VERSIONS  # noqa: PLC0415 - see the top

        async def send_notification(notification: Any, *args: Any, **options: Any) -> None:
            event = event_of(notification)
            if event is not None:
                await self._bus.publish(event)
                if session.protocol_version in MODERN_PROTOCOL_VERSIONS:
                    # In this era they are for those who listen, and nobody else.
                    return
            await send(notification, *args, **options)

        return send_notification


def event_of(notification: Any) -> ServerEvent | None:
    """What a notification is news of, if it is any that one can listen to."""
    from mcp.server import subscriptions  # noqa: PLC0415 - see the top

    method = getattr(notification, "method", "")
    if method == "notifications/resources/updated":
        return subscriptions.ResourceUpdated(uri=str(notification.params.uri))
    made = {
        "notifications/tools/list_changed": subscriptions.ToolsListChanged,
        "notifications/prompts/list_changed": subscriptions.PromptsListChanged,
        "notifications/resources/list_changed": subscriptions.ResourcesListChanged,
    }.get(method)
    return None if made is None else made()
