"""Doors: where they are, and that what goes through them arrives whole, both ways."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.sandbox.doors import Door, Porter, doors, extra_addresses, hosts_file
from lockgate.upstreams.sandbox.spec import Destination

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


def test_each_name_has_an_address_and_addresses_are_themselves() -> None:
    places = [
        Destination("api.example.com", 443),
        Destination("api.example.com", 80),
        Destination("db.internal", 5432),
        Destination("10.1.2.3", 22),
        Destination("::1", 9),
        Destination("2001:db8::1", 443),
        Destination("localhost", 8080),
        Destination("api.example.com", 443),
    ]
    found = doors(places)
    assert [door.address for door in found] == [
        *("127.77.0.2", "127.77.0.2", "127.77.0.3", "10.1.2.3", "::1", "2001:db8::1", "127.0.0.1"),
    ]
    assert extra_addresses(found) == ["10.1.2.3", "2001:db8::1"]
    assert hosts_file(found).splitlines() == [
        "127.0.0.1 localhost",
        "::1 localhost ip6-localhost",
        "127.77.0.2 api.example.com",
        "127.77.0.3 db.internal",
    ]


@given(st.lists(st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9}){0,2}", fullmatch=True), max_size=600))
def test_no_two_names_share_an_address(names: list[str]) -> None:
    found = doors([Destination(f"x.{name}", 1) for name in names])
    assert len({door.address for door in found}) == len({door.place.host for door in found})


@asynccontextmanager
async def carried(serve: Serve, *, there: bool = True) -> AsyncIterator[int]:
    """A server, and the port of a door that leads to it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if not there:
        server.close()
        await server.wait_closed()
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as inside:
        socket.send_fds(theirs, [b"."], [inside.fileno()])
        place = Destination("127.0.0.1", port)
        porter = Porter("s", [Door("127.0.0.1", place)])
        await porter.take_over(ours)
        try:
            yield inside.getsockname()[1]
        finally:
            porter.close()
            server.close()


def test_what_goes_through_arrives_whole_both_ways_and_ends() -> None:
    data = os.urandom(3_000_000)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(70_000):
            writer.write(part)
            await writer.drain()
        writer.write(b"end")
        writer.close()

    async def play() -> None:
        async with carried(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == data + b"end"
            writer.close()

    run(play())


def test_a_place_that_is_not_there_closes_the_door() -> None:
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        raise AssertionError

    async def play() -> None:
        async with carried(nobody, there=False) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()

    run(play())


def test_when_the_server_ends_nothing_is_carried_any_more() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def play() -> None:
        async with carried(silent) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x")
            await writer.drain()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()

    run(play())
