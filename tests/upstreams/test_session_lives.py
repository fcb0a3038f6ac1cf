"""How sessions with old servers, and the calls in them, end."""

from __future__ import annotations

import asyncio

from lockgate.core.message import Call, ClientFacts, Failure, Result
from lockgate.testing import ManualClock
from lockgate.upstreams.handshake import Handshake
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.session_pool import SessionPool
from lockgate.upstreams.sessions import Session
from tests.stateful.servers import SERVER, Wire
from tests.upstreams.calls import bad, call, eventually, good, nothing_left, run

MINE = call(era="handshake", affinity="mine")


class World:
    """One server; each of its sessions is a `Wire`."""

    def __init__(self, *, one: bool = False) -> None:
        self.wires: list[Wire] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.one = one
        self.parking = Parking(ManualClock())
        self.pool = SessionPool(SERVER, self.open, limit=3, idle=100.0, clock=ManualClock())
        self.link = Handshake(SERVER, self.pool, self.parking, self.ready, by_affinity=True)

    async def open(self, client: ClientFacts) -> Session:
        await self.gate.wait()
        self.wires.append(Wire(len(self.wires), client, self.parking, one=self.one))
        return self.wires[-1].session

    async def ready(self) -> None:
        return

    async def send(self, one: Call = MINE) -> asyncio.Task[Result | Failure]:
        """A call the server has got."""
        before = sum(len(wire.requests) for wire in self.wires)
        task = asyncio.create_task(self.link.send(one))
        await eventually(lambda: sum(len(wire.requests) for wire in self.wires) > before)
        return task


def test_whose_client_session_ends_does_not_wait_on() -> None:
    async def test() -> None:
        world = World()
        task = await world.send()
        world.link.end_session("mine")
        assert bad(await task).reason == "upstream-session-lost"
        assert world.wires[0].cancelled == [1]
        assert world.wires[0].closed == 1

    run(test())


def test_a_parked_call_takes_no_room_once_its_client_session_has_ended() -> None:
    async def test(dies: bool) -> None:
        world = World()
        task = await world.send()
        world.wires[0].ask(1)
        assert "requestState" in good(await task)
        if dies:
            world.wires[0].die()
        assert len(world.parking) == 1
        world.link.end_session("mine")
        assert len(world.parking) == 0
        assert world.wires[0].cancelled == ([] if dies else [1])

    run(test(dies=False))
    run(test(dies=True))


def test_a_question_that_is_withdrawn_is_not_put_to_the_client() -> None:
    async def test() -> None:
        world = World()
        task = await world.send()
        wire = world.wires[0]
        wire.withdraw(wire.ask(1))
        await asyncio.wait([task], timeout=0.1)
        assert not task.done()
        wire.finish(1, "done")
        assert good(await task) == {"said": "done"}

    run(test())


def test_opening_that_is_called_off_is_a_failure_for_those_who_wait() -> None:
    async def test(stop: bool) -> None:
        world = World()
        world.gate.clear()
        task = asyncio.create_task(world.link.send(MINE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if stop:
            world.link.close()
        else:
            world.link.end_session("mine")
        assert bad(await task).reason == "upstream-session-lost"
        assert world.wires == []

    run(test(stop=True))
    run(test(stop=False))


def test_a_session_that_is_free_again_while_another_is_opened_is_not_lost() -> None:
    async def test() -> None:
        world = World(one=True)
        first = await world.send()
        world.wires[0].ask(1)
        assert "requestState" in good(await first)
        world.gate.clear()
        second = asyncio.create_task(world.link.send(MINE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        world.wires[0].finish(1, "done")
        third = await world.send()
        assert len(world.wires[0].requests) == 2
        world.gate.set()
        await eventually(lambda: len(world.wires) == 2 and world.wires[1].requests)
        assert len(world.pool) == 2
        world.link.close()
        assert [wire.closed for wire in world.wires] == [1, 1]
        assert {bad(await one).reason for one in (second, third)} == {"upstream-session-lost"}

    run(test())


def test_a_forgotten_session_is_closed_when_its_last_call_has_ended() -> None:
    async def test() -> None:
        world = World()
        first = await world.send()
        wire = world.wires[0]
        wire.forgotten = True
        second = await world.send()
        assert len(world.wires) == 2
        assert wire.closed == 0
        wire.finish(1, "done")
        assert good(await first) == {"said": "done"}
        assert wire.closed == 1
        world.wires[1].finish(1, "again")
        assert good(await second) == {"said": "again"}
        world.link.close()
        assert [one.closed for one in world.wires] == [1, 1]
        await nothing_left()

    run(test())
