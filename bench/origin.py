"""A tiny, fast MCP server of both eras over Streamable HTTP: what the proxies stand in front of.

Must not know: what stands in front of it. It keeps no state and answers everything from bytes made
at start-up, so that what is measured is the proxy and not the server.

Run `python -m bench.origin PORT [modern|handshake]`; PORT 0 takes a free one, and with an era the
other one is refused as a server refuses that has never heard of it. Prints the port on one line.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import httptools
import msgspec
import uvloop

MODERN: Final = b"2026-07-28"
TOOLS: Final = 200
BIG: Final = 256 * 1024
_LINE: Final = "A line of a larger result, with 'quotes' and a break at its end.\n"
_COPIED: Final = 16 * 1024
_JSON: Final = b"content-type: application/json\r\ncontent-length: "


Parts = tuple[bytes, ...]


class Arguments(msgspec.Struct):
    """Of `echo`."""

    text: str = ""


class Params(msgspec.Struct):
    """What calls are told apart by; everything else is ignored."""

    name: str = ""
    arguments: Arguments = msgspec.field(default_factory=Arguments)
    protocol_version: str = msgspec.field(default="2025-11-25", name="protocolVersion")


class Message(msgspec.Struct):
    """A request or a notification."""

    method: str
    id: msgspec.Raw = msgspec.Raw()
    params: Params = msgspec.field(default_factory=Params)


def big_text() -> str:
    """Exactly 256 KiB of text."""
    return (_LINE * (BIG // len(_LINE) + 1))[:BIG]


def tools() -> list[dict[str, object]]:
    """The tools both eras list: `echo`, `big` and 198 that are only ever listed."""
    schema = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "What to say."},
            "count": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
            "mode": {"type": "string", "enum": ["plain", "loud", "quiet"]},
        },
        "required": ["text"],
    }
    names = ["echo", "big", *(f"listed_tool_{number:03}" for number in range(TOOLS - 2))]
    return [
        {
            "name": name,
            "title": name.replace("_", " ").title(),
            "description": f"The tool {name}: takes a text and some options and gives a text.",
            "inputSchema": schema,
            "annotations": {"readOnlyHint": True, "openWorldHint": False},
        }
        for name in names
    ]


_INFO: Final = {"name": "bench-origin", "version": "1.0.0"}
_encode = msgspec.json.encode


def _dressed(result: dict[str, object], *, cached: bool = False) -> bytes:
    dressed = {**result, "resultType": "complete"}
    if cached:
        dressed |= {"ttlMs": 3_600_000, "cacheScope": "public"}
    return _encode(dressed)


_LIST: Final[dict[str, object]] = {"tools": tools()}
_BIG: Final[dict[str, object]] = {"content": [{"type": "text", "text": big_text()}]}
_CAPABILITIES: Final[dict[str, object]] = {"tools": {}}


def discovered(capabilities: dict[str, object], *versions: str) -> bytes:
    """The result of `server/discover`."""
    result: dict[str, object] = {
        "supportedVersions": versions,
        "capabilities": capabilities,
        "_meta": {"io.modelcontextprotocol/serverInfo": _INFO},
    }
    return _dressed(result, cached=True)


_RESULTS: Final = {
    (True, "tools/list"): _dressed(_LIST, cached=True),
    (False, "tools/list"): _encode(_LIST),
    (True, "big"): _dressed(_BIG),
    (False, "big"): _encode(_BIG),
    (False, "ping"): b"{}",
    (True, "server/discover"): discovered(
        _CAPABILITIES, "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"
    ),
}
_MODERN_ONLY: Final = discovered(_CAPABILITIES, "2026-07-28")


class Origin(asyncio.Protocol):
    """One connection. `only` is the one era spoken; empty for both."""

    def __init__(self, only: str = "") -> None:
        self.only = only
        self._parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.WriteTransport | None = None
        self.body = b""
        self._modern = False
        self._session = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = transport  # pyright: ignore[reportAttributeAccessIssue] - TCP is a stream

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request starts."""
        self.body = b""
        self._modern = self._session = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Two headers matter."""
        if len(name) == 20 and name.lower() == b"mcp-protocol-version":
            self._modern = value == MODERN
        elif len(name) == 14 and name.lower() == b"mcp-session-id":
            self._session = True

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Answer."""
        assert self.transport is not None
        self.transport.writelines(self.answer(self._parser.get_method()))

    def answer(self, method: bytes) -> Parts:
        """What is said to the request that has just been read."""
        if method == b"POST":
            return self._answer()
        return plain(b"200 OK" if method == b"DELETE" else b"405 Method Not Allowed")

    def _answer(self) -> Parts:
        try:
            message = _decode(self.body)
        except msgspec.MsgspecError:
            return plain(b"400 Bad Request")
        if self.only and self._modern is not (self.only == "modern"):
            return _foreign(message.id or msgspec.Raw(b"null"), self.only)
        if not message.id:
            return plain(b"202 Accepted")
        method = message.method
        if method == "initialize" and not self._modern:
            return initialized(bytes(message.id), message.params.protocol_version)
        if not self._modern and not self._session:
            return _error(message.id, b"400 Bad Request", -32600, "Missing session ID")
        if method == "tools/call":
            method = message.params.name
            if method == "echo":
                return result(bytes(message.id), _echo(message.params.arguments.text, self._modern))
        found = _RESULTS.get((self._modern, method))
        if self.only and method == "server/discover":
            found = _MODERN_ONLY
        if found is None:
            status = b"404 Not Found" if self._modern else b"200 OK"
            return _error(message.id, status, -32601, "Method not found")
        return result(bytes(message.id), found)


_decode = msgspec.json.Decoder(Message).decode


def _echo(text: str, modern: bool) -> bytes:
    tail = b'"}],"resultType":"complete"}' if modern else b'"}]}'
    return b'{"content":[{"type":"text","text":' + _encode(text)[:-1] + tail


def result(request: bytes, said: bytes, headers: bytes = b"") -> Parts:
    """An answer in parts, so that a large result is not copied for each answer."""
    start = b'{"jsonrpc":"2.0","id":' + request + b',"result":'
    length = len(start) + len(said) + 1
    head = b"HTTP/1.1 200 OK\r\n%b%b%d\r\n\r\n%b" % (headers, _JSON, length, start)
    if len(said) < _COPIED:
        return (head + said + b"}",)
    return head, said, b"}"


def _error(request: msgspec.Raw, status: bytes, code: int, message: str) -> Parts:
    body = _encode({"jsonrpc": "2.0", "id": request, "error": {"code": code, "message": message}})
    return (b"HTTP/1.1 %b\r\n%b%d\r\n\r\n%b" % (status, _JSON, len(body), body),)


def _foreign(request: msgspec.Raw, only: str) -> Parts:
    """The code says which era the server is of: only the modern one has that of the first."""
    code = -32022 if only == "modern" else -32000
    return _error(request, b"400 Bad Request", code, "Unsupported protocol version")


def plain(status: bytes) -> Parts:
    """An answer without a body."""
    return (b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n",)


def initialized(
    request: bytes, offered: str, capabilities: dict[str, object] = _CAPABILITIES
) -> Parts:
    """The answer to `initialize`, with a session."""
    said = {
        "protocolVersion": "2025-11-25" if offered == "2026-07-28" else offered,
        "capabilities": capabilities,
        "serverInfo": _INFO,
    }
    return result(request, _encode(said), b"mcp-session-id: bench-session\r\n")


async def serve(port: int, connection: Callable[[], Origin]) -> None:
    """Serve on loopback until cancelled."""
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), partial(Origin, "".join(sys.argv[2:]))))
