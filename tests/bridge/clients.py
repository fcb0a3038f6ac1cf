"""Raw clients of each era over loopback HTTP: every message as it is, each round under control.

They know nothing of the gateway. ``begin`` runs a request up to the server's first questions,
``answer`` goes on from there; ``ask`` does both until there is a response.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from lockgate.wire.sse import Parser

Json = dict[str, Any]
PREFIX = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
EVERYTHING: Json = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}
ANSWERS: dict[str, Json] = {
    "elicitation/create": {"action": "accept", "content": {"name": "Ada"}},
    "sampling/createMessage": {
        "role": "assistant",
        "content": {"type": "text", "text": "A sentence."},
        "model": "none",
    },
    "roots/list": {"roots": [{"uri": "file:///root"}]},
}
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
SECONDS = 60.0
TOKENS = count(1)


class Stream:
    """One HTTP answer, message by message; closing it is how a client goes away.

    `cut`: it ended without having come to its end.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = Parser(1 << 20)
        self._ready: list[Json] = []
        self.status = 0
        self.cut = False
        self.headers: dict[str, str] = {}
        self.event_ids: list[str] = []

    async def head(self) -> Stream:
        """Read up to the end of the headers."""
        async with asyncio.timeout(SECONDS):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        return self

    async def next(self) -> Json | None:
        """The next message; None at the end."""
        async with asyncio.timeout(SECONDS):
            while not self._ready:
                data = await self._chunk()
                if not data:
                    return None
                if self.headers.get("content-type", "").startswith("text/event-stream"):
                    for event in self._parser.feed(data):
                        if event.id:
                            self.event_ids.append(event.id)
                        if event.data:
                            self._ready.append(json.loads(event.data))
                else:
                    self._ready.append(json.loads(data))
            return self._ready.pop(0)

    async def _chunk(self) -> bytes:
        try:
            if self.headers.get("transfer-encoding") == "chunked":
                size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
                return (await self._reader.readexactly(size + 2))[:-2]
            if "content-length" in self.headers:
                length, self.headers["content-length"] = int(self.headers["content-length"]), "0"
                return await self._reader.readexactly(length)
            return await self._reader.read(1 << 16)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.cut = True
            return b""

    async def until(self, method: str) -> Json:
        """The params of the next message of this method."""
        while message := await self.next():
            if message.get("method") == method:
                return message.get("params", {})
        raise AssertionError(f"the stream ended without {method}")

    def close(self) -> None:
        """Go away."""
        self._writer.close()


@dataclass
class Begun:
    """A request under way: what was heard, what is asked, and its end once it is there."""

    method: str
    params: Json
    id: Any = None
    stream: Stream | None = None
    heard: list[Json] = field(default_factory=list)
    asked: dict[str, Json] = field(default_factory=dict)
    every: list[Json] = field(default_factory=list)
    state: str | None = None
    response: Json | None = None
    status: int = 0

    @property
    def result(self) -> Json:
        """The result; fails the test when there is none."""
        assert self.response is not None, f"no response; asked {self.asked}"
        assert "result" in self.response, self.response
        return self.response["result"]

    @property
    def error(self) -> Json:
        """The error; fails the test when there is none."""
        assert self.response is not None, f"no response; asked {self.asked}"
        assert "error" in self.response, self.response
        return self.response["error"]

    @property
    def said(self) -> Any:
        """The structured content of a tool's result."""
        return self.result["structuredContent"]

    def notices(self, method: str) -> list[Json]:
        """The params of what was heard of this method, on all streams of this request."""
        return [one.get("params", {}) for one in self.heard if one["method"] == method]


@dataclass
class Client:
    """A client of either era."""

    port: int
    era: str
    capabilities: Json = field(default_factory=lambda: EVERYTHING)
    name: str = "client"
    revision: str = ""
    level: str | None = None
    session: str | None = None
    path: str = "/mcp"
    token: str | None = None
    opening: Json = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=lambda: dict(ANSWERS))
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)
    streams: list[Stream] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.revision = self.revision or (MODERN if self.modern else "2025-11-25")

    @property
    def modern(self) -> bool:
        """Whether this client speaks the stateless era."""
        return self.era == "M"

    async def open(self) -> Client:
        """Initialise, or discover."""
        params: Json = {}
        if not self.modern:
            info = {"name": self.name, "version": "1"}
            facts = {"capabilities": self.capabilities, "clientInfo": info}
            params = {"protocolVersion": self.revision, **facts}
        begun = await self.begin("server/discover" if self.modern else "initialize", params)
        self.opening = begun.result
        if not self.modern:
            await self.tell("notifications/initialized")
            if self.level is not None:
                _ = (await self.begin("logging/setLevel", {"level": self.level})).result
        return self

    # A request, step by step.

    async def begin(
        self, method: str, params: Json | None = None, *, asks: int = 1, headers: Any = None
    ) -> Begun:
        """Send a request and read up to its response, or up to `asks` questions of the server."""
        begun = Begun(method, params or {})
        await self.send(begun, headers=headers)
        return await self.read(begun, asks)

    async def call(self, tool: str, *, asks: int = 1, **arguments: Any) -> Begun:
        """`begin` for a tool."""
        return await self.begin("tools/call", {"name": tool, "arguments": arguments}, asks=asks)

    async def ask(
        self, method: str, params: Json | None = None, *, asks: tuple[int, ...] = ()
    ) -> Begun:
        """Send a request and answer whatever the server asks, up to the response.

        `asks` says how many questions belong together, round by round; one where it ends.
        """
        rounds = [*asks, *[1] * 20]
        begun = await self.begin(method, params, asks=rounds[0])
        for expected in rounds[1:]:
            if begun.response is not None:
                break
            await self.answer(begun, asks=expected)
        return begun

    async def run(self, tool: str, **arguments: Any) -> Begun:
        """`ask` for a tool."""
        asks = tuple(len(one) for one in arguments.get("rounds", ()))
        return await self.ask("tools/call", {"name": tool, "arguments": arguments}, asks=asks)

    async def send(self, begun: Begun, *, headers: Any = None, **more: Any) -> Begun:
        """Send the request, or in the stateless era the next attempt at it."""
        begun.id = self.ids()
        params = {**begun.params, **more}
        message = {"jsonrpc": "2.0", "id": begun.id, "method": begun.method, "params": params}
        begun.stream = await self.post(message, headers, head=False)
        await begun.stream.head()
        begun.status = begun.stream.status
        self.session = begun.stream.headers.get("mcp-session-id", self.session)
        return begun

    async def read(self, begun: Begun, asks: int = 1) -> Begun:
        """Read up to the response or the next questions."""
        assert begun.stream is not None
        while len(begun.asked) < asks:
            message = await begun.stream.next()
            if message is None:
                return begun
            if "method" not in message:
                self._responded(begun, message)
                return begun
            if "id" in message:
                self._asked(begun, f"{message['method']}-{message['id']}", message)
            else:
                begun.heard.append(message)
        return begun

    def _asked(self, begun: Begun, key: str, request: Json) -> None:
        begun.asked[key] = request
        begun.every.append(request)

    def _responded(self, begun: Begun, message: Json) -> None:
        result = message.get("result", {})
        if self.modern and result.get("resultType") == "input_required":
            begun.state = result.get("requestState")
            for key, request in result.get("inputRequests", {}).items():
                self._asked(begun, key, request)
            if not begun.asked:
                begun.response = message
        else:
            begun.response = message

    async def answer(self, begun: Begun, *, asks: int = 1, **changed: Any) -> Begun:
        """Answer everything that was asked, and read on; `changed` alters the next attempt."""
        asked, begun.asked = begun.asked, {}
        if self.modern:
            answers = {key: self.answers[one["method"]] for key, one in asked.items()}
            more: Json = {"inputResponses": answers, "requestState": begun.state, **changed}
            more = {key: value for key, value in more.items() if value is not None}
            await self.send(begun, **more)
        else:
            for request in asked.values():
                answer = self.answers[request["method"]]
                body = {"error": answer["error"]} if "error" in answer else {"result": answer}
                await self.deliver({"id": request["id"], **body})
        return await self.read(begun, asks)

    async def cancel(self, begun: Begun) -> None:
        """Call a request off, as this era does."""
        assert begun.stream is not None
        if self.modern:
            begun.stream.close()
        else:
            await self.tell("notifications/cancelled", {"requestId": begun.id})

    # Other messages.

    async def tell(self, method: str, params: Json | None = None) -> None:
        """Send a notification."""
        await self.deliver({"method": method, "params": params or {}})

    async def deliver(self, message: Json) -> None:
        """Send what has no answer."""
        stream = await self.post({"jsonrpc": "2.0", **message})
        assert stream.status == 202, stream.status
        stream.close()

    async def listen(self, *, uris: tuple[str, ...] = (), **wanted: bool) -> Stream:
        """Hear what servers say outside of requests; returns once they are listened to."""
        if self.modern:
            notifications: Json = dict(wanted)
            if uris:
                notifications["resourceSubscriptions"] = list(uris)
            message = {"id": self.ids(), "method": "subscriptions/listen"}
            params = {"notifications": notifications}
            stream = await self.post({"jsonrpc": "2.0", **message, "params": params})
            assert stream.status == 200, await stream.next()
            acknowledged = await stream.until("notifications/subscriptions/acknowledged")
            stream.headers["acknowledged"] = json.dumps(acknowledged)
            return stream
        stream = await self.exchange("GET", b"", {"Accept": "text/event-stream"})
        assert stream.status == 200, stream.status
        for uri in uris:
            _ = (await self.begin("resources/subscribe", {"uri": uri})).result
        return stream

    async def post(self, message: Json, headers: Any = None, *, head: bool = True) -> Stream:
        """One message as a POST; the answer up to its headers, or not even those."""
        own = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self.modern:
            message = {**message, "params": self._dressed(message.get("params", {}))}
            own["MCP-Protocol-Version"] = self.revision
            own["Mcp-Method"] = message.get("method", "")
            name = NAMES.get(message.get("method", ""))
            if name is not None:
                own["Mcp-Name"] = in_header(message["params"][name])
        body = json.dumps(message).encode()
        return await self.exchange("POST", body, {**own, **(headers or {})}, head=head)

    def _dressed(self, params: Json) -> Json:
        meta: Json = {
            PREFIX + "protocolVersion": self.revision,
            PREFIX + "clientCapabilities": self.capabilities,
            PREFIX + "clientInfo": {"name": self.name, "version": "1"},
        }
        if self.level is not None:
            meta[PREFIX + "logLevel"] = self.level
        return {**params, "_meta": {**meta, **params.get("_meta", {})}}

    async def exchange(
        self, verb: str, body: bytes, headers: dict[str, str], *, head: bool = True
    ) -> Stream:
        """One HTTP request on a connection of its own."""
        if self.session and not self.modern:
            session = {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": self.revision}
            headers = {**headers, **session}
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        fields = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body)), **headers}
        if self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"{verb} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        stream = Stream(reader, writer)
        self.streams.append(stream)
        return await stream.head() if head else stream

    def close(self) -> None:
        """Go away entirely."""
        for stream in self.streams:
            with contextlib.suppress(RuntimeError):
                stream.close()


def in_header(value: str) -> str:
    """A value as a header carries it."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def progress(number: Any) -> Json:
    """Metadata that asks for progress under this token."""
    return {"_meta": {"progressToken": number}}


@asynccontextmanager
async def going(client: Client) -> AsyncIterator[Client]:
    """The client, gone at the end."""
    try:
        yield client
    finally:
        client.close()
