"""A real gateway on loopback between hostile clients and hostile servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lockgate.config.model import Config
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.gateway.app import Gateway
from tests.bridge.clients import in_header
from tests.bridge.scripted_http import JSON, OverHttp, Sse
from tests.support.waiting import until as until  # noqa: PLC0414 - part of a world

Json = dict[str, Any]
MODERN = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
META = {PREFIX + "protocolVersion": MODERN, PREFIX + "clientCapabilities": {}}
SCHEMA = {"type": "object"}
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
Script = Callable[["Peer", HttpRequest, Json, Responder], Awaitable[None]]


class Peer(OverHttp):
    """A server of the stateless era that keeps every byte it gets, and answers as it is told.

    lists   the members of its lists, or the raw bytes of a whole result.
    script  answers everything that is neither a list, a discovery nor a listen stream.
    calls   the requests that reached the script.
    """

    def __init__(self, name: str = "peer", script: Script | None = None, **lists: Any) -> None:
        super().__init__()
        self.name = name
        self.script = script
        self.lists: dict[str, Any] = {"tools": [{"name": "echo", "inputSchema": SCHEMA}], **lists}
        self.requests: list[HttpRequest] = []
        self.calls: list[HttpRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def bodies(self) -> list[Json]:
        """What was called, decoded."""
        return [json.loads(one.body) for one in self.calls]

    def called(self) -> list[str]:
        """The names that were called."""
        return [one["params"]["name"] for one in self.bodies]

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        self.requests.append(request)
        if request.method != "POST":
            responder.send(405, ())
            return
        message = json.loads(request.body)
        method = message["method"]
        if method == "subscriptions/listen":
            stream = Sse(responder)
            wanted = message["params"]["notifications"]
            params = {"notifications": wanted, "_meta": subscription(message)}
            stream.send({"method": "notifications/subscriptions/acknowledged", "params": params})
            return
        if method == "server/discover":
            answer(
                responder,
                message,
                {
                    "supportedVersions": [MODERN],
                    "capabilities": {"tools": {}, "prompts": {}, "resources": {}},
                },
            )
            return
        if method in LISTS:
            self._list(responder, message, LISTS[method])
            return
        self.calls.append(request)
        if self.script is None:
            answer(responder, message, {"content": [], "structuredContent": {"by": self.name}})
        else:
            await self.script(self, request, message, responder)

    def _list(self, responder: Responder, message: Json, member: str) -> None:
        listed = self.lists.get(member, [])
        if callable(listed):
            listed = listed(message["params"])
        if isinstance(listed, bytes):
            body = b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (message["id"], listed)
            responder.send(200, (JSON,), body)
        else:
            answer(responder, message, {member: listed, "ttlMs": 0, "cacheScope": "private"})


def subscription(message: Json) -> Json:
    """The tag of what belongs to a listen request."""
    return {PREFIX + "subscriptionId": message["id"]}


def answer(responder: Responder, message: Json, result: Json) -> None:
    """A complete result."""
    body = {"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", **result}}
    responder.send(200, (JSON,), json.dumps(body).encode())


@dataclass
class Answer:
    """One HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = field(repr=False, default=b"")

    @property
    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The JSON-RPC error."""
        assert "error" in self.json, self.body
        return self.json["error"]

    @property
    def result(self) -> Json:
        """The JSON-RPC result."""
        assert "result" in self.json, self.body
        return self.json["result"]


@dataclass
class World:
    gateway: Gateway
    port: int

    async def raw(self, data: bytes) -> bytes:
        """Send these bytes on a connection of their own; all that comes back until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def http(
        self,
        body: bytes = b"",
        *,
        verb: str = "POST",
        path: str = "/mcp",
        fields: Sequence[tuple[str, str | bytes]] | None = None,
        host: str | None = None,
    ) -> Answer:
        """One request with exactly these header fields beside Host and Content-Length."""
        lines = [f"{verb} {path} HTTP/1.1".encode(), b"Connection: close"]
        lines.append(f"Host: {host or f'127.0.0.1:{self.port}'}".encode())
        for name, value in fields or []:
            lines.append(
                name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
            )
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        return parse(await self.raw(b"\r\n".join(lines) + b"\r\n\r\n" + body))

    async def post(
        self,
        method: str,
        params: Json | bytes | None = None,
        *,
        fields: dict[str, str | bytes | None] | None = None,
        more: list[tuple[str, str | bytes]] | None = None,
    ) -> Answer:
        """A stateless request; `fields` replaces headers (None: left out), `more` adds some."""
        body, headers = modern(method, params)
        headers |= fields or {}
        listed = [(name, value) for name, value in headers.items() if value is not None]
        return await self.http(body, fields=[*listed, *(more or [])])

    async def call(self, name: str, /, **arguments: Any) -> Answer:
        """A stateless tool call."""
        return await self.post("tools/call", {"name": name, "arguments": arguments})

    async def tools(self) -> list[str]:
        """The names of all listed tools."""
        return [one["name"] for one in (await self.post("tools/list")).result["tools"]]


def modern(method: str, params: Json | bytes | None) -> tuple[bytes, dict[str, Any]]:
    """Body and headers of a stateless request; params given as bytes are written as they are."""
    if not isinstance(params, bytes):
        params = json.dumps({"_meta": META, **(params or {})}).encode()
    body = b'{"jsonrpc":"2.0","id":1,"method":%b,"params":%b}' % (
        json.dumps(method).encode(),
        params,
    )
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": method,
    }
    if method in NAMED:
        name = json.loads(params).get(NAMED[method])
        headers["Mcp-Name"] = in_header(name) if isinstance(name, str) else name
    return body, headers


def with_meta(members: bytes) -> bytes:
    """Params whose own members are these bytes, as they are."""
    return b'{"_meta":%b,%b}' % (json.dumps(META).encode(), members)


def parse(data: bytes) -> Answer:
    """The one answer in these bytes, chunks put together."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0]:
        return Answer(0, {}, b"")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    if headers.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return Answer(int(lines[0].split()[1]), headers, body, data)


def unchunked(data: bytes) -> bytes:
    """The body in these chunks."""
    parts: list[bytes] = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts)


@asynccontextmanager
async def gateway(
    servers: dict[str, Json],
    *,
    settled: bool = True,
    secrets: frozenset[str] = frozenset(),
    **settings: Any,
) -> AsyncIterator[World]:
    """A gateway in front of these entries; `secrets` are the values nobody may be shown."""
    config = Config.model_validate({"servers": servers, "lockgate": settings})
    made = Gateway(config.with_secrets(secrets))
    try:
        await made.start()
        if settled:
            assert await made.settled(60)
        [(_, port)] = await made.serve_http("127.0.0.1", 0)
        yield World(made, port)
    finally:
        await made.stop(0.2)


@asynccontextmanager
async def before(
    *peers: Peer, server: Json | None = None, more: Json | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A gateway in front of these peers; `server` is added to each one's entry, `more` to all."""
    for peer in peers:
        [(_, peer.port)] = await peer.http.start("127.0.0.1", 0)
    entries = {peer.name: {"url": peer.url, "era": "modern", **(server or {})} for peer in peers}
    try:
        async with gateway({**entries, **(more or {})}, **settings) as world:
            yield world
    finally:
        for peer in peers:
            await peer.die()
