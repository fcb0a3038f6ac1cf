"""A response means the same however the network cuts it, and garbage is a typed failure."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.upstreams.connection import Connection, ResponseLimits
from lockgate.upstreams.failures import HttpFailure
from tests.upstreams.test_pool_hostile import CUT, FINE, REFUSED


class Wire(asyncio.Transport):
    """A transport whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True


class Owner:
    def __init__(self) -> None:
        self.told: list[str] = []

    def opened(self, connection: Connection) -> None:
        pass

    def free(self, connection: Connection, keep_alive: bytes | None) -> None:
        self.told.append("free")

    def gone(self, connection: Connection) -> None:
        self.told.append("gone")

    def closed(self, connection: Connection) -> None:
        pass


async def receive(parts: list[bytes]) -> tuple[Any, ...]:
    """What comes of a response that arrives in these parts and then ends."""
    owner = Owner()
    wire = Wire()
    connection = Connection(owner, ResponseLimits(), "http://server", asyncio.get_running_loop())
    connection.connection_made(wire)
    waiter = connection.send(b"", b"", is_head=False, until=1e9, stall=1e9)
    for part in parts:
        if not wire.closing:
            connection.data_received(part)
    free = "free" in owner.told
    if not wire.closing:
        connection.eof_received()
    connection.connection_lost(None)
    assert owner.told.count("gone") == 1
    assert waiter.done()
    try:
        reply = await waiter
        return reply.status, reply.headers, await reply.read(10_000_000), free
    except HttpFailure as failure:
        return type(failure), failure.sent


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


small = [response for response, _ in FINE] + CUT + [r for r in REFUSED if len(r) < 2000]


@settings(max_examples=400, deadline=None)
@given(response=st.sampled_from(small), places=st.lists(st.integers(0, 1000), max_size=6))
def test_where_it_is_cut_does_not_matter(response: bytes, places: list[int]) -> None:
    async def test() -> None:
        whole = await receive([response])
        parts = await receive(cut(response, places))
        if response.endswith(b"okand more than that"):
            # Whole: the surplus is seen in time. In parts: it meets an idle connection.
            assert parts[:3] == whole[:3]
        else:
            assert parts == whole

    asyncio.run(test())


def test_byte_by_byte() -> None:
    async def test() -> None:
        for response in small:
            whole = await receive([response])
            single = await receive([bytes([byte]) for byte in response])
            assert single[:3] == whole[:3]

    asyncio.run(test())


@settings(max_examples=400, deadline=None)
@given(
    garbage=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail),
        st.tuples(st.sampled_from(small), st.integers(0, 99), st.integers(0, 255)).map(
            lambda made: made[0][: made[1]] + bytes([made[2]]) + made[0][made[1] + 1 :]
        ),
    ),
    places=st.lists(st.integers(0, 1000), max_size=3),
)
def test_garbage_is_a_response_or_a_typed_failure(garbage: bytes, places: list[int]) -> None:
    async def test() -> None:
        await receive(cut(garbage, places) or [b""])

    asyncio.run(test())


def test_nothing_arrives_for_nobody() -> None:
    async def test() -> None:
        owner = Owner()
        connection = Connection(
            owner, ResponseLimits(), "http://server", asyncio.get_running_loop()
        )
        connection.connection_made(cast("asyncio.BaseTransport", Wire()))
        connection.data_received(b"HTTP/1.1 408 Timeout\r\n\r\n")
        assert owner.told == ["gone"]
        assert not connection.ready()

    asyncio.run(test())


def test_an_answer_behind_a_cancellation_frees_nothing() -> None:
    """Else the next request could get the connection that the cancelled one is about to drop."""

    async def test() -> None:
        owner = Owner()
        wire = Wire()
        connection = Connection(
            owner, ResponseLimits(), "http://server", asyncio.get_running_loop()
        )
        connection.connection_made(wire)
        connection.send(b"", b"", is_head=False, until=1e9, stall=1e9).cancel()
        connection.data_received(FINE[0][0])
        assert owner.told == ["gone"]
        assert wire.closing

    asyncio.run(test())
