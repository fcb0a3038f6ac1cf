"""A small server of both eras over HTTP that does all right, and can be made to do one thing wrong.

Must not know: which wrongs there are. A defect is a function of a request and the right answer to
it; what it returns goes out in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

MODERN = "2026-07-28"
HANDSHAKES = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PAGE = "http://localhost:6274"
META = "io.modelcontextprotocol/"
INFO = {"name": "patient", "version": "1"}
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream", "x-accel-buffering": "no"}
CORS = {
    "access-control-allow-origin": PAGE,
    "access-control-expose-headers": "Mcp-Session-Id",
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-allow-headers": "authorization, content-type, mcp-session-id, "
    "mcp-protocol-version, mcp-method, mcp-name, last-event-id",
}
CAPABILITIES = {
    "tools": {"listChanged": True},
    "prompts": {},
    "resources": {"subscribe": True, "listChanged": True},
}
NOW = {
    "name": "now",
    "description": "The time.",
    "inputSchema": {"type": "object"},
    "outputSchema": {"type": "object", "properties": {"now": {"type": "integer"}}},
    "annotations": {"readOnlyHint": True},
}
ADD = {
    "name": "add",
    "description": "Adds two numbers.",
    "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
}
LISTS: dict[str, tuple[str, list[Any]]] = {
    "tools/list": ("tools", [NOW, ADD]),
    "prompts/list": ("prompts", [{"name": "greet", "description": "Greets."}]),
    "resources/list": ("resources", [{"uri": "test://one", "name": "one"}]),
    "resources/templates/list": ("resourceTemplates", []),
}


@dataclass(frozen=True)
class Asked:
    """One request. `names`: the header names as they were written."""

    verb: str
    path: str
    headers: dict[str, str]
    names: tuple[str, ...]
    body: bytes
    url: str

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def method(self) -> str:
        return self.json.get("method", "") if self.verb == "POST" else self.verb

    @property
    def params(self) -> dict[str, Any]:
        return self.json.get("params") or {}

    @property
    def id(self) -> Any:
        return self.json.get("id")

    @property
    def modern(self) -> bool:
        version = self.headers.get("mcp-protocol-version")
        named = META + "protocolVersion" in (self.params.get("_meta") or {})
        return named or (version is not None and version > HANDSHAKES[0])


@dataclass(frozen=True)
class Answer:
    """What goes out. `held`: the body is a stream that stays open. `raw`: just these bytes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    held: bool = False
    raw: bytes | None = None
    hangs: bool = False

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def but(self, **result: Any) -> Answer:
        """The same with other members in its result; None takes one out."""
        message = self.json
        message["result"] = {
            name: value
            for name, value in {**message["result"], **result}.items()
            if value is not None
        }
        return replace(self, body=json.dumps(message).encode())


HANGS = Answer(hangs=True)
CLOSES = Answer(raw=b"")
Defect = Callable[["Patient", Asked, Answer], Answer]


def right(_: Patient, __: Asked, answer: Answer) -> Answer:
    return answer


class Patient:
    """See the module."""

    def __init__(self, defect: Defect = right) -> None:
        self.defect = defect
        self.sessions: set[str] = set()
        self.count = 0
        self.asked: list[Asked] = []
        self.streams: list[asyncio.StreamWriter] = []
        self.open: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve on an ephemeral port; gives the endpoint's URL."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        scheme = "https" if tls else "http"
        self.origin = f"{scheme}://127.0.0.1:{port}"
        try:
            yield f"{self.origin}/mcp"
        finally:
            server.close()
            for task in list(self.open):
                task.cancel()
            await asyncio.gather(*self.open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            with contextlib.suppress(
                asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ssl.SSLError
            ):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self.open.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        if " " not in head[0]:
            return False
        verb, path, _ = head[0].split(" ", 2)
        pairs = [line.split(":", 1) for line in head[1:] if line]
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        names = tuple(name for name, _ in pairs)
        asked = Asked(verb, path, headers, names, body, f"{self.origin}{path}")
        self.asked.append(asked)
        self.count += 1
        answer = self.defect(self, asked, self.answer(asked))
        if answer.hangs:
            await reader.read()
            return False
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return False
        lines = [f"HTTP/1.1 {answer.status} X"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if not answer.held:
            lines.append(f"content-length: {len(answer.body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        await writer.drain()
        if answer.held:
            self.streams.append(writer)
            await reader.read()
        return not answer.held

    # What is right.

    def answer(self, asked: Asked) -> Answer:
        """The right answer."""
        origin = asked.headers.get("origin")
        if asked.headers["host"] != self.origin.partition("//")[2]:
            return Answer(421)
        if origin not in (None, PAGE):
            return Answer(403)
        extra = CORS if origin else {}
        if asked.path != "/mcp":
            return Answer(404)
        if asked.verb == "OPTIONS":
            return Answer(204, dict(extra))
        found = self._modern(asked) if asked.modern else self._handshake(asked)
        return replace(found, headers={**found.headers, **extra})

    def _modern(self, asked: Asked) -> Answer:
        if asked.verb != "POST":
            return Answer(405, {"allow": "POST"})
        if not asked.json:
            return error(400, None, -32700, "no JSON")
        meta = asked.params.get("_meta") or {}
        version = meta.get(META + "protocolVersion")
        if asked.headers.get("mcp-protocol-version") != version:
            return error(400, asked.id, -32020, "version header")
        if version != MODERN:
            data = {"supported": [MODERN, HANDSHAKES[0]], "requested": version}
            return error(400, asked.id, -32022, "unknown version", data)
        if asked.headers.get("mcp-method") != asked.method:
            return error(400, asked.id, -32020, "method header")
        named = asked.params.get("uri" if asked.method == "resources/read" else "name")
        if asked.method in ("tools/call", "resources/read"):
            said = asked.headers.get("mcp-name", "")
            if decoded(said) != named:
                return error(400, asked.id, -32020, "name header")
        if asked.id is None:
            return Answer(202)
        return self._of_modern(asked)

    def _of_modern(self, asked: Asked) -> Answer:
        dressed = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        if asked.method == "server/discover":
            known = [MODERN, HANDSHAKES[0]]
            who = {META + "serverInfo": INFO}
            told = {"supportedVersions": known, "capabilities": CAPABILITIES, "_meta": who}
            return result(asked.id, {**told, **dressed})
        if asked.method == "subscriptions/listen":
            tag = {META + "subscriptionId": asked.id}
            params = {"notifications": asked.params["notifications"], "_meta": tag}
            return Answer(200, dict(EVENTS), event(acknowledged(params)), held=True)
        if asked.method in ("ping", "resources/subscribe", "resources/unsubscribe"):
            return error(404, asked.id, -32601, "no such method")
        found = self._common(asked, 404, -32602)
        if found.status == 200 and "result" in found.json and found.json["result"] is not None:
            return found.but(**dressed)
        return found

    def _common(self, asked: Asked, no_method: int, no_resource: int) -> Answer:
        if asked.method in LISTS:
            member, items = LISTS[asked.method]
            return result(asked.id, {member: items})
        if asked.method == "tools/call":
            if asked.params["name"] != "now":
                return result(asked.id, {"content": [text("unknown tool")], "isError": True})
            return result(asked.id, {"content": [text("1")], "structuredContent": {"now": 1}})
        if asked.method == "resources/read":
            status = 400 if asked.modern else 200
            return error(status, asked.id, no_resource, "no such resource")
        return error(no_method, asked.id, -32601, "no such method")

    def _handshake(self, asked: Asked) -> Answer:
        if asked.method == "initialize":
            return self._initialize(asked)
        version = asked.headers.get("mcp-protocol-version")
        if asked.verb == "POST" and not asked.json:
            return error(400, None, -32700, "no JSON")
        if version is not None and version not in HANDSHAKES:
            return error(400, asked.id, -32600, "unknown version")
        session = asked.headers.get("mcp-session-id")
        if session is None:
            return error(400, asked.id, -32600, "no session id")
        if session not in self.sessions:
            return error(404, asked.id, -32001, "no such session")
        if asked.verb == "DELETE":
            self.sessions.discard(session)
            return Answer(204)
        if asked.verb == "GET":
            return Answer(200, dict(EVENTS), b": hello\n\n", held=True)
        if asked.id is None:
            return Answer(202)
        if asked.method in ("ping", "resources/subscribe", "resources/unsubscribe"):
            return streamed(result(asked.id, {}))
        return streamed(self._common(asked, 200, -32002))

    def _initialize(self, asked: Asked) -> Answer:
        wanted = asked.params["protocolVersion"]
        session = secrets.token_urlsafe(16)
        self.sessions.add(session)
        told = {
            "protocolVersion": wanted if wanted in HANDSHAKES else HANDSHAKES[0],
            "capabilities": CAPABILITIES,
            "serverInfo": INFO,
        }
        found = result(asked.id, told)
        return replace(found, headers={**found.headers, "mcp-session-id": session})


def decoded(value: str) -> str:
    import base64

    if value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode()
    return value


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def result(number: Any, value: Any) -> Answer:
    return Answer(200, dict(JSON), dumped({"jsonrpc": "2.0", "id": number, "result": value}))


def error(status: int, number: Any, code: int, message: str, data: Any = None) -> Answer:
    told = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return Answer(status, dict(JSON), dumped({"jsonrpc": "2.0", "id": number, "error": told}))


def acknowledged(params: dict[str, Any]) -> bytes:
    method = "notifications/subscriptions/acknowledged"
    return dumped({"jsonrpc": "2.0", "method": method, "params": params})


def event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"


def streamed(answer: Answer) -> Answer:
    """The same as an event stream that ends."""
    return replace(answer, headers={**answer.headers, **EVENTS}, body=event(answer.body))


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
