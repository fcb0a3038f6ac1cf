"""Servers of the official SDK: their application, and what is put right in them.

Must not know: FastMCP, configuration, how they are served. The SDK is imported inside functions
alone, once there is a server that was made with it.

| what                                            | how it is put right                            |
|-------------------------------------------------|------------------------------------------------|
| a list of all tools is made for every call of   | the schema is said to be unknown, so that none |
| the stateless era, to check headers by          | is made; Lockgate checks those headers itself  |
| news of changed lists and resources get lost in | a listen stream is served, and what handlers   |
| the stateless era where no listen handler is    | send goes there                                |
| news on the bus of an MCPServer reach nobody of | its sessions of that era are told of changed   |
| the handshake era                               | lists as well                                  |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

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
_MARK: Final = "_lockgate_prepared"
_EVENTS: Final = {
    "notifications/tools/list_changed": "ToolsListChanged",
    "notifications/prompts/list_changed": "PromptsListChanged",
    "notifications/resources/list_changed": "ResourcesListChanged",
}
_METHODS: Final = {event: method for method, event in _EVENTS.items()}


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


class Sessions:
    """The connections of clients of the handshake era that are open now."""

    def __init__(self) -> None:
        self._open: WeakSet[Any] = WeakSet()
        self._telling: set[asyncio.Task[None]] = set()

    def met(self, session: Any) -> None:
        """A request came on the connection of this session."""
        connection = getattr(session, "_connection", None)
        if connection is not None:
            self._open.add(connection)

    def tell(self, event: ServerEvent) -> None:
        """Tell all of them that a list has changed; on the event loop."""
        method = _METHODS.get(type(event).__name__)
        if method is not None and self._open:
            task = asyncio.get_running_loop().create_task(self._tell(method))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell(self, method: str) -> None:
        for connection in tuple(self._open):
            await connection.notify(method, None)


class Bus:
    """Carries news to listen streams, from whichever thread; a `SubscriptionBus` of the SDK."""

    def __init__(self, sessions: Sessions) -> None:
        """`sessions` are told what is not about one of them alone."""
        self._sessions = sessions
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    async def publish(self, event: ServerEvent) -> None:
        """See the SDK's `SubscriptionBus`; those who listen are told, and nobody else."""
        for listener in tuple(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See the SDK's `SubscriptionBus`."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    def tell(self, event: ServerEvent) -> None:
        """Tell everybody; for code that is not of the event loop, or does not know whether it is.

        Before the server is started there is nobody to be told.
        """
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.everybody, event)

    def everybody(self, event: ServerEvent) -> None:
        """Tell those who listen, and clients of the older era; on the event loop."""
        for listener in tuple(self._listeners.values()):
            listener(event)
        self._sessions.tell(event)


def prepare(low: Any, bus: Any = None) -> Bus | None:
    """Put right what the table above says; the bus of the listen stream, where one was added.

    `bus` is the server's own, if it has one; what is published there is told everybody.
    """
    if low.get_tool_input_schema is None:
        low.get_tool_input_schema = _unknown
    kept: _Announcing | None = getattr(low, _MARK, None)
    if kept is None:
        sessions = Sessions()
        kept = _Announcing(sessions, _listened_to(low, sessions))
        # Outermost, so that whatever handles a request has the session that tells the bus.
        low.middleware.insert(0, kept)
        setattr(low, _MARK, kept)
        if kept.bus is None and bus is not None:
            bus.subscribe(sessions.tell)
    if kept.bus is not None:
        kept.bus.loop = asyncio.get_running_loop()
    return kept.bus


def _listened_to(low: Any, sessions: Sessions) -> Bus | None:
    """Give a server a listen stream; None: it has one."""
    if low.get_request_handler(_LISTEN) is not None:
        return None
    from mcp.server.subscriptions import ListenHandler  # noqa: PLC0415 - see the top
    from mcp_types import SubscriptionsListenRequestParams  # noqa: PLC0415 - see the top

    bus = Bus(sessions)
    low.add_request_handler(_LISTEN, SubscriptionsListenRequestParams, ListenHandler(bus))
    return bus


def _unknown(name: str) -> None:
    """No schema is known of any tool, so that there is nothing to check by it."""
    del name


class _Announcing:
    """A middleware of the SDK: news that handlers send reach those who listen."""

    def __init__(self, sessions: Sessions, bus: Bus | None) -> None:
        self.bus = bus
        self._sessions = sessions

    async def __call__(self, context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if context.method == _LISTEN:
            return await call_next(context)
        session = context.session
        modern = context.protocol_version in modern_versions()
        if not modern:
            self._sessions.met(session)
        if self.bus is not None:
            # A session is made for each request, so this one is this request's own.
            session.send_notification = _announcing(self.bus, session.send_notification, modern)
        return await call_next(context)


def _announcing(
    bus: Bus, send: Callable[..., Awaitable[None]], modern: bool
) -> Callable[..., Awaitable[None]]:
    async def send_notification(notification: Any, *args: Any, **options: Any) -> None:
        event = event_of(notification)
        if event is None:
            await send(notification, *args, **options)
        elif modern:
            # In this era they are for those who listen, and nobody else.
            bus.everybody(event)
        else:
            # What one session is told may be about that session alone.
            await bus.publish(event)
            await send(notification, *args, **options)

    return send_notification


@cache
def modern_versions() -> frozenset[str]:
    """The revisions of the stateless era that this SDK knows."""
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS  # noqa: PLC0415 - see the top

    return frozenset(MODERN_PROTOCOL_VERSIONS)


def event_of(notification: Any) -> ServerEvent | None:
    """What a notification is news of, if it is any that one can listen to."""
    from mcp.server import subscriptions  # noqa: PLC0415 - see the top

    method = getattr(notification, "method", "")
    if method == "notifications/resources/updated":
        return subscriptions.ResourceUpdated(uri=str(notification.params.uri))
    made = _EVENTS.get(method)
    return None if made is None else getattr(subscriptions, made)()
