"""The origin with news: it keeps streams open and says on all of them what it is told to.

Must not know: who listens. A POST to `/news` with a notification sends that to every open stream,
whatever it asked for; the answer says to how many.

Run `python -m bench.newsroom PORT modern|handshake`; prints the port on one line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any, Final

import uvloop

from bench.origin import Origin, Parts, discovered, initialized, result, serve

_CAPABILITIES: Final[dict[str, object]] = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
}
_EVENTS: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_DISCOVERED: Final = discovered(_CAPABILITIES, "2026-07-28")


class Newsroom(Origin):
    """One connection; `streams` are those of all connections, with their listen ids."""

    def __init__(self, only: str, streams: dict[asyncio.WriteTransport, Any]) -> None:
        super().__init__(only)
        self._streams = streams
        self._path = b""

    def on_message_begin(self) -> None:
        """A request starts."""
        super().on_message_begin()
        self._path = b""

    def on_url(self, url: bytes) -> None:
        """What it is about."""
        self._path += url

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self.transport is not None:
            self._streams.pop(self.transport, None)

    def answer(self, method: bytes) -> Parts:
        """See `Origin.answer`."""
        assert self.transport is not None
        if method == b"GET" and self.only == "handshake":
            self._streams[self.transport] = None
            return (_EVENTS, _chunk(b": open\n\n"))
        if method != b"POST":
            return super().answer(method)
        if self._path == b"/news":
            return self._tell(json.loads(self.body))
        if b"subscriptions/listen" in self.body:
            return self._listen(json.loads(self.body))
        for name, body in (
            (b"resources/list", b"resources"),
            (b"resources/templates/list", b"resourceTemplates"),
        ):
            if b'"method":"' + name + b'"' in self.body:
                return result(_id(self.body), b'{"' + body + b'":[],"resultType":"complete"}')
        if b'"method":"resources/' in self.body:
            return result(_id(self.body), b"{}")
        if b'"method":"server/discover"' in self.body and self.only == "modern":
            return result(_id(self.body), _DISCOVERED)
        if b'"method":"initialize"' in self.body and self.only == "handshake":
            return initialized(_id(self.body), "2025-11-25", _CAPABILITIES)
        return super().answer(method)

    def _listen(self, message: dict[str, Any]) -> Parts:
        assert self.transport is not None
        self._streams[self.transport] = message["id"]
        asked = {"notifications": message["params"].get("notifications", {})}
        method = "notifications/subscriptions/acknowledged"
        return (_EVENTS, _event({"method": method, "params": asked}, message["id"]))

    def _tell(self, notification: dict[str, Any]) -> Parts:
        for transport, listen_id in self._streams.items():
            transport.write(_event(notification, listen_id))
        said = json.dumps({"streams": len(self._streams)}).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said)
        return (head, said)


def _id(body: bytes) -> bytes:
    return json.dumps(json.loads(body).get("id")).encode()


def _event(notification: dict[str, Any], listen_id: Any) -> bytes:
    params = dict(notification.get("params", {}))
    if listen_id is not None:
        params["_meta"] = {_SUBSCRIPTION: listen_id}
    message = {"jsonrpc": "2.0", "method": notification["method"], "params": params}
    return _chunk(b"data: %b\n\n" % json.dumps(message).encode())


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), partial(Newsroom, sys.argv[2], {})))
