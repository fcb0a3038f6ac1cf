"""A server on loopback whose every connection follows a script, and requests to it by a pool."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from lockgate.upstreams.pool import HttpPool, HttpReply, PoolLimits, Url

QUICK = PoolLimits(sweep_seconds=0.01)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    """One accepted connection, from the server's side."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> tuple[bytes, bytes]:
        """Head and body of the next request. Raises IncompleteReadError at the end."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head, await self.reader.readexactly(length)

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Server:
    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self.scheme = "http"
        self.errors: list[BaseException] = []

    def url(self, target: str = "/mcp") -> Url:
        host = "localhost" if self.scheme == "https" else "127.0.0.1"
        return Url.parse(f"{self.scheme}://{host}:{self.port}{target}")


@asynccontextmanager
async def serve(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run `script` for each connection; it ends when the script returns."""
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.accepted += 1
        try:
            await script(Peer(server.accepted, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except Exception as error:
            server.errors.append(error)
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    server.scheme = "http" if tls is None else "https"
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=5)
    assert not server.errors, server.errors


async def always_ok(peer: Peer) -> None:
    """Answer every request with a short, well-formed response."""
    while True:
        await peer.request()
        peer.write(OK)


def answer(*parts: bytes) -> Script:
    """Answer the first request with `parts`, then close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            peer.write(part)
            await peer.writer.drain()

    return script


def answer_open(*parts: bytes) -> Script:
    """Answer the first request with `parts`, then wait for the client to close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            peer.write(part)
            await peer.writer.drain()
        await peer.gone()

    return script


async def until_open(pool: HttpPool, count: int) -> None:
    """Wait until the pool has so many sockets; the caller's own time limit bounds it."""
    while pool.open != count:  # noqa: ASYNC110 - the pool has no event for this, and needs none
        await asyncio.sleep(0.001)


async def post(pool: HttpPool, url: Url, body: bytes = b"{}", **options: Any) -> HttpReply:
    return await pool.request(url, b"POST", [(b"Accept", b"*/*")], body, **options)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))
