"""Sessions with an old server, against a model of who may share one and how many there may be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.refusals import lost
from lockgate.upstreams.remote import Down
from lockgate.upstreams.session_pool import SWEEP, SessionPool
from lockgate.upstreams.sessions import Key, Session
from tests.stateful.servers import SERVER, Wire
from tests.stateful.timeless import Machine, bounded
from tests.upstreams.calls import facts

LIMIT, IDLE = 3, 100.0
WHO = st.sampled_from("ab")
CAPS = st.sampled_from(["roots", "sampling"])
AFFINITY = st.sampled_from([None, "1"])
TYPED = {"upstream-busy", "upstream-lost", "upstream-session-lost", "unknown-request-state"}


@dataclass(eq=False)
class Made:
    """A call on its way; `wire` is where the server got it."""

    call: Call
    key: Key
    task: asyncio.Task[Reply]
    wire: Wire | None = None
    flight: int = 0


@dataclass(frozen=True)
class Seen:
    """One session as it was before something happened."""

    key: Key
    idle: bool
    occupied: bool
    used: float


class PooledSessions(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Wire] = []
        self.opening: list[asyncio.Future[str]] = []
        self.made: list[Made] = []
        self.parked: list[Made] = []
        self.number = 0
        self.one = False
        self.parking = Parking(self.clock)
        self.pool = SessionPool(SERVER, self.open, limit=LIMIT, idle=IDLE, clock=self.clock)
        self.link = Handshake(
            SERVER, self.pool, self.parking, self.ready, by_affinity=True, clock=self.clock
        )

    @initialize(one=st.booleans())
    def transport(self, one: bool) -> None:
        self.one = one

    async def open(self, facts: ClientFacts) -> Session | Failure:
        gate: asyncio.Future[str] = self.loop.create_future()
        self.opening.append(gate)
        try:
            how = await gate
        finally:
            self.opening.remove(gate)
        if how == "raises":
            raise Down("it is gone")
        if how == "fails":
            return lost(SERVER, "it is gone")
        self.wires.append(Wire(len(self.wires), facts, self.parking, one=self.one))
        return self.wires[-1].session

    async def ready(self) -> None:
        return

    # What happens.

    @rule(who=WHO, caps=CAPS, affinity=AFFINITY)
    def call(self, who: str, caps: str, affinity: str | None) -> None:
        self.number += 1
        client = facts("handshake", {caps: {}})
        one = Call(
            method="tools/call",
            client=client,
            params=Raw.of({"name": "t", "arguments": {"number": self.number}}),
            principal=Principal(id=who),
            affinity=affinity,
            target=Target(SERVER, "tool", "t"),
        )
        before = self.seen()
        made = Made(one, (who, client.capabilities_key, affinity), self.begin(self.send(one)))
        self.made.append(made)
        self.look(before, made)

    @rule(who=WHO, caps=CAPS, affinity=AFFINITY, seconds=st.sampled_from([0.0, 1.0]))
    def whole_call(self, who: str, caps: str, affinity: str | None, seconds: float) -> None:
        """Leaves a session behind that has nothing to do."""
        self.loop.pass_time(seconds)
        self.call(who, caps, affinity)
        for gate in tuple(self.opening):
            gate.set_result("works")
        self.loop.settle()
        self.find()
        for made in self.with_server():
            self.finish(made)

    async def send(self, one: Call) -> Reply:
        try:
            return await self.link.send(one)
        except Down:
            return lost(SERVER, "it is gone")

    def seen(self) -> dict[int, Seen]:
        return {
            wire.number: Seen(
                wire.session.key, wire.session.idle, wire.session.occupied, wire.session.used
            )
            for wire in self.wires
            if not wire.closed and wire.session.alive
        }

    def look(self, before: dict[int, Seen], made: Made) -> None:
        """Find out where calls have got to, and whether a session that had to go was the one."""
        # A session its server has forgotten goes because its own caller found that out.
        found_out = {n for n, one in before.items() if self.wires[n].forgotten}
        found_out = {n for n in found_out if before[n].key == made.key}
        gone = [one for n, one in before.items() if self.wires[n].closed and n not in found_out]
        assert len(gone) <= 1
        idle = [one.used for one in before.values() if one.idle]
        for one in gone:
            if idle:
                assert one.idle
                assert one.used == min(idle)
            else:
                assert one.occupied
                assert one.key[0] == made.key[0]
        if made.task.done() and isinstance(made.task.result(), Failure):
            assert not idle, "an idle session could have gone"
        self.find()

    def find(self) -> None:
        where = {
            request.params.object("arguments")["number"]: (wire, flight)
            for wire in self.wires
            for flight, request in wire.requests.items()
        }
        for made in tuple(self.made):
            found = where.get(made.call.params.object("arguments")["number"])
            if found is not None:
                made.wire, made.flight = found
                assert made.wire.session.key == made.key
            if made.task.done():
                self.made.remove(made)
                if not made.task.cancelled():
                    reply = made.task.result()
                    assert isinstance(reply, Failure), "the server has not answered"
                    assert reply.reason in TYPED

    @precondition(lambda self: self.opening)
    @rule(data=st.data(), how=st.sampled_from(["works", "works", "works", "fails", "raises"]))
    def opened(self, data: st.DataObject, how: str) -> None:
        data.draw(st.sampled_from(self.opening)).set_result(how)
        self.loop.settle()
        self.find()

    def with_server(self) -> list[Made]:
        return [one for one in self.made if one.wire is not None and not one.wire.forgotten]

    @precondition(lambda self: self.with_server())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.finish(data.draw(st.sampled_from(self.with_server())))

    def finish(self, made: Made) -> None:
        assert made.wire is not None
        self.made.remove(made)
        made.wire.finish(made.flight, "done")
        self.loop.settle()
        assert isinstance(made.task.result(), Result)

    @precondition(lambda self: self.with_server())
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        made = data.draw(st.sampled_from(self.with_server()))
        assert made.wire is not None
        self.made.remove(made)
        made.wire.ask(made.flight)
        self.loop.pass_time(0.1)
        reply = made.task.result()
        assert isinstance(reply, Result)
        params = made.call.params.replace(
            requestState=reply.raw["requestState"],
            inputResponses={key: {} for key in reply.raw.object("inputRequests")},
        )
        made.call = made.call.replace(params=params)
        self.parked.append(made)

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        made = data.draw(st.sampled_from(self.parked))
        self.parked.remove(made)
        made.task = self.begin(self.send(made.call))
        self.made.append(made)
        self.find()

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        made = data.draw(st.sampled_from(self.made))
        made.task.cancel()
        self.loop.settle()
        self.find()

    @precondition(lambda self: self.wires)
    @rule(data=st.data(), how=st.sampled_from(["forgets", "dies"]))
    def server(self, data: st.DataObject, how: str) -> None:
        wire = data.draw(st.sampled_from(self.wires))
        if how == "dies":
            wire.die()
        wire.forgotten = True
        self.loop.settle()
        self.find()

    @rule(affinity=st.just("1"))
    def end_session(self, affinity: str) -> None:
        self.link.end_session(affinity)
        self.loop.settle()
        self.find()
        assert all(wire.session.key[2] != affinity for wire in self.alive())
        assert all(one.key[2] != affinity for one in self.made), "somebody still waits"

    @rule(seconds=st.sampled_from([1.0, 30.0, IDLE + 61]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        if seconds > IDLE:
            idle = [wire for wire in self.alive() if wire.session.idle]
            self.loop.pass_time(SWEEP)
            assert all(wire.closed for wire in idle), "nobody has used it for long"

    # What must be so.

    def alive(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.session.alive and not wire.closed]

    @invariant()
    def nobody_shares_who_may_not(self) -> None:
        for wire in self.wires:
            assert wire.session.facts.capabilities_key == wire.session.key[1]

    @invariant()
    def there_are_never_too_many(self) -> None:
        assert len(self.alive()) + len(self.opening) <= LIMIT
        assert {id(one.session) for one in self.alive()} == {id(s) for s in self.pool.sessions()}

    @invariant()
    def nothing_is_closed_twice(self) -> None:
        assert all(wire.closed <= 1 for wire in self.wires)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        for made in self.made:
            assert self.opening or (made.wire is not None and made.wire.session.phase != "closed")

    async def end(self) -> None:
        self.link.close()
        replies = await asyncio.gather(*(one.task for one in self.made), return_exceptions=True)
        assert {r.reason if isinstance(r, Failure) else r for r in replies} <= TYPED
        assert all(wire.closed == (not wire.dead) for wire in self.wires), "left open"


TestPooledSessions = PooledSessions.TestCase
TestPooledSessions.settings = bounded(200, 40)
