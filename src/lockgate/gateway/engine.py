"""The engine: calls in, replies out, across many servers; no front, no file, no signal.

Must not know: how clients reach it (fronts) and where its settings come from (config).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec

from lockgate.core.chain import compose
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.credentials import Credentials
from lockgate.core.message import Call, Era, Failure, Reply
from lockgate.core.policy import AnyPolicy, CallNext
from lockgate.core.rules import NO_RULES, Rules
from lockgate.core.sight import Everything, SightOf
from lockgate.core.store import Store, StoreGone
from lockgate.gateway.auditing import Find, found_in
from lockgate.gateway.caching import Caches
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.chains import NOTHING, OTHER, Edge, Way
from lockgate.gateway.discovery import Discovery
from lockgate.gateway.exposing import Exposure
from lockgate.gateway.facts import ABLE_CLIENT, OWN_CLIENT, Facts
from lockgate.gateway.guarding import NO_GUARD, Guard
from lockgate.gateway.handles import Handles
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.lending import Lending
from lockgate.gateway.login_tools import LoginTools
from lockgate.gateway.news import News
from lockgate.gateway.param_headers import ParamHeaders
from lockgate.gateway.rates import Rates
from lockgate.gateway.resistance import Resistance, ResistSettings
from lockgate.gateway.result_reader import ResultReader, look_around
from lockgate.gateway.router import Router
from lockgate.gateway.shown import Mask, shown
from lockgate.gateway.sights import Judgement, Sights
from lockgate.gateway.standing import standing
from lockgate.gateway.status import ServerStatus
from lockgate.gateway.subscriptions import Subscriptions
from lockgate.gateway.tasks import TaskIds
from lockgate.gateway.telling import told
from lockgate.gateway.unlisted import AWAY, Unlisted
from lockgate.observe.decisions import record_decision, record_failure
from lockgate.observe.meter import Meter
from lockgate.policies.concurrency import ConcurrencyLimit
from lockgate.policies.methods import REQUESTS, KnownMethods
from lockgate.upstreams.replicas import Replicas
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.upstreams.upstream import Changed
from lockgate.wire.seal import KeyRing

_log: Final = logging.getLogger("lockgate.gateway")
SWEEP: Final = 60.0


class Server(Protocol):
    """What the engine needs of an upstream; see `lockgate.upstreams.upstream.Upstream`."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see Upstream
    @property
    def state(self) -> UpstreamState: ...  # noqa: D102 - see Upstream
    async def send(self, call: Call, /) -> Reply: ...  # noqa: D102 - see Upstream
    async def start(self) -> None: ...  # noqa: D102 - see Upstream
    async def stop(self, grace: float) -> None: ...  # noqa: D102 - see Upstream
    async def end_session(self, affinity: str) -> None: ...  # noqa: D102 - see Upstream
    def watch(self, told: Callable[[Changed], None], /) -> Callable[[], None]: ...  # noqa: D102 - as above


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is told. Times in seconds.

    gather        how long changes of lists are gathered before clients are told.
    start_wait    how long lists wait for servers that are still starting for the first time.
    rules         how often callers may ask at all.
    exposures     what lists show at endpoints that do not show everything as it is.
    server_rules  how often they may ask one server, by its name.
    resist        what stands between calls and one server in trouble, by its name.
    """

    catalog: CatalogSettings = CatalogSettings()
    start_wait: float = 10.0
    concurrent_calls: int = 1000
    concurrent_per_caller: int = 1000
    listen_streams: int = 5000
    gather: float = 0.0
    rules: Rules = NO_RULES
    exposures: Mapping[str, Exposure] = MappingProxyType({})
    server_rules: Mapping[str, Rules] = MappingProxyType({})
    resist: Mapping[str, ResistSettings] = MappingProxyType({})


class Engine:
    """Chains around a router around servers."""

    def __init__(
        self,
        servers: Sequence[Server],
        settings: EngineSettings,
        clock: Clock = SYSTEM,
        mask: Mask = str,
        store: Store | None = None,
        caches: Caches | None = None,
        before: Engine | None = None,
        kept: Collection[str] = (),
        *,
        keys: KeyRing | None = None,
        sight_of: SightOf | None = None,
        judged: bool = True,
        outermost: Sequence[AnyPolicy] = (),
        credentials: Mapping[str, Credentials] | None = None,
        logins: Mapping[str, AnyPolicy] | None = None,
        guard: Guard = NO_GUARD,
        meter: Meter | None = None,
        audited: Callable[[Find], AnyPolicy] | None = None,
        beside: Sequence[AnyPolicy] = (),
        lending: Lending | None = None,
    ) -> None:
        """Compose everything between fronts and servers; nothing is started yet.

        `mask` takes configured secrets out of what clients are told of failures; `store` is what
        replicas share, if there is one; `caches` are the servers' caches. What policies of `before`
        have counted counts on where its settings are the same, and, if it is about a server in
        trouble, the server is one of `kept`. `keys` bind what clients carry to who got it;
        `sight_of` says what callers see (None: everything, everyone) and, where they are `judged`,
        may do; `outermost` policies stand before every server; `credentials` says whom servers can
        tell apart; `guard` stands between all of them and what servers say. `meter` counts calls;
        None: nobody does. `audited` makes what writes them down; `beside` stand at the edge.
        `lending` keeps long results.
        """
        self._store = store
        self._lending = lending
        self._meter = meter
        self._judged = judged and sight_of is not None
        self._caches = caches
        self._logins = logins or {}
        self._guard = guard
        self._outermost = outermost
        self._mask = mask
        self._servers = {server.name: server for server in servers}
        self._settings = settings
        self._clock = clock
        self.resistance = {
            name: Resistance(
                name,
                resist,
                clock,
                self._repeatable,
                self._read_only,
                self._spare_of(name),
                before.resistance.get(name) if before is not None and name in kept else None,
            )
            for name, resist in settings.resist.items()
        }
        counted = before.rates if before is not None else None
        self.rates = Rates(settings.rules, settings.server_rules, clock, store, counted)
        self.sights = Sights(
            Everything(
                servers=tuple(self._servers),
                naming=settings.catalog.naming,
                page_size=settings.catalog.page_size,
            ),
            sight_of,
            credentials,
        )
        ways = {server.name: self._way(server) for server in servers}
        keys = keys or KeyRing.generate()
        self.handles = Handles(keys, clock, restricted=self.sights.restricted)
        task_ids = TaskIds(tuple(ways), self.handles)
        self._some_lack_modern = False
        # The catalog asks the servers themselves: its own calls are not a client's, so no client's
        # limit applies to them, and what it stores is judged when a client asks for it.
        self.catalog = Catalog(
            servers,
            settings.catalog,
            clock,
            self._list_changed,
            lambda: self._some_lack_modern,
            record_decision,
            self.sights,
            guard,
        )
        if caches is not None and before is None:
            caches.definition, caches.partition = self.catalog.definition, self.sights.partition
        if guard is not NO_GUARD:
            guard.definitions.follow(self.catalog)
        self.subscriptions = Subscriptions(ways, task_ids, self.catalog.changed, sights=self.sights)
        self.facts = Facts(
            ways,
            clock,
            wait=settings.catalog.wait,
            retry=settings.catalog.retry,
            partition=self.sights.partition,
        )
        unlisted = Unlisted(self.catalog, lambda name: self._servers[name].state, clock)
        router = Router(
            ways, self.catalog, self._ask, task_ids, self.subscriptions, unlisted, self.handles
        )
        if self._logins:
            router.login_tools = LoginTools(self._logins, credentials or {}, record_decision)
        self.discovery = Discovery(self.catalog, settings.exposures)
        router.discovery = self.discovery if settings.exposures else None
        if lending is not None:
            look_around(lending, self.handles, self.catalog, mask)
            router.results = ResultReader(lending)
            self.catalog.own = router.results.listed
        self.subscriptions.gather = settings.gather
        self.subscriptions.eras_of = lambda name: self._servers[name].state.eras
        self.subscriptions.locate = guard.admitting(router.server_of)
        self._limit = ConcurrencyLimit(
            settings.concurrent_calls, settings.concurrent_per_caller, settings.listen_streams
        )
        self._audit = None if audited is None else audited(found_in(self.catalog.at_hand))
        self._edge = Edge(self._edge_chains(router, beside))
        self.listen: CallNext = self._edge.listen
        self.handle: CallNext = self._edge.handle
        """See `Edge.handle`."""
        self.headers = ParamHeaders(self.catalog)
        self._watching: list[Callable[[], None]] = []
        self._chores: set[asyncio.Task[Any]] = set()
        self._news = News()
        self._settled: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ways}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}

    def _edge_chains(self, router: Router, beside: Sequence[AnyPolicy]) -> dict[str, CallNext]:
        policies: list[AnyPolicy] = [KnownMethods(), self._limit, *self.rates.edge(), *beside]
        outermost = (self._audit, self._meter)
        policies[:0] = [policy for policy in outermost if policy is not None]
        chains: dict[str, CallNext] = {
            method: compose(
                [policy for policy in policies if policy.concerns(method)],
                router,
                record_decision,
                self._failed,
            )
            for method in (*REQUESTS, OTHER)
        }
        chains["tools/call"] = self.discovery.unwrapping(chains["tools/call"])
        return chains

    def relay_listens(self, relay: CallNext) -> None:
        """Have `relay` serve listen calls, by way of `listen` here and in engines to come."""
        self._edge.relay_listens(relay)

    @property
    def running(self) -> int:
        """Calls that are not over, listen streams not counted."""
        return self._limit.running

    def _way(self, server: Server) -> Way:
        """Everything between the router and one server."""
        cache = self._caches.of(server.name) if self._caches else None
        policies: list[AnyPolicy] = [*([cache] if cache else []), *self.rates.of(server.name)]
        policies += self._guard.of(server.name)
        if server.name in self._logins:
            policies.insert(0, self._logins[server.name])
        if self._judged:
            policies.insert(0, Judgement(self.sights.of))
        policies[:0] = self._outermost
        resistance = self.resistance.get(server.name)
        # One call of a client counts once for its rates, however often it is sent.
        policies += [] if resistance is None else resistance.policies
        if self._meter is not None:
            # Innermost, so that it is the server that is measured, and each attempt counts.
            policies.append(self._meter.of(server.name))
        due = None if resistance is None else resistance.deadline.due
        around = NOTHING if self._lending is None else self._lending.around(server.name)
        return Way(policies, server.send, record_decision, due, around)

    async def _ask(self, call: Call, server: str) -> Reply:
        """What a server says of itself, as far as the guard lets it."""
        reply = await self.facts.ask(call, server)
        if isinstance(reply, Failure):
            return reply
        return reply.replace(raw=self._guard.introduced(server, reply.raw, call.client.era))

    async def introduce(self, server: str) -> None:
        """Ask a server who it is, in every era that clients may see it in."""
        eras: set[Era] = {*self._servers[server].state.eras, "modern"}
        for era in sorted(eras):
            await self._ask(Call(method="server/discover", client=OWN_CLIENT[era]), server)

    def _repeatable(self, server: str, tool: str) -> bool:
        return self.catalog.repeatable(server, tool)

    def _read_only(self, server: str, tool: str) -> bool:
        listed = self.catalog.definition(server, "tools/list", tool)
        return listed is not None and listed.object("annotations").get("readOnlyHint") is True

    def _spare_of(self, name: str) -> Callable[[], bool]:
        server = self._servers.get(name)
        return server.spare if isinstance(server, Replicas) else lambda: False

    def _failed(self, call: Call, failure: Failure) -> Reply:
        """What the caller sees of a failure: no secret of the configuration."""
        record_failure(call, failure)
        if self._meter is not None:
            self._meter.failure(call, failure)
        return told(shown(failure, self._mask))

    async def end_session(self, affinity: str) -> None:
        """A client's session is over: servers that keep one for it are told."""
        self.catalog.forget_session(affinity)
        await asyncio.gather(*(server.end_session(affinity) for server in self._servers.values()))

    async def start(self, before: Engine | None = None, kept: Collection[str] = ()) -> None:
        """Begin connecting; returns at once. See `settled`.

        `kept` are servers that run already, and what `before` saw of them goes on here.
        """
        if before is not None:
            self._go_on(before, kept)
        self.catalog.wait_for_start(self._settings.start_wait)
        self.facts.wait_for_start(self._settings.start_wait)
        for server in self._servers.values():
            self._began[server.name] = self._clock.monotonic()
            self._watching.append(server.watch(self._server_changed))
            self._chore(self._begin(server))
        self._look_at_eras()
        self._chore(self.discovery.keep_up())
        stores = [*([self._store] if self._store else []), *self._cache_stores()]
        for store in {id(one): one for one in stores}.values():
            self._chore(self._sweep(store))

    def _go_on(self, before: Engine, kept: Collection[str]) -> None:
        self.subscriptions.fresh = self._servers.keys() - set(kept)
        self._news.inherit(before._news, kept)
        for name in kept:
            if name in before._took:
                self._took[name] = before._took[name]
            if before._settled[name].is_set():
                self._settled[name].set()

    def inherit(self, before: Engine, kept: Collection[str]) -> None:
        """Know what `before` knows of the servers that both have."""
        self.catalog.inherit(before.catalog, kept)
        self.facts.inherit(before.facts, kept)
        if self._caches is not None:
            self._caches.definition = self.catalog.definition
            self._caches.partition = self.sights.partition
            for name in before._servers.keys() - set(kept):
                # Nobody will have heard what it says of changes until it is back.
                self._caches.forget(name)

    def _cache_stores(self) -> Sequence[Store]:
        lent = self._lending.stores if self._lending else ()
        return [*(self._caches.stores if self._caches else ()), *lent]

    async def _sweep(self, store: Store) -> None:
        """Let go of what is over, again and again."""
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await store.sweep()
            except StoreGone as gone:
                _log.debug("a store could not be swept: %s", gone)

    async def _begin(self, server: Server) -> None:
        ready = server.state.phase == "ready"
        # Of replicas, others may have to start.
        await server.start()
        if ready and not self._settled[server.name].is_set():
            # It became ready before anybody here could hear of it.
            await self._survey(server)
            return
        if server.state.phase == "idle":
            # It starts when it is needed: there is nothing to wait for.
            self._settled[server.name].set()

    async def settled(self, seconds: float, servers: Collection[str] | None = None) -> bool:
        """Wait until these servers are ready, have failed once, or start lazily; False: not yet.

        None: every server.
        """
        names = self._settled if servers is None else servers
        waiting = [self._settled[name].wait() for name in names]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*waiting)
        except TimeoutError:
            return False
        return True

    @property
    def had_their_chance(self) -> bool:
        """Every server is ready, has failed once, or starts lazily."""
        return not self.starting

    @property
    def starting(self) -> list[str]:
        """The servers that have not had their first chance yet."""
        return [name for name, event in self._settled.items() if not event.is_set()]

    def _server_changed(self, changed: Changed) -> None:
        if changed.subject == "replica":
            self._look_at_eras()
            self.facts.forget(changed.server)
            self._forget_answers(changed.server)
            self._chore(self._survey(self._servers[changed.server], anew=True))
            return
        if changed.subject != "state":
            self.catalog.changed(changed.server, changed.subject)
            if changed.outside:
                self.subscriptions.heard_outside(changed.server, changed.subject)
            if self._caches is not None:
                self._caches.changed(changed.server, changed.subject)
            return
        server = self._servers[changed.server]
        phase = server.state.phase
        self._look_at_eras()
        self.facts.forget(changed.server)
        self.catalog.changed(changed.server, "state", gone=phase in AWAY)
        quiet = not self._settled[changed.server].is_set()
        self._news.changed(changed.server, server.state, quiet=quiet)
        if phase == "ready":
            if changed.server in self._took:
                # It was away, and what it would have told meanwhile is not known.
                self._forget_answers(changed.server)
            began = self._began.get(changed.server, self._clock.monotonic())
            self._took.setdefault(changed.server, self._clock.monotonic() - began)
            self._chore(self._survey(server))
        elif phase != "connecting":
            self._settled[changed.server].set()

    def _look_at_eras(self) -> None:
        self._some_lack_modern = any(
            one.state.eras and "modern" not in one.state.eras for one in self._servers.values()
        )

    def _forget_answers(self, server: str) -> None:
        if self._caches is not None:
            self._caches.forget(server)

    async def _survey(self, server: Server, *, anew: bool = False) -> None:
        """Learn what a server offers, before anybody asks; `anew`: even if it is known."""
        # Stateless clients reach every server, if need be through the bridge.
        eras: set[Era] = {*server.state.eras, "modern"}
        clients = [OWN_CLIENT[era] for era in sorted(eras)]
        if self._guard.curious(server.name):
            clients += [ABLE_CLIENT[era] for era in sorted(eras)]
        for client in clients:
            await self.catalog.learn(server.name, Call(method="", client=client), anew=anew)
        self._guard.surveyed(server.name)
        self._settled[server.name].set()

    def _list_changed(self, method: str, server: str) -> None:
        self.subscriptions.announce(method, server)

    def _chore(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chore_done)

    def _chore_done(self, task: asyncio.Task[Any]) -> None:
        self._chores.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a background task failed", exc_info=task.exception())

    def close_streams(self) -> None:
        """End listen streams gracefully; the first step of stopping."""
        self.subscriptions.close()

    def unwatch(self) -> None:
        """Hear no more of what becomes of the servers."""
        for unwatch in self._watching:
            unwatch()
        self._watching.clear()

    async def leave(self) -> None:
        """End everything but the servers."""
        self.unwatch()
        self.subscriptions.close()
        for task in list(self._chores):
            task.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await asyncio.gather(self.catalog.close(), self.facts.close())

    async def stop(self, grace: float) -> None:
        """End every server, with `grace` seconds for each to go by itself."""
        await self.leave()
        await asyncio.gather(*(server.stop(grace) for server in self._servers.values()))

    def status(self, name: str, transport: str) -> ServerStatus:
        """How one server stands now."""
        server, took, now = self._servers[name], self._took.get(name), self._clock.monotonic()
        return standing(server, transport, self.catalog, self.resistance.get(name), took, now)
