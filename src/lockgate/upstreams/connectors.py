"""The way to a server, put together from what is configured for it.

Must not know: supervision, when to connect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from lockgate.core.clock import Clock
from lockgate.core.credentials import Credentials
from lockgate.core.message import Principal
from lockgate.upstreams.authorized import Authorized, Parties, Party
from lockgate.upstreams.connect_http import HttpConnector
from lockgate.upstreams.connect_stdio import StdioConnector
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.opening import Surroundings
from lockgate.upstreams.processes import spawner
from lockgate.upstreams.remote import Pool, Remote
from lockgate.upstreams.session_pool import SessionPool
from lockgate.upstreams.spec import HttpSpec, StdioSpec, UpstreamSpec, WebSocketSpec
from lockgate.upstreams.stdio import Child, OnExit, OnLine, OnTooLong, Spawn
from lockgate.upstreams.websocket import WebSocketConnection
from lockgate.wire.url import Url, parse_url

SESSION_IDLE: Final = 1800.0
"""Seconds an unused session is kept."""

Connector = HttpConnector | StdioConnector


def connector_for(
    spec: UpstreamSpec,
    around: Surroundings,
    *,
    pool: Pool | None,
    spawn: Spawn | None,
    lost: Callable[[str], None],
    until_ready: Callable[[], Awaitable[None]],
    clock: Clock,
    credentials: Credentials | None = None,
) -> Connector:
    """The connector of one server, with its link of the handshake era in place.

    lost         is told when a process ends by itself.
    until_ready  returns when the server is ready.

    Raises:
        ValueError: a server reached over the network, and no pool.
        BadUrl: its URL cannot be used.
    """
    transport = spec.transport
    if isinstance(transport, HttpSpec):
        remote = _remote(spec, transport, pool, credentials)
        connector = HttpConnector(around, remote, spec.era, transport.kind)
        limit, idle = spec.limits.sessions, SESSION_IDLE
    elif isinstance(transport, WebSocketSpec):
        connector = StdioConnector(
            around,
            spawn or _sockets(spec, transport, pool, credentials),
            spec.era,
            lost,
            grace=spec.stop_grace,
            apart=True,
        )
        limit, idle = spec.limits.sessions, SESSION_IDLE
    else:
        connector = StdioConnector(
            around,
            spawn or spawner(spec.name, transport, spec.limits),
            spec.era,
            lost,
            grace=spec.stop_grace,
            spare=spec.spare,
        )
        limit, idle = spec.limits.processes, spec.idle_stop or SESSION_IDLE
    sessions = SessionPool(spec.name, connector.open, limit=limit, idle=idle, clock=clock)
    connector.handshake = Handshake(
        spec.name,
        sessions,
        around.parking,
        until_ready,
        partition=_partition(transport, credentials),
        by_affinity=not isinstance(transport, StdioSpec) or spec.isolation == "session",
        backoff=around.backoff,
        clock=clock,
    )
    return connector


def _partition(
    transport: StdioSpec | HttpSpec | WebSocketSpec, credentials: Credentials | None
) -> Callable[[Principal], str] | None:
    """How the server tells principals apart, if it does."""
    return credentials.partition if credentials and isinstance(transport, HttpSpec) else None


def _sockets(
    spec: UpstreamSpec, transport: WebSocketSpec, pool: Pool | None, credentials: Credentials | None
) -> Spawn:
    if pool is None:
        raise ValueError("a server reached over a WebSocket needs a pool, for its TLS context")
    parse_url(transport.url)
    limit = spec.limits.message_bytes

    def connect(on_line: OnLine, on_exit: OnExit, on_too_long: OnTooLong) -> Child:
        return WebSocketConnection(
            spec.name, transport, limit, pool.tls, on_line, on_exit, on_too_long, credentials
        )

    return connect


def _remote(
    spec: UpstreamSpec, transport: HttpSpec, pool: Pool | None, credentials: Credentials | None
) -> Remote | Parties:
    if pool is None:
        raise ValueError("a server reached over HTTP needs a pool")
    what = (spec.name, pool, Url.parse(transport.url), transport.headers)
    size = spec.limits.message_bytes
    if credentials is None:
        return Remote(*what, max_message=size, max_event=size)
    shown = credentials

    def make(party: Party) -> Authorized:
        return Authorized(shown, party, *what, max_message=size, max_event=size)

    return Parties(credentials, make)
