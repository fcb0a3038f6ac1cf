"""From one world to the next without a gap: build, swap, drain.

Must not know: fronts, files, signals.

A reload builds the next world beside the current one. A server that would be told exactly what it
was told keeps its upstream, and with it its processes, connections, sessions and parked calls; the
others are started first. Then calls that begin go to the new world, in one step without an `await`;
calls that run stay where they are; listen streams are opened at the new one before they end at the
old one. Servers nobody needs any more end when their last call is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import blake2b
from math import inf
from typing import Any, Final

import msgspec

from lockgate.config.model import Config, ServerConfig
from lockgate.core.clock import Clock
from lockgate.core.credentials import Credentials
from lockgate.core.flowing import Answered
from lockgate.core.once import Once
from lockgate.core.policy import AnyPolicy
from lockgate.core.store import Store
from lockgate.errors import LockgateError
from lockgate.gateway.access import Access, restricts
from lockgate.gateway.auditing import Find
from lockgate.gateway.build import (
    caches,
    ejection_settings,
    engine_settings,
    pool_limits,
    replica_specs,
)
from lockgate.gateway.economy import economy_of, lists_of
from lockgate.gateway.endpoint_sights import endpoint_sights
from lockgate.gateway.engine import Engine
from lockgate.gateway.facade import Facade
from lockgate.gateway.fixed import hold
from lockgate.gateway.guards import guard_of
from lockgate.gateway.inside import Inside
from lockgate.gateway.lenders import Lenders
from lockgate.gateway.listing import LISTS
from lockgate.gateway.meaning import Meaning
from lockgate.gateway.outbound import Outbound, told_of, wants_any
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.relays import Relays
from lockgate.gateway.semantic import meaning_of
from lockgate.gateway.world import Standing, World
from lockgate.observe.decisions import record_decision
from lockgate.observe.log import Blackener
from lockgate.observe.meter import Meter
from lockgate.observe.semantic import SemanticMeter
from lockgate.policies.quarantine import Quarantine
from lockgate.upstreams.pool import HttpPool, PoolLimits
from lockgate.upstreams.replicas import Replica, Replicas
from lockgate.upstreams.spec import UpstreamSpec
from lockgate.upstreams.upstream import Upstream
from lockgate.wire.seal import KeyRing
from lockgate.wire.url import BadUrl, Origin

_log: Final = logging.getLogger("lockgate.gateway")

SETTLE: Final = 30.0
"""Seconds new servers may take to become ready; after that their world is used all the same."""
MOVE: Final = 10.0
"""Seconds listen streams may take to be acknowledged in the new world."""
LINGER: Final = 0.5
"""Seconds a listen stream is still heard in the old one."""
UNSEEN: Final = 15.0
"""Seconds a call may be under way to a server without having reached it."""
MOST_DRAINING: Final = 16
"""Worlds whose servers have calls to finish; one more reload waits for the oldest."""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the servers, by name; `held`: keys whose change needs a restart."""

    kept: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


class Worlds:
    """The current world, and those that still have calls to finish."""

    def __init__(
        self,
        config: Config,
        keys: KeyRing,
        clock: Clock,
        store: Store | None = None,
        disk: Store | None = None,
        meter: Meter | None = None,
        outbound: Outbound | None = None,
        audited: Callable[[Find], AnyPolicy] | None = None,
        pins: PinKeeper | None = None,
        inside: Mapping[str, Inside] | None = None,
    ) -> None:
        """Compose the first world; nothing is opened or started yet.

        outbound  makes what servers are shown.
        store  what replicas share; as `disk`, the cache's file, it outlives every world.
        meter  counts the calls of all of them, if anybody does.
        audited  makes what writes them down, if anything does.
        pins  knows what was approved of servers; None: nothing was, and nothing is kept.
        inside  the servers that run in this very process, by name.
        """
        self._inside = inside or {}
        self._audited = audited
        self._pins = pins or PinKeeper(None, clock)
        self._meter = meter
        self._store = store
        self._disk = disk
        self._keys = keys
        self._outbound = outbound or Outbound(keys, clock)
        self._clock = clock
        self.semantic = SemanticMeter()
        # What people were asked in one world may be answered in the next, and what callers have
        # read there they know.
        self._once = Once(clock, store)
        self._answered = Answered(clock)
        self._lenders = Lenders(keys, clock, store)
        self._pools: dict[frozenset[tuple[Origin, PoolLimits]], HttpPool] = {}
        self._relays = Relays()
        self._lock = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._most_grace = inf
        self._earlier: list[World] = []
        self._chores: set[asyncio.Task[None]] = set()
        self.current = self._compose(config, None)
        self._relays.turn_to(self.current.engine.listen)
        self.facade = Facade(self.current)
        self._outbound.on_login = self._logged_in

    # Building.

    def _compose(self, config: Config, before: World | None) -> World:
        # One pool for all HTTP servers: connections are kept per origin, and TLS is set up once.
        origins = pool_limits(config)
        limits = frozenset(origins.items())
        pool = self._pools.get(limits) or HttpPool(origins=origins)
        old = {} if before is None else before.standing
        shown = self._outbound.turn_to(config)
        for name, one in self._inside.items():
            credentials = one.shown(shown.get(name))
            if credentials is not None:
                shown[name] = credentials
        standing: dict[str, Standing] = {}
        same: list[str] = []
        for name, server in config.enabled.items():
            kept = old.get(name)
            told = _told(name, server)
            if kept is None or kept.told != told:
                one = self._server(name, server, pool, kept, shown.get(name))
                kept = Standing(one, told, server.stop_grace, pool)
            else:
                same.append(name)
            standing[name] = kept
        self._pools[limits] = pool
        # What the last configuration kept secret may still be said by those who were told it.
        secrets = config.secrets if before is None else config.secrets | before.config.secrets
        known = None if before is None else before.caches
        cached = caches(config, self._clock, self._store, self._disk, known)
        mask = Blackener(secrets)
        access = Access(
            config,
            endpoint_sights(config),
            keys=self._keys,
            once=self._once,
            answered=self._answered,
            clock=self._clock,
            mask=mask,
        )
        wait = config.lockgate.access.approval.wait
        held = Quarantine(self._keys, self._once, wait=wait, mask=mask, clock=self._clock)
        guard = guard_of(config, self._pins, held)
        ledger = None if self._meter is None else self._meter.ledger
        economy = economy_of(config, ledger, self._clock, guard.definitions)
        meaning = self._meaning(config, before)
        lending = self._lenders.of(config, access.policies)
        engine = Engine(
            [one.upstream for one in standing.values()],
            engine_settings(config),
            self._clock,
            mask,
            self._store,
            cached,
            None if before is None else before.engine,
            same,
            credentials=shown,
            logins=self._outbound.policies(config),
            guard=guard,
            keys=self._keys,
            sight_of=access.sight_of,
            # Without rules, whatever can be seen may be used.
            judged=restricts(config),
            outermost=[*access.policies, *economy],
            beside=lists_of(ledger),
            meter=self._meter,
            audited=self._audited,
            lending=lending,
        )
        engine.discovery.library.meaning = meaning
        if ledger is not None:
            engine.discovery.answered = ledger.answered
            if lending is not None:
                lending.spared = ledger.spared
        access.look_into(engine.catalog)
        guard.look_into(engine.catalog)
        engine.relay_listens(self._relays.listen)
        return World(config, engine, standing, cached, meaning)

    def _meaning(self, config: Config, before: World | None) -> Meaning | None:
        # A model takes a second to load, and tools that stay are not embedded anew.
        if before is not None and before.config.lockgate.search == config.lockgate.search:
            return before.meaning
        return meaning_of(config, self._clock, self.semantic)

    def _server(
        self,
        name: str,
        server: ServerConfig,
        pool: HttpPool,
        before: Standing | None,
        shown: Credentials | None,
    ) -> Upstream | Replicas:
        specs = replica_specs(name, server)
        if not server.urls:
            return self._upstream(specs[0], pool, shown, one_of_many=False)
        old = None if before is None else before.upstream
        old = old if isinstance(old, Replicas) else None
        # A replica that would be told what it was told stays as it is.
        kept = {one.told: one for one in old.replicas} if old is not None else {}
        replicas: list[Replica] = []
        for spec in specs:
            told = _told_of(spec, server)
            replicas.append(
                kept.get(told)
                or Replica(self._upstream(spec, pool, shown, one_of_many=True), told, pool)
            )
        return Replicas(
            name,
            replicas,
            ejection=ejection_settings(server),
            sessions=server.limits.sessions,
            before=old,
            clock=self._clock,
        )

    def _upstream(
        self, spec: UpstreamSpec, pool: HttpPool, shown: Credentials | None, *, one_of_many: bool
    ) -> Upstream:
        inside = self._inside.get(spec.name)
        return Upstream(
            spec,
            pool=pool if inside is None else inside.pool,
            keys=self._keys,
            observe=record_decision,
            clock=self._clock,
            one_of_many=one_of_many,
            credentials=shown,
        )

    def _logged_in(self, server: str) -> None:
        """Somebody has another account at a server, or none any more, and so other lists."""
        for changed in sorted({entry.changed for entry in LISTS.values()}):
            self.current.engine.subscriptions.announce(changed, server)
        standing = self.current.standing.get(server)
        if standing is not None:
            self._chore(standing.upstream.start())

    # Changing.

    async def reload(self, config: Config, swapped: Callable[[Config], None]) -> Reloaded:
        """Go over to the world of another configuration; returns when new calls go there.

        `swapped` is told the configuration in effect, in the same step.

        Raises:
            LockgateError: it cannot be used after all; the current world goes on.
        """
        async with self._lock:
            while len(self._earlier) >= MOST_DRAINING:
                await asyncio.wait(self._chores, return_when=asyncio.FIRST_COMPLETED)
            before = self.current
            config, held = hold(before.config, config)
            try:
                world = self._compose(config, before)
            except (BadUrl, ValueError) as error:
                raise LockgateError(f"The configuration cannot be used: {error}") from error
            fresh = world.without(before)
            await self._prepare(world, before, fresh)
            changed = self._swap(world, before, fresh)
            swapped(config)
            try:
                await self._relays.move(MOVE)
            finally:
                self._chore(self._drain(before, world))
            for notification in sorted(changed):
                world.engine.subscriptions.announce(notification, "")
            return _reloaded(before, world, held)

    async def _prepare(self, world: World, before: World, fresh: Sequence[Standing]) -> None:
        """Start what is new, and wait until it can be used or has failed."""
        names = {one.upstream.name for one in fresh}
        try:
            await world.engine.start(before.engine, world.standing.keys() - names)
            settled = asyncio.ensure_future(world.engine.settled(SETTLE, names))
            stopping = asyncio.ensure_future(self._hurry.wait())
            try:
                await asyncio.wait({settled, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                settled.cancel()
                stopping.cancel()
            if self._hurry.is_set():
                raise LockgateError("The gateway is stopping.")
        except BaseException:
            self._chore(self._end(world, fresh))
            raise

    def _swap(self, world: World, before: World, fresh: Sequence[Standing]) -> set[str]:
        """Have calls that begin now go to `world`; the notifications of lists that are different.

        Nothing in here waits, so that no call meets half of it.
        """
        kept = [name for name, one in world.standing.items() if one not in fresh]
        seen = before.engine.catalog.seen()
        world.engine.inherit(before.engine, kept)
        shown = world.engine.catalog.prepared()
        before.engine.unwatch()
        self.current = world
        self._earlier.append(before)
        self._relays.turn_to(world.engine.listen)
        self.facade.turn_to(world, self._earlier)
        # What a server that has not been needed yet lists, nobody knows.
        unknown = [*fresh, *before.without(world)]
        blind = any(one.upstream.state.phase == "idle" for one in unknown)
        # What callers see of the same lists may be something else, for each of them.
        blind = blind or _shape(before.config) != _shape(world.config)
        return {
            LISTS[key[0]].changed for key, digest in shown.items() if blind or seen[key] != digest
        }

    def reconsider(self, servers: Collection[str]) -> None:
        """Something else was approved of these servers; it counts from now on, for all calls."""
        for world in (*self._earlier, self.current):
            world.engine.catalog.reconsider(servers)

    # Draining.

    async def _drain(self, world: World, after: World) -> None:
        gone = world.without(after)
        # A call that waits for its client is found by the names of its time.
        renamed = _shape(world.config) != _shape(after.config)
        waited = list(world.standing.values()) if renamed else gone
        grace = after.config.lockgate.reload_grace if waited else UNSEEN
        try:
            await self._pause(LINGER)
            world.engine.subscriptions.close()
            await self._finished(world, waited, grace)
        finally:
            self._earlier.remove(world)
            self.facade.turn_to(self.current, self._earlier)
        await self._end(world, gone)

    async def _finished(self, world: World, waited: Sequence[Standing], grace: float) -> None:
        """Wait until no call needs the world any more, `grace` is over, or all is to end."""
        began = last_seen = self._clock.monotonic()
        pause = 0.01
        while not self._hurry.is_set():
            now = self._clock.monotonic()
            if any(one.upstream.busy or one.connecting for one in waited):
                last_seen = now
            elif not world.engine.running or now - last_seen >= UNSEEN:
                # Nothing runs; or what runs does so at servers that stay.
                return
            if now - began >= grace:
                return
            await self._pause(pause)
            pause = min(pause * 2, 0.5)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    async def _end(self, world: World, servers: Sequence[Standing]) -> None:
        await world.engine.leave()
        others = [one.caches for one in (self.current, *self._earlier) if one is not world]
        if world.caches is not None:
            await world.caches.close(others)
        meanings = [one.meaning for one in (self.current, *self._earlier) if one is not world]
        if world.meaning is not None and world.meaning not in meanings:
            await world.meaning.close()
        graces = [min(one.grace, self._most_grace) for one in servers]
        await asyncio.gather(
            *(one.upstream.stop(grace) for one, grace in zip(servers, graces, strict=True))
        )
        worlds = (self.current, *self._earlier)
        standing = [one for world in worlds for one in world.standing.values()]
        used = {id(pool) for one in standing for pool in one.pools}
        # A reload that is being prepared may have this one in mind.
        unused = [limits for limits, pool in self._pools.items() if id(pool) not in used]
        if not self._lock.locked():
            await asyncio.gather(*(self._pools.pop(limits).close() for limits in unused))

    def _chore(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chore_done)

    def _chore_done(self, task: asyncio.Task[None]) -> None:
        self._chores.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("ending an earlier configuration failed", exc_info=task.exception())

    # Ending.

    def parked(self) -> bool:
        """Whether a call waits for its client's answers."""
        worlds = (self.current, *self._earlier)
        return any(one.upstream.parked for world in worlds for one in world.standing.values())

    def close_streams(self) -> None:
        """End listen streams gracefully; the first step of stopping."""
        for world in (self.current, *self._earlier):
            world.engine.close_streams()

    async def stop(self, grace: float) -> None:
        """End every server of every world, with at most `grace` seconds for each."""
        self._hurry.set()
        self._most_grace = grace
        async with self._lock:
            await asyncio.gather(*self._chores, return_exceptions=True)
            await self._end(self.current, list(self.current.standing.values()))
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))


def _told(name: str, server: ServerConfig) -> object:
    """All that the upstream of a server is told, and what the pool is told for its sake."""
    told = [_told_of(spec, server) for spec in replica_specs(name, server)]
    return (told, ejection_settings(server)) if server.urls else told


def _told_of(spec: UpstreamSpec, server: ServerConfig) -> bytes:
    """The same for one replica; a digest, for what is told holds secrets."""
    parts: list[object] = [type(spec.transport).__name__, asdict(spec)]
    if server.transport != "stdio":
        bounds = server.limits
        waiting = (bounds.waiting, bounds.wait)
        parts += [bounds.connections, bounds.streams, waiting, server.connect_timeout]
    if wants_any(server):
        parts.append(told_of(server))
    return blake2b(msgspec.json.encode(parts, order="deterministic"), digest_size=16).digest()


def _shape(config: Config) -> object:
    """What decides what callers see, and by which names."""
    settings = config.lockgate
    own = settings.expose, settings.results
    return config.naming, settings.endpoints, settings.access, own


def _reloaded(before: World, world: World, held: Sequence[str]) -> Reloaded:
    old, new = before.standing, world.standing
    both = [name for name in new if name in old]
    return Reloaded(
        kept=tuple(name for name in both if new[name] is old[name]),
        changed=tuple(name for name in both if new[name] is not old[name]),
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        held=tuple(held),
    )
