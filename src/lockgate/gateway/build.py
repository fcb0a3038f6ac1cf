"""Configuration, translated into what each piece is told. Pure; one function per piece.

Must not know: how any piece uses it. Every setting of the reference is read here or by the command
line, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec

from lockgate.config.model import Config, RateSettings, ServerConfig, ToolSettings
from lockgate.core.cached import ToolRule
from lockgate.core.clock import Clock
from lockgate.core.rate import parse
from lockgate.core.rules import Rule, Rules
from lockgate.core.store import Store, StoreMisnamed
from lockgate.errors import LockgateError
from lockgate.fronts.http import HttpLimits
from lockgate.fronts.routes import RouteSettings
from lockgate.fronts.settings import ExchangeSettings, StepUp, no_challenge
from lockgate.gateway.caching import Caches, Caching, ServerCaching
from lockgate.gateway.endpoint_sights import endpoints_of, sse_path_of
from lockgate.gateway.engine import EngineSettings
from lockgate.gateway.exposing import exposures_of
from lockgate.gateway.facade import Facade
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.presenting import presentations_of
from lockgate.gateway.resistance import ResistSettings
from lockgate.gateway.sandboxes import sandbox_spec
from lockgate.gateway.shaping import ToolShape
from lockgate.policies.breaker import BreakerSettings
from lockgate.policies.bulkhead import BulkheadSettings
from lockgate.policies.hedge import HedgeSettings
from lockgate.policies.retry import RetrySettings
from lockgate.stores.memory import MemoryStore
from lockgate.stores.opening import open_store
from lockgate.stores.sqlite import SqliteStore
from lockgate.upstreams.crashes import CrashRule
from lockgate.upstreams.ejection import EjectionSettings
from lockgate.upstreams.pool import PoolLimits, Reach
from lockgate.upstreams.spec import (
    HttpSpec,
    StdioSpec,
    UpstreamLimits,
    UpstreamSpec,
    WebSocketSpec,
)
from lockgate.wire.seal import KeyRing
from lockgate.wire.url import BadUrl, Origin, Url, parse_url


def replica_specs(name: str, server: ServerConfig) -> list[UpstreamSpec]:
    """What the upstreams of a server's replicas are told; that of its only one, if it has `url`."""
    spec = upstream_spec(name, server)
    if not server.urls or not isinstance(spec.transport, HttpSpec):
        return [spec]
    return [
        replace(spec, transport=replace(spec.transport, url=url, kind="streamable"))
        for url in server.urls
    ]


def upstream_spec(name: str, server: ServerConfig) -> UpstreamSpec:
    """What the upstream of one server is told; of the first, if it has replicas."""
    url = server.addresses[0] if server.addresses else ""
    if server.command is not None:
        transport: StdioSpec | HttpSpec | WebSocketSpec = StdioSpec(
            command=server.command,
            args=tuple(server.args),
            env=server.plain_env(),
            cwd=str(server.cwd) if server.cwd is not None else None,
            allow_unsafe_env=server.allow_unsafe_env,
            sandbox=sandbox_spec(name, server.sandbox),
        )
    elif server.transport == "websocket":
        transport = WebSocketSpec(
            url=url,
            headers=server.plain_headers(),
            connect_timeout=server.connect_timeout,
            reach=reach_of(server, url),
        )
    else:
        transport = HttpSpec(
            url=url,
            headers=server.plain_headers(),
            kind="sse" if server.transport == "sse" else "auto",
        )
    return UpstreamSpec(
        name=name,
        transport=transport,
        era=server.era,
        start=server.start,
        isolation=server.isolation,
        start_timeout=server.start_timeout,
        call_timeout=server.timeout,
        stop_grace=server.stop_grace,
        idle_stop=server.idle_stop,
        spare=server.spare,
        limits=UpstreamLimits(
            message_bytes=server.limits.message_bytes,
            stderr_line_bytes=server.limits.stderr_line_bytes,
            sessions=server.limits.sessions,
            processes=server.limits.processes,
            memory_bytes=server.limits.memory_bytes,
            open_files=server.limits.open_files,
        ),
        crashes=CrashRule(
            deaths=server.crash_loop.deaths,
            within=server.crash_loop.within,
            pause=server.crash_loop.pause,
            longest=server.crash_loop.longest_pause,
        ),
    )


def engine_settings(config: Config) -> EngineSettings:
    """What the engine is told."""
    servers = config.enabled
    bounds = config.lockgate.limits
    return EngineSettings(
        catalog=CatalogSettings(
            naming=config.naming,
            page_size=config.lockgate.page_size,
            stale=config.lockgate.stale_lists,
            shapes=tool_shapes(config),
            presentations=presentations_of(config),
            most={
                name: (one.limits.list_items, one.limits.list_pages)
                for name, one in servers.items()
            },
        ),
        exposures=exposures_of(config),
        concurrent_calls=bounds.concurrent_requests,
        concurrent_per_caller=bounds.concurrent_per_caller,
        listen_streams=bounds.listen_streams,
        gather=config.lockgate.gather_changes,
        rules=Rules(
            _rules(config.lockgate.rate, "the gateway"),
            endpoints=tuple(
                (path, _rules(one.rate, f"endpoint {path}"))
                for path, one in config.lockgate.endpoints.items()
                if _rules(one.rate, path)
            ),
        ),
        resist={name: resist_settings(one) for name, one in servers.items()},
        server_rules={
            name: Rules(
                _rules(one.rate, f"server {name!r}"),
                tuple(
                    (pattern, _rules(tool.rate, f"tools {pattern!r} of server {name!r}"))
                    for pattern, tool in one.tools.items()
                ),
            )
            for name, one in servers.items()
        },
    )


def tool_shapes(config: Config) -> dict[str, ToolShape]:
    """How tools are listed at each endpoint."""
    found: dict[str, ToolShape] = {}
    for path in endpoints_of(config):
        said = config.compact(path)
        clients = tuple(one.lower() for one in said.type_list_clients)
        found[path] = ToolShape(said.tools, said.type_lists, clients)
    # Where there are no endpoints, nobody says which one it is.
    found[""] = found.get(config.lockgate.path, ToolShape("off"))
    return found


def resist_settings(server: ServerConfig) -> ResistSettings:
    """What stands between calls and one server in trouble."""
    retry, breaker, limits, hedge = server.retry, server.breaker, server.limits, server.hedge
    tools = server.tools.items()
    return ResistSettings(
        timeout=server.timeout,
        timeouts={
            pattern: tool.timeout or server.timeout
            for pattern, tool in tools
            if any(one.timeout for _, one in tools)
        },
        retry=RetrySettings(
            attempts=retry.attempts,
            first=retry.first_pause,
            longest=retry.longest_pause,
            share=retry.share,
            floor=retry.floor,
            tools=retry.tools,
            patterns={pattern: tool.retry or retry.tools for pattern, tool in tools},
        )
        if retry.attempts > 1
        else None,
        breaker=BreakerSettings(
            window=breaker.window,
            minimum=breaker.minimum,
            failure_rate=breaker.failure_rate,
            slow_after=breaker.slow_after,
            slow_rate=breaker.slow_rate,
            abandoned_after=breaker.abandoned_after,
            rest=breaker.rest,
            longest_rest=max(breaker.rest, breaker.longest_rest),
            probes=breaker.probes,
        )
        if breaker.enabled
        else None,
        bulkhead=BulkheadSettings(
            running=limits.concurrent,
            each=limits.concurrent_per_caller,
            waiting=limits.waiting,
            wait=limits.wait,
        ),
        hedge=HedgeSettings(
            after=hedge.after,
            percentile=hedge.percentile,
            window=hedge.window,
            minimum=hedge.minimum,
            share=hedge.share,
            same_server=hedge.same_server,
        )
        if hedge.enabled
        else None,
    )


def ejection_settings(server: ServerConfig) -> EjectionSettings | None:
    """When a replica of the server is left out."""
    ejection = server.ejection
    if not ejection.enabled:
        return None
    return EjectionSettings(
        consecutive=ejection.consecutive,
        window=ejection.window,
        minimum=ejection.minimum,
        failure_rate=ejection.failure_rate,
        base=ejection.base_time,
        longest=max(ejection.base_time, ejection.longest_time),
        most=ejection.most,
        abandoned_after=server.breaker.abandoned_after,
    )


def _rules(rates: RateSettings, where: str) -> tuple[Rule, ...]:
    every = (
        Rule("total", tuple(map(parse, rates.total)), where),
        Rule("principal", tuple(map(parse, rates.per_principal)), where),
        Rule("client", tuple(map(parse, rates.per_client)), where),
    )
    return tuple(rule for rule in every if rule.rates)


def shared_store(config: Config, clock: Clock) -> Store | None:
    """What replicas share, if it is configured; not opened yet.

    Raises:
        LockgateError: it needs an extra that is not installed, or its address is none.
    """
    if config.lockgate.store is None:
        return None
    try:
        return open_store(config.lockgate.store.get_secret_value(), clock)
    except StoreMisnamed as error:
        raise LockgateError(str(error), error.remedy, reason="store-unusable") from error


def disk_store(config: Config, clock: Clock) -> Store | None:
    """The cache's own file, if it is configured; not opened yet."""
    settings = config.lockgate.cache
    if settings.disk is None or not settings.enabled:
        return None
    return SqliteStore(
        settings.disk, clock, max_bytes=settings.disk_bytes, max_entry=settings.entry_bytes
    )


def _told(specs: Sequence[UpstreamSpec]) -> str:
    """A digest of where the calls of a server go and with what, whatever name it has."""
    every = [[spec.era, asdict(spec.transport)] for spec in specs]
    said = msgspec.json.encode(every[0] if len(every) == 1 else every, order="deterministic")
    return blake2b(said, digest_size=16).hexdigest()


def caches(
    config: Config,
    clock: Clock,
    shared: Store | None,
    disk: Store | None,
    before: Caches | None = None,
) -> Caches | None:
    """The servers' caches over memory, what replicas share, and a file; None when there are none.

    The stores are the caller's to close. What of `before` has the same settings is kept.
    """
    settings = config.lockgate.cache
    far = [("shared", shared)] if shared is not None and settings.shared else []
    far += [("disk", disk)] if disk is not None else []
    near = before.near if before is not None and before.far == far else None
    bounds = settings.memory_bytes, settings.entry_bytes
    if near is None or near.bounds != bounds:
        near = MemoryStore(clock, max_bytes=bounds[0], max_entry=bounds[1]) if bounds[0] else None
    servers = {
        name: ServerCaching(
            told=_told(replica_specs(name, server)),
            tools=tuple((pattern, _tool_rule(one)) for pattern, one in server.tools.items()),
            read_only_tools=server.cache.read_only_tools,
        )
        for name, server in config.enabled.items()
        if server.cache.enabled
    }
    if not settings.enabled or not servers or not (near or far):
        return None
    caching = Caching(servers=servers, longest=settings.longest, stale=settings.stale)
    return Caches(caching, near, far, clock, before)


def _tool_rule(tool: ToolSettings) -> ToolRule | None:
    if tool.cache is None:
        return None
    return ToolRule(tool.cache.ttl, "public" if tool.cache.public else "private")


def pool_limits(config: Config) -> dict[Origin, PoolLimits]:
    """What the HTTP pool is told of each origin; servers of one origin share what they have."""
    found: dict[Origin, PoolLimits] = {}
    reached = [
        (url, server)
        for server in config.enabled.values()
        if server.transport in ("http", "sse")
        for url in server.addresses
    ]
    for url, server in reached:
        try:
            origin = Url.parse(url).origin
        except BadUrl:
            continue  # the upstream made of it says so
        limits, before = server.limits, found.get(origin)
        found[origin] = PoolLimits(
            connections=limits.connections + (before.connections if before else 0),
            streams=limits.streams + (before.streams if before else 0),
            waiting=limits.waiting + (before.waiting if before else 0),
            wait_seconds=max(limits.wait, before.wait_seconds if before else 0.0),
            reach=stricter(reach_of(server, url), before.reach if before else "any"),
            connect_seconds=max(server.connect_timeout, before.connect_seconds if before else 0.0),
        )
    return found


def reach_of(server: ServerConfig, url: str) -> Reach:
    """Where the name in a server's URL may lead; an address says so itself."""
    if server.reach == "public":
        return "public"
    try:
        host = parse_url(url).host
    except BadUrl:
        return "any"  # the upstream made of it says what is wrong
    return "any" if ":" in host or host.replace(".", "").isdecimal() else "outside"


def stricter(one: Reach, other: Reach) -> Reach:
    """What holds where both do."""
    order: tuple[Reach, ...] = ("any", "outside", "public")
    return order[max(order.index(one), order.index(other))]


def http_limits(config: Config) -> HttpLimits:
    """What the native server is told."""
    bounds = config.lockgate.limits
    return HttpLimits(
        body_bytes=bounds.body_bytes,
        header_count=bounds.header_count,
        header_bytes=bounds.header_bytes,
        target_bytes=bounds.target_bytes,
        headers_seconds=bounds.header_timeout,
        body_seconds=bounds.body_timeout,
        idle_seconds=bounds.idle_timeout,
        write_seconds=bounds.write_timeout,
        unsent_bytes=bounds.unsent_bytes,
        connections=bounds.connections,
    )


def route_settings(config: Config) -> RouteSettings:
    """What the routes are told: who may ask at all."""
    settings = config.lockgate
    public = [urlsplit(settings.public_url).netloc] if settings.public_url else []
    return RouteSettings(
        # Of several, none is to be learned by asking for another.
        endpoint=None if settings.endpoints else settings.path,
        hosts=[settings.host, *public, *settings.allow_hosts],
        origins=settings.allow_origins,
        cors=settings.cors,
    )


def key_ring(config: Config) -> KeyRing:
    """The configured keys, or a new one that lives as long as the process.

    Raises:
        LockgateError: the key file cannot be read or holds no proper key.
    """
    try:
        keys = config.lockgate.session.key_bytes()
    except (OSError, ValueError) as error:
        raise LockgateError(
            f"The session keys cannot be used: {error}",
            "Correct lockgate.session.keys_file; `openssl rand -base64 32` makes a key.",
            reason="session-keys",
        ) from error
    return KeyRing(keys) if keys else KeyRing.generate()


def messages_path(sse_path: str) -> str:
    """Where clients of the oldest HTTP transport post: beside the path of their streams."""
    return f"{sse_path.rpartition('/')[0]}/messages"


def fronts(
    config: Config,
    keys: KeyRing,
    engine: Facade,
    clock: Clock,
    step_up: Callable[[str], StepUp] = lambda _: no_challenge,
) -> list[tuple[str, ExchangeSettings]]:
    """What the fronts of all endpoints are told, and the paths of their event streams.

    `step_up` gives the challenges of an endpoint.
    """
    told = exchange_settings(config, keys, engine, clock)
    default = config.lockgate.path
    return [
        (
            sse_path_of(config, path),
            replace(
                told,
                endpoint=path,
                step_up=step_up(path),
                messages_path=told.messages_path if path == default else f"{path}/messages",
                annotations=engine.shown_at(path).of,
            ),
        )
        for path in endpoints_of(config)
    ]


def exchange_settings(
    config: Config, keys: KeyRing, engine: Facade, clock: Clock
) -> ExchangeSettings:
    """What the client-facing half is told at `lockgate.path`."""
    settings = config.lockgate
    return ExchangeSettings(
        keys=keys,
        annotations=engine.shown_at(settings.path).of,
        clock=clock,
        endpoint=settings.path,
        messages_path=messages_path(settings.sse_path),
        sse_streams=settings.limits.listen_streams,
        websockets=settings.limits.listen_streams,
        message_bytes=settings.limits.body_bytes,
        message_seconds=settings.limits.body_timeout,
        unsent_bytes=settings.limits.unsent_bytes,
        depth=settings.limits.json_depth,
        keep_alive=settings.keepalive,
        listens=settings.limits.listen_streams,
        backlog=settings.limits.backlog,
        session_ttl=settings.session.ttl,
        unsolicited=settings.unsolicited == "ask",
    )
