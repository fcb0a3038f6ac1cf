"""A raw HTTP server whose every answer a test writes itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self


class Asked:
    """One HTTP request."""

    def __init__(self, line: str, headers: dict[str, str], body: bytes) -> None:
        self.http, self.target, *_ = line.split()
        self.headers = headers
        self.body = body
        self.json: dict[str, Any] = json.loads(body) if body else {}

    @property
    def id(self) -> Any:
        return self.json.get("id")

    @property
    def method(self) -> str:
        return self.json.get("method", "")

    @property
    def params(self) -> dict[str, Any]:
        return self.json.get("params", {})


class Answer:
    """The way back for one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked):
        self._reader = reader
        self._writer = writer
        self._asked = asked

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def send(
        self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str
    ) -> None:
        head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        if kind:
            head.append(f"content-type: {kind}")
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def json(self, message: Any, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(message).encode(), **headers)

    def result(self, result: Any, **headers: str) -> None:
        self.json({"jsonrpc": "2.0", "id": self._asked.id, "result": result}, 200, **headers)

    def error(self, code: int, message: str, status: int = 200, data: Any = None) -> None:
        error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
        self.json({"jsonrpc": "2.0", "id": self._asked.id, "error": error}, status)

    def stream(self, **headers: str) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self._writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            + extra.encode()
            + b"transfer-encoding: chunked\r\n\r\n"
        )

    def event(self, message: Any, event_id: str | None = None, retry: int | None = None) -> None:
        data = b"" if event_id is None else f"id: {event_id}\n".encode()
        if retry is not None:
            data += f"retry: {retry}\n".encode()
        data += b"data: " + (b"" if message is None else json.dumps(message).encode()) + b"\n\n"
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def raw_event(self, text: str, kind: str) -> None:
        """One event with this text, which need not be JSON."""
        data = f"event: {kind}\ndata: {text}\n\n".encode()
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def note(self, method: str, **params: Any) -> None:
        self.event({"jsonrpc": "2.0", "method": method, "params": params})

    def finish(self, result: Any) -> None:
        self.event({"jsonrpc": "2.0", "id": self._asked.id, "result": result})
        self.end()

    def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")

    def drop(self) -> None:
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Return once the other side has closed the connection."""
        await self._reader.read(1)


Handler = Callable[[Asked, Answer], Awaitable[None]]


class ScriptedServer:
    """`async with ScriptedServer(handler) as server:` and `server.url`."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[Asked] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def methods(self) -> list[str]:
        return [one.method or one.http for one in self.asked]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                asked = await self._read(reader)
                self.asked.append(asked)
                await self.handler(asked, Answer(reader, writer, asked))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Asked(head[0], headers, body)
