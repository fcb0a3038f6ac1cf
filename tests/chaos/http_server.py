"""An MCP server over HTTP that does badly on command, of either era, in the test's own loop.

Must not know: the gateway, clients, schedules. It speaks HTTP/1.1 by hand, for what it is to do
wrong no library would do. `runs` counts, by nonce, how often each call reached a tool, and for the
tool `ask` under `NONCE answered` how often its answer did.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from contextlib import suppress
from itertools import count
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
    {"name": "ask", "inputSchema": EMPTY},
    {"name": "wait", "inputSchema": EMPTY},
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
UPDATED = "notifications/resources/updated"
SUBSCRIBES = {"tools": {}, "resources": {"subscribe": True}}
BUFFERED = 100
CUTTING = {"reset", "half-close"}
"""Modes that end the streams on which listeners are told."""


def question(nonce: str) -> Json:
    """What `ask` puts to its client."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    params = {"message": nonce, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


class Listener:
    """Who hears of updated resources: a stream of the stateless era, or a session's of the other.

    `number` is the id of the listen request, if it is one.
    """

    def __init__(self, number: object = None) -> None:
        self.number = number
        self.uris: set[str] = set()
        self.writer: asyncio.StreamWriter | None = None
        self._waiting: list[Json] = []

    def tell(self, message: Json) -> None:
        """Say it, once there is a stream to say it on."""
        if self.writer is not None and not self.writer.is_closing():
            _event(self.writer, message)
        else:
            self._waiting = [*self._waiting, message][-BUFFERED:]

    def opened(self, writer: asyncio.StreamWriter) -> None:
        """There is a stream now."""
        self.writer = writer
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.tell(message)


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
        self.uri = f"note://{name}"
        self.published = 0
        self.gate = asyncio.Event()
        self.waiting = 0
        self.port = 0
        self._listeners: dict[object, Listener] = {}
        self._numbers = count(1)
        self._questions: dict[tuple[str, object], asyncio.Future[Json]] = {}
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
        self._listeners.clear()
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
        for writer in [one.writer for one in self._listeners.values()]:
            if writer is None or writer.is_closing():
                continue
            if mode in CUTTING:
                _reset(writer)
            elif mode == "garbage":
                _chunk(writer, b"data: {\n\n\x00\xff\xfe: no\n\ndata: [1,2]\n\n")
            elif mode == "flood":
                writer.write(WAVE)

    def publish(self) -> int:
        """Tell everybody who listens that the resource is another; which one it is now."""
        self.published += 1
        for one in self._listeners.values():
            if self.uri in one.uris:
                params: Json = {"uri": self.uri, "n": self.published}
                if one.number is not None:
                    params["_meta"] = {PREFIX + "subscriptionId": one.number}
                one.tell({"method": UPDATED, "params": params})
        return self.published

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while True:
                await self._request(reader, writer)
        except (Hangup, OSError, asyncio.IncompleteReadError, RuntimeError):
            pass  # the last of these is what uvloop says of a transport that is closed already
        finally:
            del self._open[writer]
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        verb = lines[0].split(" ", 1)[0]
        if verb == "GET":
            await self._get(fields, reader, writer)
        elif verb == "DELETE":
            self._forget(fields.get("mcp-session-id"))
            _plain(writer, 200)
        else:
            await self._post(json.loads(body), fields, reader, writer)
        await writer.drain()

    async def _post(
        self,
        message: Json,
        fields: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        answer = self._answer(message, fields)
        mode = self.mode
        self.modes_met[mode] += 1
        method, tool = message.get("method"), message.get("params", {}).get("name")
        if answer is None:
            self._noted(message, fields)
            _plain(writer, 202)
        elif method == "subscriptions/listen" and "result" in answer:
            await self._listen(message, reader, writer)
        elif tool == "wait":
            self.waiting += 1
            await self._within(reader, self.gate.wait())
            await self._say(mode, message, answer, reader, writer)
        elif tool == "ask" and not self.modern and "result" in answer and mode in ASKING:
            await self._ask(message, answer, fields["mcp-session-id"], reader, writer)
        else:
            await self._say(mode, message, answer, reader, writer)

    def _noted(self, message: Json, fields: dict[str, str]) -> None:
        """A notification, or the answer to a question."""
        session = fields.get("mcp-session-id", "")
        if "method" not in message:
            asked = self._questions.get((session, message["id"]))
            if asked is not None and not asked.done():
                asked.set_result(message)

    def _forget(self, session: str | None) -> None:
        self.sessions.discard(session or "")
        self._listeners.pop(session, None)

    # What is answered when nothing is wrong.

    def _answer(self, message: Json, fields: dict[str, str]) -> Json | None:
        if "id" not in message or "method" not in message:
            return None
        if message.get("method") == "tools/call":
            arguments = message["params"].get("arguments", {})
            # It counts as run as soon as it is known: what goes wrong then goes wrong after.
            known = self.era == "modern" or fields.get("mcp-session-id") in self.sessions
            if known and (nonce := arguments.get("nonce")):
                again = "inputResponses" in message["params"]
                self.runs[f"{nonce} answered" if again else nonce] += 1
        serve = self._modern if self.era == "modern" else self._handshake
        return serve(message, fields)

    def _modern(self, message: Json, fields: dict[str, str]) -> Json:
        if fields.get("mcp-protocol-version") != MODERN:
            data = {"supported": [MODERN], "requested": ""}
            return {"status": 400, "error": {"code": -32022, "message": "version", "data": data}}
        if message["method"] == "server/discover":
            capabilities = {**SUBSCRIBES, "tools": {"listChanged": True}}
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
            result = {"protocolVersion": "2025-11-25", "capabilities": SUBSCRIBES, **info}
            return {"session": session, "result": result}
        session = fields.get("mcp-session-id")
        if session is None:
            return {"status": 400, "error": {"code": -32600, "message": "no session"}}
        if session not in self.sessions:
            return {"status": 404, "error": {"code": -32001, "message": "unknown session"}}
        if message["method"] in {"resources/subscribe", "resources/unsubscribe"}:
            if message["params"]["uri"] != self.uri:
                return {"error": {"code": -32002, "message": "Resource not found"}}
            uris = self._listeners.setdefault(session, Listener()).uris
            change = uris.add if message["method"] == "resources/subscribe" else uris.discard
            change(message["params"]["uri"])
            return {"result": {}}
        return self._shared(message)

    def _shared(self, message: Json) -> Json:
        listed = LISTED.get(message["method"])
        if listed is not None:
            entries = [{"uri": self.uri, "name": self.name}] if listed == "resources" else TOOLS
            entries = [] if listed == "resourceTemplates" else entries
            return {"result": {listed: entries, **(HINTS if self.modern else {})}}
        if message["method"] == "tools/call":
            return self._call(message["params"])
        if message["method"] == "ping":
            return {"result": {}}
        return {"status": 404, "error": {"code": -32601, "message": "unknown method"}}

    def _call(self, params: Json) -> Json:
        nonce = params.get("arguments", {}).get("nonce")
        state = f"{self.name} {nonce}"
        said: Json = {"server": self.name, "tool": params["name"], "nonce": nonce}
        if params["name"] == "kept":
            said["run"] = f"{self.name} {next(self._numbers)}"
        if params["name"] == "ask" and self.modern:
            if "inputResponses" not in params:
                asked = {"inputRequests": {"who": question(nonce)}, "requestState": state}
                return {"result": {"resultType": "input_required", **asked}}
            if params.get("requestState") != state:
                return {"error": {"code": -32602, "message": "another call's state"}}
            said["answer"] = params["inputResponses"]["who"]["content"]["name"]
        result = {"content": [], "structuredContent": said}
        return {"result": {"resultType": "complete", **result} if self.modern else result}

    @property
    def modern(self) -> bool:
        """Whether it speaks the stateless era."""
        return self.era == "modern"

    async def _listen(
        self, message: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        _head(writer, 200, "text/event-stream")
        wanted = dict(message["params"]["notifications"])
        if "resourceSubscriptions" in wanted:
            mine = [uri for uri in wanted["resourceSubscriptions"] if uri == self.uri]
            wanted["resourceSubscriptions"] = mine
        meta = {PREFIX + "subscriptionId": message["id"]}
        params = {"notifications": wanted, "_meta": meta}
        _event(writer, {"method": "notifications/subscriptions/acknowledged", "params": params})
        listener = self._listeners[writer] = Listener(message["id"])
        listener.uris = set(wanted.get("resourceSubscriptions", ()))
        listener.opened(writer)
        try:
            await self._gone(reader)
        finally:
            self._listeners.pop(writer, None)

    async def _get(
        self, fields: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """What one session is told outside of requests."""
        session = fields.get("mcp-session-id")
        if self.modern:
            _plain(writer, 405)
        elif session not in self.sessions:
            _plain(writer, 404)
        elif self.mode == "busy":
            _plain(writer, 503)
        else:
            while self.mode == "hang":  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.05)
            listener = self._listeners.setdefault(session or "", Listener())
            _head(writer, 200, "text/event-stream")
            listener.opened(writer)
            try:
                await self._gone(reader)
            finally:
                if listener.writer is writer:
                    listener.writer = None

    async def _ask(
        self,
        message: Json,
        answer: Json,
        session: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Put a question on the call's own stream, and go on with what the client says."""
        said = answer["result"]["structuredContent"]
        key = session, f"q{next(self._numbers)}"
        asked = self._questions[key] = asyncio.get_running_loop().create_future()
        _head(writer, 200, "text/event-stream")
        _event(writer, {"id": key[1], **question(said["nonce"])})
        try:
            await self._within(reader, asked)
        finally:
            del self._questions[key]
        self.runs[f"{said['nonce']} answered"] += 1
        content = asked.result().get("result", {}).get("content", {})
        said["answer"] = content.get("name")
        response = {"jsonrpc": "2.0", "id": message["id"], **answer}
        await self._finish(self.mode, response, reader, writer)

    async def _finish(
        self, mode: str, response: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer on a stream that is open already, or do what this mode does instead."""
        await self._never(mode, response, reader, writer)
        if mode == "slow":
            await asyncio.sleep(SLOW)
        elif mode == "truncate":
            _chunk(writer, b"data: " + json.dumps(response).encode()[:20] + b"\n\n")
        elif mode == "garbage":
            _chunk(writer, b"data: {\n\n\x00\xff\xfe: no\n\n")
            _event(writer, {"id": "somebody else's", "result": {}})
        elif mode == "flood":
            writer.write(WAVE)
        elif mode == "huge":
            _event(writer, {**response, "padding": "x" * len(HUGE)})
        elif mode == "error":
            response = own_error(response["id"], response["result"]["structuredContent"]["nonce"])
        if mode in {"calm", "slow", "flood", "error"}:
            _event(writer, response)
        writer.write(b"0\r\n\r\n")

    async def _never(
        self, mode: str, response: Json, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Do not come to an end, in modes that do not."""
        if mode in {"reset", "die"}:
            await self._reset(response, {}, reader, writer)
        if mode == "leak":
            _event(writer, response)
        if mode == "half-close":
            writer.write_eof()
        if mode in {"hang", "leak", "half-close"}:
            await self._gone(reader)

    async def _within(self, reader: asyncio.StreamReader, waited: Any) -> None:
        """Wait for it, for as long as whoever asked is there."""
        waiting = asyncio.ensure_future(waited)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Hangup
        finally:
            gone.cancel()
            waiting.cancel()
            await asyncio.gather(gone, waiting, return_exceptions=True)

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
            response = own_error(message["id"], message["params"]["arguments"].get("nonce"))
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


LISTED = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
ASKING = {"calm", "slow", "error", "leak", "flood"}
"""Modes in which a question is put; in the others something goes wrong before that."""


def own_error(number: object, nonce: object) -> Json:
    """An error of the server's own."""
    error = {"code": OWN_ERROR, "message": "no, on purpose", "data": {"nonce": nonce}}
    return {"jsonrpc": "2.0", "id": number, "error": error}


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
