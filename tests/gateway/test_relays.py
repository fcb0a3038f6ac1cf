"""Listen streams that outlive the engine they were opened at: nothing is told twice, or never."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.message import LISTEN, Call, Notification, Reply, Result
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.reported import MOST
from lockgate.gateway.relays import Relays
from lockgate.upstreams.identity import gateway_call
from tests.support.waiting import settle, until

UPDATED = "notifications/resources/updated"
ACKNOWLEDGED = Notification("notifications/subscriptions/acknowledged")


class Engine:
    """Where one stream is opened; the test tells what it reports."""

    def __init__(self) -> None:
        self.call: Call | None = None
        self.over = asyncio.Event()

    async def listen(self, call: Call) -> Reply:
        self.call = call
        await self.over.wait()
        return Result(EMPTY)

    def tell(self, *numbers: int) -> None:
        assert self.call is not None
        for number in numbers:
            self.call.emit(Notification(UPDATED, Raw.of({"uri": "x://1", "n": number})))

    def stand(self) -> None:
        assert self.call is not None
        self.call.emit(ACKNOWLEDGED)


@pytest.mark.parametrize("many", [1, MOST, 3 * MOST])
@pytest.mark.parametrize("beside", [1, 5])
def test_however_much_is_reported_while_a_stream_moves_it_is_told_once(
    many: int, beside: int
) -> None:
    async def play() -> None:
        told: list[Any] = []
        old, new, relays = Engine(), Engine(), Relays()
        relays.turn_to(old.listen)
        call = gateway_call(LISTEN, {}, emit=lambda one: told.append(one.params.get("n")))
        listening = asyncio.create_task(relays.listen(call))
        await until(lambda: old.call)
        old.stand()
        relays.turn_to(new.listen)
        moving = asyncio.create_task(relays.move(60))
        await until(lambda: new.call)
        # The new one takes its time; what the old one says meanwhile is the client's at once.
        old.tell(*range(many))
        new.stand()
        await moving
        for number in range(many, 2 * many, beside):
            some = range(number, min(number + beside, 2 * many))
            old.tell(*some)
            new.tell(*some)
        old.over.set()
        await settle()
        new.tell(*range(2 * many, 3 * many))
        assert told == [None, *range(3 * many)]
        new.over.set()
        assert isinstance(await listening, Result)

    asyncio.run(play())


def test_what_an_engine_hears_as_the_last_one_lets_go_is_told() -> None:
    async def play() -> None:
        told: list[Any] = []
        old, new, relays = Engine(), Engine(), Relays()
        relays.turn_to(old.listen)
        call = gateway_call(LISTEN, {}, emit=lambda one: told.append(one.method))
        listening = asyncio.create_task(relays.listen(call))
        await until(lambda: old.call)
        old.stand()
        relays.turn_to(new.listen)
        moving = asyncio.create_task(relays.move(60))
        await until(lambda: new.call)
        old.tell(1)  # before the new one listens, which never hears of it
        new.stand()
        await moving
        relays.leave(old.listen)
        # The old one hears no more, and has not ended yet; the same is reported again.
        new.tell(1)
        assert told.count(UPDATED) == 2
        old.tell(1)
        assert told.count(UPDATED) == 2
        old.over.set()
        new.over.set()
        assert isinstance(await listening, Result)

    asyncio.run(play())
