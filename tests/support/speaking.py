"""Speaks MCP over Streamable HTTP as plain JSON, in either era, keeping every byte of an answer.

No client library: what a library does not know it drops, and what is dropped cannot be compared.
Numbers come back as written, so ``1.0`` and ``1`` differ.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

HANDSHAKE = "2025-11-25"
MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
CAPABILITIES: dict[str, Any] = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}
ITSELF = {"name": "plain", "version": "1"}
ROUNDS = 10
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


Answer = Callable[[str, dict[str, Any]], Any]


def accept(method: str, params: dict[str, Any]) -> Any:
    """Answer whatever a server asks: the defaults of a form, a fixed sentence, one root."""
    if method == "elicitation/create":
        fields = params.get("requestedSchema", {}).get("properties", {})
        blanks = {"string": "text", "boolean": True, "integer": 1, "number": 1.5}
        content = {
            name: one.get("default", blanks.get(one.get("type", "")))
            for name, one in fields.items()
        }
        return {"action": "accept", "content": content}
    if method == "sampling/createMessage":
        said = {"type": "text", "text": "A sentence."}
        return {"role": "assistant", "content": said, "model": "none", "stopReason": "endTurn"}
    if method == "roots/list":
        return {"roots": [{"uri": "file:///root", "name": "root"}]}
    return {}


class RefusedError(Exception):
    """The server answered with a JSON-RPC error, or with no JSON-RPC at all."""

    def __init__(self, status: int, error: Any) -> None:
        super().__init__(f"{status}: {error}")
        self.status = status
        self.error = error


@dataclass
class Plain:
    """A client of one endpoint in one era; ``open`` shakes hands where the era has a handshake."""

    url: str
    revision: str = MODERN
    capabilities: dict[str, Any] = field(default_factory=lambda: CAPABILITIES)
    session: str | None = None
    opening: Any = None
    number: int = 0
    heard: list[Any] = field(default_factory=list)
    answer: Answer = accept
    schemas: dict[str, Any] = field(default_factory=dict)

    @property
    def modern(self) -> bool:
        """Whether this client speaks the modern era."""
        return self.revision == MODERN

    def open(self) -> Plain:
        """Initialise, or discover; what the server said of itself is in ``opening``."""
        if self.modern:
            self.opening = self.ask("server/discover")
            return self
        self.opening = self.ask(
            "initialize",
            {
                "protocolVersion": self.revision,
                "capabilities": self.capabilities,
                "clientInfo": ITSELF,
            },
        )
        self.tell("notifications/initialized")
        return self

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Send a request and return its result, as parsed JSON with numbers as written."""
        self.number += 1
        body = {"jsonrpc": "2.0", "id": self.number, "method": method}
        answer = self.post({**body, "params": self.dressed(params or {})})
        if "result" not in answer:
            raise RefusedError(answer.get("status", 0), answer.get("error", answer))
        return answer["result"]

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Send a request and answer what the server asks in between, in either era's way."""
        more: dict[str, Any] = {}
        for _ in range(ROUNDS):
            result = self.ask(method, {**params, **more})
            if result.get("resultType") != "input_required":
                return result
            asked = result.get("inputRequests", {})
            answers = {k: self.answer(r["method"], r.get("params", {})) for k, r in asked.items()}
            more = {"inputResponses": answers}
            if "requestState" in result:
                more["requestState"] = result["requestState"]
        raise RefusedError(0, f"still asking after {ROUNDS} rounds")

    def tools(self) -> list[Any]:
        """All tools; their schemas decide which arguments travel in headers from now on."""
        listed = self.everything("tools/list", "tools")
        self.schemas = {tool["name"]: tool["inputSchema"] for tool in listed}
        return listed

    def tell(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification."""
        self.post({"jsonrpc": "2.0", "method": method, "params": self.dressed(params or {})})

    def everything(self, method: str, key: str) -> list[Any]:
        """All entries of a list, over all its pages."""
        entries: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            page = self.ask(method, cursor)
            entries += page[key]
            if "nextCursor" not in page:
                return entries
            cursor = {"cursor": page["nextCursor"]}

    def dressed(self, params: dict[str, Any]) -> dict[str, Any]:
        """The params with the metadata the modern era requires."""
        if not self.modern:
            return params
        meta = {
            META + "protocolVersion": self.revision,
            META + "clientCapabilities": self.capabilities,
            META + "clientInfo": ITSELF,
        }
        return {**params, "_meta": {**meta, **params.get("_meta", {})}}

    @contextlib.contextmanager
    def listening(self, **wanted: Any) -> Iterator[Iterator[Any]]:
        """What the server says unasked: a listen request's stream, or the handshake era's GET."""
        self.number += 1
        body = {"jsonrpc": "2.0", "id": self.number, "method": "subscriptions/listen"}
        message = {**body, "params": self.dressed({"notifications": wanted})}
        with self.connected() as connection:
            if self.modern:
                headers = self.headers(message)
                connection.request("POST", self.path, json.dumps(message).encode(), headers)
            else:
                headers = {**self.headers(message), "Accept": "text/event-stream"}
                connection.request("GET", self.path, None, headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RefusedError(answer.status, answer.read()[:500])
            try:
                yield events(answer)
            finally:
                if connection.sock is not None:
                    # Ends a read that another thread is waiting in.
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)
                    connection.sock.close()
                answer.close()

    def headers(self, message: dict[str, Any]) -> dict[str, str]:
        """The headers this era asks for."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self.modern:
            headers["MCP-Protocol-Version"] = self.revision
            headers["Mcp-Method"] = message["method"]
            named = NAMED.get(message["method"])
            if named:
                headers["Mcp-Name"] = in_header(message["params"][named])
            headers |= self.mirrored(message["params"])
        elif self.session:
            headers |= {"Mcp-Session-Id": self.session, "MCP-Protocol-Version": self.revision}
        return headers

    def mirrored(self, params: dict[str, Any]) -> dict[str, str]:
        """The arguments that the tool's schema wants in headers as well."""
        fields = self.schemas.get(params.get("name", ""), {}).get("properties", {})
        given = params.get("arguments", {})
        return {
            f"Mcp-Param-{fields[name]['x-mcp-header']}": in_header(value)
            for name, value in given.items()
            if value is not None and "x-mcp-header" in fields.get(name, {})
        }

    def post(self, message: dict[str, Any]) -> Any:
        """Send one message; returns the response to it, or ``{}`` when there is none."""
        headers = self.headers({"method": "", **message})
        with self.connected() as connection:
            connection.request("POST", self.path, json.dumps(message).encode(), headers)
            answer = connection.getresponse()
            self.session = answer.getheader("Mcp-Session-Id") or self.session
            kind = answer.getheader("Content-Type") or ""
            if answer.status == 202:
                return {}
            if kind.startswith("text/event-stream"):
                return self.response(answer, message.get("id"))
            raw = answer.read()
            if not kind.startswith("application/json"):
                raise RefusedError(answer.status, raw[:500])
            return {**verbatim(raw), "status": answer.status}

    def response(self, stream: http.client.HTTPResponse, number: Any) -> Any:
        """Read a stream up to the response, answering what the server asks on it."""
        for event in events(stream):
            if event.get("id") == number and "method" not in event:
                return event
            self.heard.append(event)
            self.attend(event)
        raise RefusedError(stream.status, "the stream ended without a response")

    def attend(self, event: Any) -> None:
        """Answer the event, if the server asks something with it."""
        if "id" in event and "method" in event:
            said = self.answer(event["method"], event.get("params", {}))
            self.post({"jsonrpc": "2.0", "id": event["id"], "result": said})

    @property
    def path(self) -> str:
        """The path of the endpoint."""
        return urlsplit(self.url).path or "/"

    @contextlib.contextmanager
    def connected(self) -> Iterator[http.client.HTTPConnection]:
        """A connection of its own for each request."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            yield connection
        finally:
            connection.close()


class AsWritten(float):
    """A number that equals another only when both are written alike."""

    def __init__(self, digits: str) -> None:
        self.digits = digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsWritten) and self.digits == other.digits

    def __hash__(self) -> int:
        return hash(self.digits)


def in_header(value: Any) -> str:
    """A value as a header carries it: as it is where that is safe, else in base64."""
    text = json.dumps(value) if isinstance(value, (bool, int)) else str(value)
    safe = text.isascii() and text.isprintable() and text == text.strip()
    if safe and not text.startswith("=?base64?"):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def events(stream: http.client.HTTPResponse) -> Iterator[Any]:
    """The JSON messages of an event stream, as they arrive."""
    data = b""
    for ended in stream:
        line = ended.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data += line[5:].removeprefix(b" ")
        elif not line and data:
            yield verbatim(data)
            data = b""


def verbatim(raw: bytes) -> Any:
    """Parse JSON, keeping the digits of every number that is not an integer."""
    return json.loads(raw, parse_float=AsWritten)
