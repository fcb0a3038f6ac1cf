"""Streams that fall silent together get their comments one group after another."""

from __future__ import annotations

import asyncio

from lockgate.fronts.streams import COMMENTS, Pulse, Stream
from lockgate.testing.clock import ManualClock
from lockgate.wire import sse
from tests.fronts.play import FakeResponder

MANY = 3 * COMMENTS


def comments(client: FakeResponder) -> int:
    return client.body.count(sse.COMMENT)


def test_comments_are_spread_over_beats() -> None:
    async def test() -> None:
        clock = ManualClock()
        pulse = Pulse(clock, stream_after=15.0, keep_alive=15.0)
        clients = [FakeResponder() for _ in range(MANY)]
        for client in clients:
            Stream(client, pulse, patience=None).open()
        clock.advance(15.0)
        for beat in range(1, 4):
            pulse.beat()
            assert sum(map(comments, clients)) == beat * COMMENTS
        pulse.beat()
        assert all(comments(client) == 1 for client in clients), "nobody twice, nobody never"
        pulse.stop()

    asyncio.run(test())
