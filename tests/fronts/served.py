"""A native server on loopback with a clock that tests turn, and a client that speaks in bytes."""

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lockgate.fronts.http import Handler, HttpLimits, HttpRequest, Responder
from lockgate.fronts.server import HttpServer
from lockgate.testing import ManualClock

SECONDS = 120.0
try:
    import uvloop
except ImportError:
    uvloop = None

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Recorder:
    """A handler that remembers requests and answers each with its number and body."""

    seen: list[HttpRequest] = field(default_factory=list)

    async def __call__(self, request: HttpRequest, responder: Responder) -> None:
        self.seen.append(request)
        number = b"%d" % len(self.seen)
        responder.send(200, ((b"x-number", number),), request.path.encode() + b"|" + request.body)


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """One connection, read and written as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[bytes, bytes]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        fields = [line.partition(b": ") for line in lines[1:] if line]
        assert lines[0].startswith(b"HTTP/1.1 ")
        return int(lines[0].split(b" ")[1]), {name: value for name, _, value in fields}

    async def reply(self, *, to_head: bool = False) -> Reply:
        status, headers = await self.head()
        if headers.get(b"transfer-encoding") == b"chunked":
            body = b"" if to_head else await self.chunks()
        else:
            length = 0 if to_head else int(headers.get(b"content-length", b"0"))
            body = await self.reader.readexactly(length)
        return Reply(status, headers, body)

    async def chunk(self) -> bytes:
        size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def chunks(self) -> bytes:
        parts: list[bytes] = []
        while part := await self.chunk():
            parts.append(part)
        return b"".join(parts)

    async def rest(self) -> bytes:
        """Everything until the server closes; a reset counts as a close."""
        parts: list[bytes] = []
        try:
            while part := await self.reader.read(65536):
                parts.append(part)
        except ConnectionError:
            pass
        return b"".join(parts)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close without saying goodbye."""
        connected = self.writer.get_extra_info("socket")
        if connected is not None and connected.fileno() >= 0:
            at_once = struct.pack("ii", 1, 0)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.writer.transport.abort()


@dataclass
class Served:
    server: HttpServer
    clock: ManualClock
    port: int
    trust: ssl.SSLContext | None = None
    clients: list[Client] = field(default_factory=list)

    async def client(self) -> Client:
        name = "localhost" if self.trust else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trust, server_hostname=name
        )
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def exchange(self, data: bytes) -> bytes:
        """Everything the server says to `data` before it closes."""
        client = await self.client()
        client.send(data)
        return await client.rest()

    def turn(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server.sweep()

    async def until(self, **counts: int) -> None:
        """Wait for the server's statistics to be these."""
        while any(getattr(self.server.stats, name) != n for name, n in counts.items()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # nothing tells when the kernel has delivered


@asynccontextmanager
async def serving(
    handler: Handler,
    limits: HttpLimits | None = None,
    certificate: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
) -> AsyncIterator[Served]:
    clock = ManualClock()
    server = HttpServer(handler, limits, clock, ssl=certificate[0] if certificate else None)
    [(_, port)] = await server.start("127.0.0.1", 0)
    served = Served(server, clock, port, certificate[1] if certificate else None)
    try:
        yield served
    finally:
        for client in served.clients:
            client.reset()
        await server.drain(0.2)
        assert server.stats.connections == 0
        assert server.stats.handlers == 0


def run(test: Coroutine[Any, Any, None], seconds: float = SECONDS) -> None:
    """Run one test, bounded in time, on the loop used in production where there is one.

    The bound is there for what hangs, never for what is slow: `seconds` can only be more of them.
    """

    async def bounded() -> None:
        async with asyncio.timeout(max(seconds, SECONDS)):
            await test

    plain = os.environ.get("LOCKGATE_TEST_LOOP") == "asyncio"
    factory = uvloop.new_event_loop if uvloop and not plain else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(bounded())
