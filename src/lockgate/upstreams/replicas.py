"""Several servers that are one: the first of them that is well answers.

Must not know: clients' transports, policies, how one of them is reached.

To the router, the catalog and a reload it is one server. Who answers a call:

    | the call                                       | goes to                                    |
    |------------------------------------------------|--------------------------------------------|
    | goes on with a call that waits at a replica    | that replica, whatever has become of it    |
    | is one more round of a dialogue, about a task  | the replica that asked or made the task,   |
    |                                                | while it is up                             |
    | of a client session of the handshake era       | its replica, while it is up                |
    | any other                                      | the first in order that is up and not left |
    |                                                | out for its failures (`ejection`)          |
    | certainly not seen by the replica it was for   | the next; nothing else is sent twice       |
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec

from lockgate.core.attempts import ELSEWHERE, unsent
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import LISTEN, Call, Reply, Result
from lockgate.core.raw import EMPTY
from lockgate.upstreams.changes import Announcer, Changed, Watcher
from lockgate.upstreams.ejection import EjectionSettings, Health
from lockgate.upstreams.questions import CAN_WAIT
from lockgate.upstreams.supervisor import Phase, UpstreamState
from lockgate.upstreams.upstream import Upstream

_log: Final = logging.getLogger("lockgate.servers")

MOST_BEGUN: Final = 16_384
"""Open questions and tasks whose replica is remembered."""
_ORDER: Final[dict[Phase, int]] = {
    "ready": 0,
    "idle": 2,
    "connecting": 2,
    "backoff": 3,
    "stopped": 4,
}
TICK: Final = 0.01
"""Seconds: timers may be early by less than this."""
NO_MORE: Final = 3
"""From here on it is known that a replica would refuse."""


class ReplicaState(msgspec.Struct, frozen=True, kw_only=True):
    """One replica, for people.

    active       it takes the calls that are free to go anywhere.
    ejected_for  seconds until it is used again; None when it is not left out.
    """

    phase: Phase
    active: bool
    ejected_for: float | None = None


class Replica:
    """One of them. While a reload is under way two sets may hold it; the last to go ends it.

    told  all that its upstream was told.
    pool  what its connections are made with.
    """

    __slots__ = ("health", "holders", "pool", "told", "upstream")

    def __init__(self, upstream: Upstream, told: object, pool: object = None) -> None:
        """Held by nobody yet."""
        self.pool = pool
        self.upstream = upstream
        self.told = told
        self.holders = 0
        self.health: Health | None = None


class _Listen:
    """A listen call, and the replica that serves it."""

    __slots__ = ("call", "moved", "replica")

    def __init__(self, call: Call, replica: Replica) -> None:
        self.call = call
        self.replica = replica
        self.moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Replicas:
    """One server by the face of it; see `Upstream` for what its methods promise."""

    def __init__(
        self,
        name: str,
        replicas: Sequence[Replica],
        *,
        ejection: EjectionSettings | None = None,
        sessions: int = 10_000,
        before: Replicas | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is connected or started yet.

        replicas  best first; at least one.
        ejection  when one that is up is left out all the same; None: never.
        sessions  client sessions whose replica is remembered, at most.
        before    the set whose place it takes: sessions stay where they are.
        """
        self.name = name
        self.replicas = tuple(replicas)
        self._sessions = sessions
        self._own = frozenset(self.replicas)
        self._pins: OrderedDict[str, Replica] = OrderedDict()
        self._begun: OrderedDict[bytes, tuple[Replica, bool]] = OrderedDict()
        if before is not None:
            # The same tables: until calls go here, the set before goes on to write in them.
            self._pins, self._begun = before._pins, before._begun  # noqa: SLF001 - of this class
        self._listens: set[_Listen] = set()
        self._announcer = Announcer(name)
        self._unwatch: list[Callable[[], None]] = []
        self._held = False
        self._now = clock.monotonic
        self._timer: asyncio.TimerHandle | None = None
        for one in self.replicas:
            one.health = _health(one, ejection, clock)
        self._active = self.replicas[0]
        self._active = self._best(()) or self._active
        self._shown = self._active.upstream.state

    @property
    def state(self) -> UpstreamState:
        """That of the replica which takes the calls."""
        return self._active.upstream.state

    @property
    def busy(self) -> int:
        """Calls that run or wait at any replica."""
        return sum(one.upstream.busy for one in self.replicas)

    @property
    def parked(self) -> int:
        """See `Upstream.parked`."""
        return sum(one.upstream.parked for one in self.replicas)

    def keeps(self, state: str) -> bool:
        """Whether the call that goes on with this `requestState` waits at one of them."""
        return any(one.upstream.keeps(state) for one in self.replicas)

    def states(self) -> tuple[ReplicaState, ...]:
        """How each one stands, in order."""
        return tuple(
            ReplicaState(
                phase=one.upstream.state.phase,
                active=one is self._active,
                ejected_for=one.health.rest if one.health is not None and one.health.out else None,
            )
            for one in self.replicas
        )

    # The way of a call.

    async def send(self, call: Call) -> Reply:
        """Answer the call; see the module for who does."""
        if call.method == LISTEN:
            return await self._listen(call)
        replica, stays = self._where(call)
        if call.affinity is not None:
            self._pin(call.affinity, replica)
        reply = first = await self._ask(replica, call)
        tried = (replica,)
        while not stays and reply.__class__ is not Result and unsent(reply):  # pyright: ignore[reportArgumentType] - a Reply that is no Result
            found = self._best(tried)
            if found is None:
                return first
            tried = (*tried, found)
            if call.affinity is not None:
                self._pin(call.affinity, found)
            reply = await self._ask(found, call)
        return reply

    async def _ask(self, replica: Replica, call: Call) -> Reply:
        began = self._now()
        try:
            reply = await replica.upstream.send(call)
        except asyncio.CancelledError:
            self._count(replica, None, began)
            raise
        self._count(replica, reply, began)
        if isinstance(reply, Result) and reply.kind != "complete":
            self._remember(replica, reply)
        return reply

    def _count(self, replica: Replica, reply: Reply | None, began: float) -> None:
        """Leave out a replica that fails too often, while enough others are there."""
        health = replica.health
        if health is None or not health.count(reply, began):
            return
        if not health.eject([one.health for one in self.replicas if one.health is not None]):
            return
        number = self.replicas.index(replica) + 1
        _log.warning(
            "%s: replica %d fails too often and is left out for %g s",
            self.name,
            number,
            health.rest,
        )
        self._look()

    def _where(self, call: Call) -> tuple[Replica, bool]:
        """The replica a call goes to first, and whether it can go nowhere else."""
        if self._begun and (key := _goes_on(call)) is not None:
            found = self._begun.get(key)
            if found is not None and found[0] in self._own and (found[1] or _up(found[0])):
                return found
        if call.affinity is not None:
            pinned = self._pins.get(call.affinity)
            if pinned is not None and pinned in self._own and _keeps_sessions(pinned):
                return pinned, False
        elif ELSEWHERE in call.facts:
            return self._best((self._active,)) or self._active, False
        return self._active, False

    def _remember(self, replica: Replica, asking: Result) -> None:
        """The replica that asked its caller something, or made a task, is to hear what follows."""
        task = asking.kind == "task"
        name: object = asking.raw.get("taskId" if task else "requestState")
        if not isinstance(name, str):
            return
        parked = not task and replica.upstream.keeps(name)
        self._begun[_digest("task" if task else "state", name)] = replica, parked
        while len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)

    def _pin(self, affinity: str, replica: Replica) -> None:
        """What a server keeps for a client session is at one replica."""
        self._pins[affinity] = replica
        self._pins.move_to_end(affinity)
        while len(self._pins) > self._sessions:
            self._pins.popitem(last=False)

    def spare(self) -> bool:
        """Whether a second attempt at a call could go to another replica that is up."""
        found = self._best((self._active,))
        return found is not None and self._rank(found) < 1

    # Who is first.

    def _best(self, but: Sequence[Replica]) -> Replica | None:
        """The first of the others that may answer; of all when none is left out, some replica."""
        ranked = [(self._rank(one), number) for number, one in enumerate(self.replicas)]
        free = [one for one in ranked if self.replicas[one[1]] not in but]
        if not free:
            return None
        rank, number = min(free)
        return None if but and rank >= NO_MORE else self.replicas[number]

    def _rank(self, replica: Replica) -> float:
        order, health = _ORDER[replica.upstream.state.phase], replica.health
        if order or health is None or not health.out:
            return order
        # When every one that is up is left out, the least bad is used.
        return 1 + health.badness / 2

    def _look(self) -> None:
        """Something may be better elsewhere by now."""
        self._look_later()
        before, shown = self._active, self._shown
        self._active = self._best(()) or before
        self._shown = now = self.state
        if self._active is not before and now.phase == shown.phase == "ready":
            if self._announcer:
                number = self.replicas.index(self._active) + 1
                _log.warning("%s: replica %d takes the calls", self.name, number)
            self._announcer.tell_now("replica")
        elif now is not shown:
            self._announcer.tell_now("state")
        for listen in self._listens:
            if self._where(listen.call)[0] is not listen.replica and not listen.moved.done():
                listen.moved.set_result(None)

    def _look_later(self) -> None:
        """When one that is left out returns, and nothing else happens."""
        if self._timer is not None:
            self._timer.cancel()
        rests = [one.health.rest for one in self.replicas if one.health and one.health.out]
        loop = asyncio.get_running_loop()
        self._timer = (
            loop.call_later(min(rests) + TICK, self._look) if rests and self._held else None
        )

    def _changed(self, replica: Replica, changed: Changed) -> None:
        if changed.subject == "state":
            self._look()
        elif replica is self._active:
            self._announcer.tell_now(changed.subject, changed.outside)

    # Listening.

    async def _listen(self, call: Call) -> Reply:
        """Until it ends, or another replica is the one to listen to; then it is opened anew."""
        replica, _ = self._where(call)
        if call.affinity is not None:
            self._pin(call.affinity, replica)
        listen = _Listen(call, replica)
        self._listens.add(listen)
        task: asyncio.Task[Reply] = asyncio.ensure_future(replica.upstream.send(call))
        try:
            waited: set[asyncio.Future[Any]] = {task, listen.moved}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else Result(EMPTY)
        finally:
            self._listens.discard(listen)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every change of the replica that takes the calls."""
        self._hold()
        return self._announcer.watch(watcher)

    # Coming and going.

    def _hold(self) -> None:
        if self._held:
            return
        self._held = True
        for one in self.replicas:
            one.holders += 1
            self._unwatch.append(one.upstream.watch(partial(self._changed, one)))
        self._look()

    async def start(self) -> None:
        """Begin to connect to all that are to be up from the start."""
        self._hold()
        await asyncio.gather(*(one.upstream.start() for one in self.replicas))

    async def stop(self, grace: float) -> None:
        """End every replica that no other set holds."""
        for unwatch in self._unwatch:
            unwatch()
        self._unwatch.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._announcer.stop()
        for one in self.replicas:
            one.holders -= self._held
        self._held = False
        for listen in self._listens:
            if not listen.moved.done():
                listen.moved.set_result(None)
        gone = [one for one in self.replicas if one.holders == 0]
        await asyncio.gather(*(one.upstream.stop(grace) for one in gone))

    async def end_session(self, affinity: str) -> None:
        """A client session is over, wherever something was open for it."""
        self._pins.pop(affinity, None)
        await asyncio.gather(*(one.upstream.end_session(affinity) for one in self.replicas))


def _health(replica: Replica, settings: EjectionSettings | None, clock: Clock) -> Health | None:
    """That of the replica, which is known from before a reload; anew with other numbers."""
    if settings is None:
        return None
    kept = replica.health
    return kept if kept is not None and kept.settings == settings else Health(settings, clock)


def _up(replica: Replica) -> bool:
    return replica.upstream.state.phase == "ready"


def _keeps_sessions(replica: Replica) -> bool:
    state = replica.upstream.state
    return state.phase == "ready" and "handshake" in state.eras


def _goes_on(call: Call) -> bytes | None:
    """What the call goes on with, if a replica has begun it."""
    if call.method in CAN_WAIT:
        if "requestState" not in call.params:
            return None
        return _digest("state", str(call.params.get("requestState")))
    task = call.target if call.method.startswith("tasks/") else None
    return None if task is None else _digest("task", task.name)


def _digest(kind: str, name: str) -> bytes:
    """Of a name, which may be long."""
    return blake2b(f"{kind} {name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
