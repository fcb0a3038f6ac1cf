"""An MCP server over HTTP that does badly on command, of either era, in the test's own loop.

Must not know: the gateway, clients, schedules. It speaks HTTP/1.1 by hand, for what it is to do
wrong no library would do. `runs` counts, by nonce, how often each call reached a tool.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import uuid4

Json = dict[str, Any]
PREFIX = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
EMPTY = {"type": "object"}
TOOLS = [
    {"name": "act", "inputSchema": EMPTY},
    {"name": "look", "inputSchema": EMPTY, "annotations": {"readOnlyHint": True}},
    {"name": "kept", "inputSchema": EMPTY, "annotations": {"readOnlyHint": True}},
]
HINTS = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
OWN_ERROR = -32042
SLOW = 0.15
HUGE = b"x" * 210_000
NOISE = [
    {"method": "notifications/message", "params": {"level": "info", "data": "x" * 100}},
    {"method": "notifications/progress", "params": {"progressToken": "nobody's", "progress": 1}},
]
LINES = [b"data: " + json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n\n" for one in NOISE]
WAVE = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in LINES) * 50
FLOOD = 5


class Hangup(Exception):
    """The connection is over."""


class TroubledServer:
    """See the module; `mode` is what it does with every request from now on."""

    def __init__(self, name: str, era: str) -> None:
        self.name = name
        self.era = era
        self.mode = "calm"
        self.runs: Counter[str] = Counter()
        self.modes_met: Counter[str] = Counter()
        self.sessions: set[str] = set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    @property
    def url(self) -> str:
        """Where it is, alive or not."""
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._open)

    async def start(self) -> None:
        """Listen; on the same port as before, if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self.port, limit=1 << 20, backlog=512
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go, and take every connection and session along."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.sessions.clear()
        tasks = [task for task in self._open.values() if task is not None]
        for writer in list(self._open):
            _reset(writer)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_up(self, mode: str) -> None:
        """Do this from now on."""
        self.mode = mode
        if mode == "die":
            await self.stop()
        else:
            await self.start()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while True:
                await self._request(reader, writer)
        except (Hangup, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            del self._open[writer]
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        verb = lines[0].split(" ", 1)[0]
        if verb != "POST":
            _plain(writer, 405 if verb == "GET" else 200)
            return
        message = json.loads(body)
        answer = self._answer(message, fields)
        mode = self.mode
        self.modes_met[mode] += 1
        if answer is None:
            _plain(writer, 202)
        elif message["method"] == "subscriptions/listen" and "result" in answer:
            await self._listen(message, reader, writer)
        else:
            await self._say(mode, message, answer, reader, writer)
        await writer.drain()

    # What is answered when nothing is wrong.

    def _answer(self, message: Json, fields: dict[str, str]) -> Json | None:
        if "id" not in message:
            return None
        if message.get("method") == "tools/call":
            arguments = message["params"].get("arguments", {})
            # It counts as run as soon as it is known: what goes wrong then goes wrong after.
            known = self.era == "modern" or fields.get("mcp-session-id") in self.sessions
            if known and (nonce := arguments.get("nonce")):
                self.runs[nonce] += 1
        serve = self._modern if self.era == "modern" else self._handshake
        return serve(message, fields)

    def _modern(self, message: Json, fields: dict[str, str]) -> Json:
        if fields.get("mcp-protocol-version") != MODERN:
            data = {"supported": [MODERN], "requested": ""}
            return {"status": 400, "error": {"code": -32022, "message": "version", "data": data}}
        if message["method"] == "server/discover":
            capabilities = {"tools": {"listChanged": True}}
            return {
                "result": {"supportedVersions": [MODERN], "capabilities": capabilities, **HINTS}
            }
        if message["method"] == "subscriptions/listen":
            return {"result": {}}
        return self._shared(message)

    def _handshake(self, message: Json, fields: dict[str, str]) -> Json:
        if message["method"] == "initialize":
            session = uuid4().hex
            self.sessions.add(session)
            info = {"serverInfo": {"name": self.name, "version": "1"}}
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, **info}
            return {"session": session, "result": result}
        session = fields.get("mcp-session-id")
        if session is None:
            return {"status": 400, "error": {"code": -32600, "message": "no session"}}
        if session not in self.sessions:
            return {"status": 404, "error": {"code": -32001, "message": "unknown session"}}
        return self._shared(message)

    def _shared(self, message: Json) -> Json:
        if message["method"] == "tools/list":
            return {"result": {"tools": TOOLS, **(HINTS if self.era == "modern" else {})}}
        if message["method"] == "tools/call":
            said = {
                "server": self.name,
                "tool": message["params"]["name"],
                "nonce": message["params"].get("arguments", {}).get("nonce"),
            }
            result = {"content": [], "structuredContent": said}
            return {"result": {"resultType": "complete", **result} if self.modern else result}
        if message["method"] == "ping":
            return {"result": {}}
        return {"status": 404, "error": {"code": -32601, "message": "unknown method"}}

    @property
    def modern(self) -> bool:
        """Whether it speaks the stateless era."""
        return self.era == "modern"

    async def _listen(
        self, message: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _head(writer, 200, "text/event-stream")
        wanted = message["params"]["notifications"]
        meta = {PREFIX + "subscriptionId": message["id"]}
        params = {"notifications": wanted, "_meta": meta}
        _event(writer, {"method": "notifications/subscriptions/acknowledged", "params": params})
        await self._gone(reader)

    # And when something is.

    async def _say(
        self,
        mode: str,
        message: Json,
        answer: Json,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        status = answer.pop("status", 200)
        session = answer.pop("session", None)
        more = {} if session is None else {"Mcp-Session-Id": session}
        response = {"jsonrpc": "2.0", "id": message["id"], **answer}
        if mode == "slow":
            await asyncio.sleep(SLOW)
        elif mode == "error" and message["method"] == "tools/call":
            nonce = message["params"].get("arguments", {}).get("nonce")
            error = {"code": OWN_ERROR, "message": "no, on purpose", "data": {"nonce": nonce}}
            response = {"jsonrpc": "2.0", "id": message["id"], "error": error}
        elif status == 200 and mode not in {"calm", "error"}:
            await getattr(self, "_" + mode.replace("-", "_"))(response, more, reader, writer)
            return
        if status == 200 and message["method"] == "tools/call" and message["id"] % 2:
            _head(writer, status, "text/event-stream", more)
            _event(writer, response)
            writer.write(b"0\r\n\r\n")
        else:
            body = json.dumps(response).encode()
            _plain(writer, status, body, more)

    async def _gone(self, reader: asyncio.StreamReader) -> None:
        while await reader.read(1 << 16):
            pass
        raise Hangup

    async def _hang(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        await self._gone(reader)

    async def _reset(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        _reset(writer)
        raise Hangup

    async def _half_close(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le")
        writer.write_eof()
        await self._gone(reader)

    async def _truncate(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        body = json.dumps(response).encode()
        _plain(writer, 200, body[: len(body) // 2])

    async def _garbage(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        _head(writer, 200, "text/event-stream", more)
        for junk in (b"data: {\n\n", b"\x00\xff\xfe: no\n\n", b"event: \xf0\x9f\ndata: [1,2]\n\n"):
            _chunk(writer, junk)
        _event(writer, {"id": "somebody else's", "result": {}})
        _event(writer, {"result": response.get("result", {})})
        writer.write(b"0\r\n\r\n")

    async def _flood(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        _head(writer, 200, "text/event-stream", more)
        for _ in range(FLOOD):
            writer.write(WAVE)
            await writer.drain()
        _event(writer, response)
        writer.write(b"0\r\n\r\n")

    async def _leak(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        """The answer, and then a stream that nobody ends."""
        _head(writer, 200, "text/event-stream", more)
        _event(writer, response)
        await self._gone(reader)

    async def _busy(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        _plain(writer, 503, b"try later", {"Retry-After": "1"})

    async def _huge(self, response: Json, more: Json, reader: Any, writer: Any) -> None:
        body = json.dumps(response).encode()
        _plain(writer, 200, b'{"padding": "' + HUGE + b'", ' + body[1:], more)


def _plain(
    writer: asyncio.StreamWriter, status: int, body: bytes = b"", more: dict[str, str] | None = None
) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(more or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body)


def _head(
    writer: asyncio.StreamWriter, status: int, kind: str, more: dict[str, str] | None = None
) -> None:
    fields = {"Content-Type": kind, "Transfer-Encoding": "chunked", **(more or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def _event(writer: asyncio.StreamWriter, message: Json) -> None:
    data = json.dumps({"jsonrpc": "2.0", **message}).encode()
    _chunk(writer, b"data: " + data + b"\n\n")


def _reset(writer: asyncio.StreamWriter) -> None:
    connected = writer.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
