"""The doors in the network of a sandboxed server, and who carries what goes through.

Must not know: how the network is made. The server sees a loopback device with an address for each
place it may reach, and names that lead to these addresses; somebody listens there for the gateway,
which connects to the place itself. So there is no packet that could go anywhere else, no question
to a name server that could carry anything out, and what is encrypted stays so from end to end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, NamedTuple

from lockgate.upstreams.sandbox.spec import Destination

_log: Final = logging.getLogger("lockgate.servers")
MOST: Final = 256
"""Connections of one server at once; more wait until one of them ends."""
Visited = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CHUNK: Final = 64 * 1024
CONNECT: Final = 10.0
"""Seconds in which a place has to be reached."""


class Door(NamedTuple):
    """One place, and the address that stands for it inside."""

    address: str
    place: Destination


def doors(places: Sequence[Destination]) -> list[Door]:
    """A door for each place: addresses stand for themselves, names get one of the loopback's."""
    found: list[Door] = []
    given: dict[str, str] = {}
    for place in dict.fromkeys(places):
        if place.host == "localhost":
            found.append(Door("127.0.0.1", place))
        elif (address := _address(place.host)) is not None:
            found.append(Door(address, place))
        else:
            number = len(given) + 1
            inside = given.setdefault(place.host, f"127.77.{number // 250}.{number % 250 + 1}")
            found.append(Door(inside, place))
    return found


def extra_addresses(found: Iterable[Door]) -> list[str]:
    """The addresses that the loopback device does not have by itself."""
    every = dict.fromkeys(door.address for door in found)
    return [one for one in every if not ip_address(one).is_loopback]


def hosts_file(found: Iterable[Door]) -> str:
    """What takes the place of /etc/hosts."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [
        f"{door.address} {door.place.host}"
        for door in found
        if door.address != door.place.host and door.place.host != "localhost"
    ]
    return "\n".join([*dict.fromkeys(lines), ""])


def _address(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


class Porter:
    """Carries what comes to the doors of one server to the places behind them, and back."""

    def __init__(self, server: str, found: Sequence[Door]) -> None:
        """`server` is its name, for the log."""
        self._server = server
        self._doors = found
        self._listening: list[asyncio.Server] = []
        self._free = asyncio.Semaphore(MOST)
        self._carrying: set[asyncio.Task[None]] = set()

    async def take_over(self, given: socket.socket) -> None:
        """Begin, with the listening sockets that `given` has for us.

        Raises:
            OSError: they are not all there.
        """
        _, descriptors, _, _ = socket.recv_fds(given, 1, len(self._doors))
        listening = [socket.socket(fileno=one) for one in descriptors]
        if len(listening) != len(self._doors):
            for one in listening:
                one.close()
            raise OSError("doors are missing")
        for one, door in zip(listening, self._doors, strict=True):
            one.setblocking(False)
            self._listening.append(await asyncio.start_server(self._visited(door.place), sock=one))

    def _visited(self, place: Destination) -> Visited:
        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)
            try:
                async with self._free:
                    await self._carry(place, reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()  # by `close`; asyncio would log it as a defect
            finally:
                writer.close()

        return visited

    async def _carry(
        self, place: Destination, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(CONNECT):
                outside = await asyncio.open_connection(place.host, place.port)
        except (OSError, TimeoutError) as error:
            _log.warning("%s: %s cannot be reached: %s", self._server, place, error or "no answer")
            writer.transport.abort()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(reader, outside[1]))
                both.create_task(_pour(outside[0], writer))
        finally:
            outside[1].close()

    def close(self) -> None:
        """End everything that is still being carried."""
        for one in self._listening:
            one.close()
        for task in self._carrying:
            task.cancel()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Everything from one to the other, no faster than it is taken; then say that it was all."""
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
