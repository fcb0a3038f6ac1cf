"""THE composition root: a configuration becomes a running gateway. Read it top to bottom.

Must not know: terminals and signals (the command line's part), or how any single piece works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from lockgate import __version__
from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Failure, Kind, Notification, Principal, drop
from lockgate.core.raw import Raw
from lockgate.errors import CallFailed, LockgateError
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import Handler
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from lockgate.fronts.settings import ExchangeSettings, StepUp
from lockgate.fronts.stdio import Reader, StdioFront, Writer
from lockgate.gateway.admin import Admin
from lockgate.gateway.auditing import Auditing
from lockgate.gateway.build import (
    disk_store,
    fronts,
    http_limits,
    key_ring,
    route_settings,
    shared_store,
)
from lockgate.gateway.carrying import carrying
from lockgate.gateway.discovery import Explained
from lockgate.gateway.endpoint_sights import servers_at
from lockgate.gateway.endpoints import Endpoints
from lockgate.gateway.engine import Engine
from lockgate.gateway.face import Face
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.health import health, ready, told_by
from lockgate.gateway.identity import ApiKeys, Doors, endpoint_auths, read_api_keys
from lockgate.gateway.inside import Inside
from lockgate.gateway.issuing import OwnIssuer
from lockgate.gateway.logins import Logins
from lockgate.gateway.metrics import Sources
from lockgate.gateway.outbound import Outbound, browsers_base, carried_names
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.pin_survey import Surveyed, survey
from lockgate.gateway.sandboxes import achieved_in
from lockgate.gateway.serving_tls import load, serving_context
from lockgate.gateway.shaping import Write
from lockgate.gateway.sights import OPERATOR
from lockgate.gateway.status import GatewayStatus, ReloadStatus, ServerStatus
from lockgate.gateway.visitors import Visitors
from lockgate.gateway.withheld import Held, all_withheld, held, withheld_by_server
from lockgate.gateway.worlds import Reloaded, Worlds
from lockgate.observe.audit import Audit
from lockgate.observe.contents import FOUND
from lockgate.observe.decisions import CRASHED
from lockgate.observe.log import Blackener
from lockgate.observe.meter import Meter
from lockgate.upstreams.processes import abort_all
from lockgate.upstreams.replicas import Replicas
from lockgate.upstreams.upstream import Upstream

_log: Final = logging.getLogger("lockgate.gateway")


class Gateway:
    """One configuration, running.

    The order of a life: `start`, `serve_http` or `serve_stdio`, `stop`. Every method belongs to
    the event loop that called `start`.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock = SYSTEM,
        audit: Audit | None = None,
        *,
        records: bool = False,
        inside: Mapping[str, Inside] | None = None,
    ) -> None:
        """Compose; nothing is opened or started yet. `audit` is closed when the gateway stops.

        `records`: where nothing was approved of the servers yet, what they define first is written
        to the lock file. Otherwise it counts as approved while this gateway lives. `inside`: the
        servers of `config` that run in this very process, by name; whoever made them starts and
        stops them.

        Raises:
            ConfigError: a part of the configuration that only shows now, such as a key file.
            LockgateError: the lock file cannot be used.
        """
        self._clock = clock
        self._phase = "starting"
        self._had_their_chance = False
        # One ring seals everything clients keep for us, so a replica with the same keys opens it.
        self._keys = key_ring(config)
        # What replicas share; it comes and goes without anybody waiting for it.
        self._store = shared_store(config, clock)
        # Cached answers that outlive the process, in a file of their own.
        self._disk = disk_store(config, clock)
        # The servers and the engine around them; a reload puts others in their place.
        self._outbound = Outbound(self._keys, clock)
        # Where nobody can ask for counts, nothing is counted.
        operators = config.lockgate.admin
        meter = None if operators is None else Meter()
        # What was approved of servers holds for every world, and is read before any of them is.
        held = any(config.pins(name) != "off" for name in config.enabled)
        self.pins = PinKeeper(config.lock_file, clock, records=records, needed=held)
        self._audit = audit
        self._worlds = Worlds(
            config,
            self._keys,
            clock,
            self._store,
            self._disk,
            meter,
            self._outbound,
            None if audit is None else partial(Auditing.of, audit, config.lockgate.audit),
            self.pins,
            inside,
        )
        self._black, self._secrets = Blackener(config.secrets), config.secrets
        # Fronts outlive every reload, so what they see of the engine does too.
        facade = self._worlds.facade
        # Who may ask is found out before anything else is looked at.
        self._own = OwnIssuer(clock, self._store)
        self._doors = Doors(clock, self._own, self._keys, self._store)
        # People log in to servers by browser, each of them only as who they are here.
        visitors = Visitors(self._outbound, self._doors, self._own, lambda: self._config, clock)
        self._logins = Logins(self._outbound, visitors, lambda: self._config, clock)
        self._endpoints = Endpoints(lambda settings: Exchange(facade, settings))
        self._endpoints.serve(self._fronts(config), 0)
        # Host and Origin are judged before any path is, health included.
        self._routes = Routes({}, route_settings(config))
        self._listed = read_api_keys(endpoint_auths(config).values())
        self._identify(config, self._listed)
        self._tls = serving_context(config.lockgate.tls)
        self._server = HttpServer(self._routes, http_limits(config), ssl=self._tls)
        # Operators have a listener of their own, so that clients need not be told what they are.
        self._admin = Admin(operators, self._sources(meter)) if operators and meter else None
        self._stdio: StdioFront | None = None
        self._reload: ReloadStatus | None = None
        self.url: str | None = None
        self._bound = ""

    @property
    def _config(self) -> Config:
        return self._worlds.current.config

    @property
    def _engine(self) -> Engine:
        return self._worlds.current.engine

    @property
    def _upstreams(self) -> list[Upstream | Replicas]:
        return [one.upstream for one in self._worlds.current.standing.values()]

    def upstreams(self) -> Sequence[Upstream | Replicas]:
        """Every enabled server itself, without anything that stands before it."""
        return self._upstreams

    def _fronts(self, config: Config) -> list[tuple[str, ExchangeSettings]]:
        def step_up(path: str) -> StepUp:
            return self._doors.door(path).step_up

        return fronts(config, self._keys, self._worlds.facade, self._clock, step_up)

    def _handlers(self, config: Config) -> Mapping[str, Handler]:
        told = told_by(config)
        carried = carried_names(config)
        return {
            **self._logins.handlers(),
            **self._endpoints.handlers(
                lambda path, inner: self._doors.door(path).guard(carrying(inner, carried))
            ),
            "/health": health(CRASHED, told),
            "/ready": ready(self.status, told),
        }

    def _identify(self, config: Config, listed: ApiKeys, base: str | None = None) -> None:
        """Let in who may ask by this configuration, and with these keys, from now on."""
        self._listed = listed
        auths = endpoint_auths(config)
        self._outbound.base = browsers_base(config, base) or self._outbound.base
        self._doors.turn_to(config, auths, listed, base)
        documents = self._doors.documents(auths, config.lockgate.public_url)
        handlers = {**self._own.for_people(), **self._handlers(config)}
        self._routes.serve(handlers, {**self._own.for_programs(), **documents})

    def _sources(self, meter: Meter) -> Sources:
        return Sources(
            meter=meter,
            status=self.status,
            crashed=CRASHED,
            found=FOUND,
            semantic=self._worlds.semantic,
            http=lambda: self._server.stats,
            exchanges=lambda: {path: one.exchange for path, one in self._endpoints.served.items()},
            listed=self._tools,
            running=lambda: self._engine.running,
            listening=lambda: len(self._engine.subscriptions),
        )

    def tools_as_written(self) -> list[tuple[str, str, Raw]]:
        """Every tool that can be reached: its server, its name there, its definition as called."""
        listed, _ = self._tools()
        return [
            (target.server, target.name, listed.items[name])
            for name, target in listed.routes.items()
        ]

    def _tools(self) -> tuple[Face, Write | None]:
        return self._engine.catalog.tools_as_written()

    @property
    def phase(self) -> str:
        """`starting`, `serving`, `draining`, or `down` when no server can serve."""
        if self._phase != "serving":
            return self._phase
        # A server that a reload brings is waited for by the reload.
        self._had_their_chance = self._had_their_chance or self._engine.had_their_chance
        if not self._had_their_chance:
            return "starting"
        usable = {"ready", "idle", "connecting", "needs-login"}
        servers = self._upstreams
        if servers and not any(one.state.phase in usable for one in servers):
            return "down"
        return "serving"

    async def start(self) -> None:
        """Begin connecting to every server that starts eagerly; returns at once."""
        await self._engine.start()
        self._phase = "serving"
        self._note("started", {"version": __version__, "servers": list(self._config.enabled)})

    async def settled(self, seconds: float) -> bool:
        """Wait until every server is ready or has failed once; False: some are not yet."""
        return await self._engine.settled(seconds)

    def starting(self) -> list[str]:
        """The servers that are neither ready nor have failed once."""
        return self._engine.starting

    def servers(self) -> list[ServerStatus]:
        """Every enabled server as it stands now, in the order of the file."""
        states = [
            self._engine.status(name, server.transport)
            for name, server in self._config.enabled.items()
        ]
        cached = self._worlds.current.caches
        counts = cached.counts() if cached else {}
        sandboxes = achieved_in(self._config)
        kept = withheld_by_server(self._engine.catalog)
        # Both may quote what a server wrote, and a server may write what it was given.
        return [
            replace(
                self._outbound.told(one, self._config),
                withheld=kept.get(one.name, ()),
                cache=counts.get(one.name),
                sandbox=sandboxes.get(one.name),
                error=self._black(one.error) if one.error else None,
                remedy=self._black(one.remedy) if one.remedy else None,
            )
            for one in states
        ]

    def withheld(self) -> dict[str, Failure]:
        """The tools that nobody is shown, under the names they would have, and why."""
        return all_withheld(self._engine.catalog, "tools/list")

    async def find(
        self, query: str, most: int, server: str = "", endpoint: str | None = None
    ) -> Explained:
        """The tools that are found at an endpoint; LockgateError: there is no such endpoint."""
        path = self._settings(endpoint).endpoint
        return await self._engine.discovery.explained(path, query, most, server)

    def status(self) -> GatewayStatus:
        """All of it as it stands now."""
        cached = self._worlds.current.caches
        return GatewayStatus(
            phase=self.phase,
            servers=tuple(self.servers()),
            reload=self._reload,
            cache=cached.status() if cached else None,
            semantic=self._engine.discovery.library.semantic,
        )

    async def meet(self) -> None:
        """Ask who they are the servers that are ready and were never asked; all is written down."""
        for name, one in self._worlds.current.standing.items():
            if one.upstream.state.phase == "ready" and self.pins.believes(name, "server", "modern"):
                await self._engine.introduce(name)
                self.pins.over(name, ["server"])
        self.pins.flush()

    async def survey(self) -> dict[str, Surveyed]:
        """What every server that is ready defines, in both eras, to callers of all abilities."""
        standing = self._worlds.current.standing
        found: dict[str, Surveyed] = {}
        for name, one in standing.items():
            most = self._config.servers[name].limits
            found[name] = await survey(one.upstream, (most.list_items, most.list_pages))
        return found

    def held(self, server: str, kind: Kind, name: str) -> Held:
        """Whether a thing is listed, and why it is shown to nobody, if it is not."""
        return held(self._engine.catalog, server, kind, name)

    def look_at_pins(self) -> bool:
        """Take over what was approved or denied meanwhile; whether there was anything."""
        changed = self.pins.look()
        if changed:
            self._worlds.reconsider(changed)
        return bool(changed)

    async def serve_http(self, host: str, port: int) -> list[tuple[str, int]]:
        """Listen; returns the bound addresses.

        Raises:
            OSError: the address cannot be bound.
        """
        bound = await self._server.start(host, port)
        shown, number = bound[0]
        shown = f"[{shown}]" if ":" in shown else shown
        base = f"{'http' if self._tls is None else 'https'}://{shown}:{number}"
        self._bound = base
        self.url = next(iter(self.urls))
        # What clients call us, where nothing else is configured.
        self._identify(self._config, self._listed, base)
        return bound

    async def serve_admin(self) -> str | None:
        """Listen for operators, if that is configured; where.

        Raises:
            OSError: the address cannot be bound.
        """
        return None if self._admin is None else await self._admin.start()

    @property
    def handler(self) -> Routes:
        """What answers every request, for who listens in this gateway's place."""
        return self._routes

    @property
    def urls(self) -> dict[str, tuple[str, ...]]:
        """Where each endpoint is reached, with the servers that can be seen there."""
        return {
            f"{self._bound}{path}": servers_at(self._config, path)
            for path in self._endpoints.served
        }

    def _settings(self, endpoint: str | None) -> ExchangeSettings:
        """What the front of an endpoint is told; of the first, if none is named.

        Raises:
            LockgateError: there is no such endpoint.
        """
        served = self._endpoints.served
        found = served.get(endpoint) if endpoint is not None else next(iter(served.values()))
        if found is None:
            raise LockgateError(
                f"There is no endpoint {endpoint}.",
                f"There are: {', '.join(served)}.",
                reason="endpoint-unknown",
            )
        return found.settings

    async def serve_stdio(
        self, reader: Reader, writer: Writer, endpoint: str | None = None
    ) -> None:
        """Serve one client on a pair of streams until it closes its end.

        Raises:
            LockgateError: there is no such endpoint.
        """
        self._stdio = StdioFront(self._worlds.facade, self._settings(endpoint))
        await self._stdio.serve(reader, writer)

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        on_notification: Callable[[Notification], None] | None = None,
        endpoint: str | None = None,
        principal: Principal = OPERATOR,
    ) -> dict[str, Any]:
        """One call of whoever runs the gateway, or as `principal` would make it, at an endpoint.

        Returns the result as plain values.

        Raises:
            CallFailed: the call came to a Failure.
            LockgateError: there is no such endpoint.
        """
        call = Call(
            method=method,
            client=OWN_CLIENT["modern"],
            principal=principal,
            facts={"endpoint": self._settings(endpoint).endpoint},
            params=Raw.of(params),
            wants_progress=on_notification is not None,
            emit=on_notification or drop,
        )
        reply = await self._worlds.facade.handle(call)
        if isinstance(reply, Failure):
            raise CallFailed(reply)
        return dict(reply.raw)

    async def drain(self) -> None:
        """Take nothing new, and end the streams that would never end by themselves."""
        self._phase = "draining"
        self._worlds.close_streams()
        await self._endpoints.drain()

    async def stop(self, grace: float) -> None:
        """Stop accepting, let running calls finish for `grace` seconds, end streams and children.

        In this order: streams end gracefully first, because clients that wait on one would hold
        the drain up; then calls finish, while new ones are refused and `/ready` says why; then
        what is left is answered as cut off; only then servers go, for running calls need them.
        """
        if self._phase == "stopped":
            return
        await self.drain()
        if self._stdio is not None:
            await self._stdio.drain(grace)
        if self.url is not None:
            await self._server.settle(grace, self._worlds.parked)
        await self._endpoints.finish()
        await self._server.drain(0)
        await self._worlds.stop(grace)
        if self._admin is not None:
            await self._admin.stop()
        for store in (self._store, self._disk):
            if store is not None:
                await store.close()
        await self._doors.close()
        await self._outbound.close()
        if self._audit is not None:
            self._note("stopped", {})
            await self._audit.close()
        self._phase = "stopped"

    def _note(self, event: str, fields: dict[str, Any]) -> None:
        if self._audit is not None:
            self._audit.note(event, fields)

    async def reload(self, config: Config) -> Reloaded:
        """Go over to another configuration while calls go on; returns when new calls go there.

        Servers whose settings are the same keep their processes, connections and sessions. What
        only holds for a new process is left as it is and named in the answer.

        Raises:
            LockgateError: it cannot be used, or the gateway stops; everything is as it was.
        """
        try:
            # Read before anything changes: from there on nothing can be refused any more.
            listed = read_api_keys(endpoint_auths(config).values())
            self._own.check(config)
            tls = self._config.lockgate.tls
            if self._tls is not None and serving_context(tls) is not None:
                # The same files, perhaps with another certificate in them.
                load(self._tls, tls)
            done = await self._worlds.reload(config, partial(self._swapped, listed))
        except LockgateError:
            self.refuse_reload()
            raise
        self._reload = ReloadStatus(status="applied", at=self._clock.wall())
        self._note("reloaded", msgspec.to_builtins(done))
        return done

    def _swapped(self, listed: ApiKeys, config: Config) -> None:
        # Servers that are on their way out may still say what was secret until now.
        self._black = Blackener(config.secrets | self._secrets)
        self._secrets = config.secrets
        self._endpoints.serve(self._fronts(config), config.lockgate.reload_grace)
        self._routes.judge_by(route_settings(config))
        self._identify(config, listed)

    def refuse_reload(self, errors: int = 1) -> None:
        """A changed configuration was not taken over; `/ready` tells it until one is."""
        self._reload = ReloadStatus(status="refused", at=self._clock.wall(), errors=errors)

    def abort(self) -> None:
        """End every child process at once; for a second signal, right before exiting."""
        abort_all()
