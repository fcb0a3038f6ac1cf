"""A scripted engine, a recording responder and short ways to write requests, for exchange tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from lockgate.core.message import Call, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import Headers, HttpRequest, Passage, Tunnel
from lockgate.fronts.settings import ExchangeSettings
from lockgate.testing.clock import ManualClock
from lockgate.wire import sse

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
DISCOVERED = {
    "supportedVersions": [VERSION],
    "capabilities": {"tools": {"listChanged": True}, "extensions": {"x/y": {}}},
    "resultType": "complete",
    "ttlMs": 5,
    "cacheScope": "public",
    "instructions": "Be kind.",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}},
}
Act = Callable[[Call], Awaitable[Reply]]


def result(value: Mapping[str, Any], kind: Any = "complete") -> Result:
    return Result(Raw(msgspec.json.encode(value)), kind)


class FakeEngine:
    """Answers each method by its script; keeps what it was given."""

    def __init__(self, **scripts: Act | Reply) -> None:
        self.calls: list[Call] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.scripts: dict[str, Act | Reply] = {"server/discover": result(DISCOVERED)}
        self.default: Act | Reply = result({"ok": True})
        self.scripts.update(scripts)
        self._called = asyncio.Event()

    def on(self, method: str, act: Act | Reply) -> FakeEngine:
        self.scripts[method] = act
        return self

    async def handle(self, call: Call) -> Reply:
        self.calls.append(call)
        self._called.set()
        act = self.scripts.get(call.method, self.default)
        try:
            return await act(call) if callable(act) else act
        except asyncio.CancelledError:
            self.cancelled.append(call.method)
            raise

    async def end_session(self, affinity: str) -> None:
        self.ended.append(affinity)

    async def called(self, number: int = 1) -> Call:
        """The call with this number, counted from one, once it has come."""
        while len(self.calls) < number:
            self._called.clear()
            await self._called.wait()
        return self.calls[number - 1]

    @property
    def last(self) -> Call:
        return self.calls[-1]


class FakeResponder:
    """Records an answer; `leave()` is the client going away."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.raw: Headers = ()
        self.body = b""
        self.streaming = False
        self.done = False
        self._changed = asyncio.Event()
        self._callback: Callable[[], None] | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        return self.status != 0

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        assert not self.started
        self._head(status, headers)
        self.body = body
        self.done = True
        self._changed.set()

    def _head(self, status: int, headers: Headers) -> None:
        names = [name for name, _ in headers]
        assert len(names) == len(set(names))
        self.status, self.headers = status, dict(headers)

    def start(self, status: int, headers: Headers) -> None:
        assert not self.started
        self._head(status, headers)
        self.streaming = True
        self._changed.set()

    def write(self, chunk: bytes) -> None:
        assert self.streaming
        assert not self.done
        self.body += chunk
        self._changed.set()

    def end(self) -> None:
        assert self.streaming
        self.done = True
        self._changed.set()

    def abort(self) -> None:
        self.done = True

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        return None

    def on_close(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def leave(self) -> None:
        assert self._callback is not None
        self._callback()

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def events(self) -> list[Any]:
        return [msgspec.json.decode(e.data) for e in sse.Parser(1 << 20).feed(self.body) if e.data]

    @property
    def ids(self) -> list[bytes]:
        """The ids of all events, those without data included."""
        return [e.id.encode() for e in sse.Parser(1 << 20).feed(self.body) if e.id is not None]

    @property
    def code(self) -> int:
        return self.json()["error"]["code"]

    async def until(self, ready: Callable[[FakeResponder], bool]) -> None:
        while not ready(self):
            self._changed.clear()
            await self._changed.wait()

    async def event(self, number: int = 1) -> Any:
        """The event with this number, counted from one, once it has come."""
        await self.until(lambda self: len(self.events) >= number)
        return self.events[number - 1]


BOTH = {b"content-type": b"application/json", b"accept": b"application/json, text/event-stream"}


def http(
    body: bytes | Mapping[str, Any] = b"",
    headers: Mapping[bytes, bytes | None] | None = None,
    **kw: Any,
) -> HttpRequest:
    merged = {**BOTH, **(headers or {})}
    return HttpRequest(
        method=kw.pop("method", "POST"),
        path=kw.pop("path", "/mcp"),
        query="",
        headers={name: value for name, value in merged.items() if value is not None},
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        **kw,
    )


def modern(
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    number: Any = 1,
    meta: Mapping[str, Any] | None = None,
    headers: Mapping[bytes, bytes | None] | None = None,
    **kw: Any,
) -> HttpRequest:
    params = dict(params or {})
    routed: dict[bytes, bytes | None] = {
        b"mcp-protocol-version": VERSION.encode(),
        b"mcp-method": method.encode(),
    }
    named = params.get({"resources/read": "uri"}.get(method, "name"))
    if named is not None:
        routed[b"mcp-name"] = named.encode()
    params["_meta"] = {**META, **(meta or {})}
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return http(message, {**routed, **(headers or {})}, **kw)


def message(
    method: str, params: Mapping[str, Any] | None = None, number: Any = 1
) -> dict[str, Any]:
    made: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        made["id"] = number
    if params is not None:
        made["params"] = params
    return made


class Play:
    """An exchange with its engine and clock."""

    def __init__(self, engine: FakeEngine, **settings: Any) -> None:
        self.engine = engine
        self.clock = ManualClock()
        self.settings = ExchangeSettings(clock=self.clock, linger=0.0, **settings)
        self.exchange = Exchange(engine, self.settings)
        self.tasks: list[asyncio.Future[None]] = []
        self.session: dict[bytes, bytes] = {}

    async def ask(self, request: HttpRequest) -> FakeResponder:
        """The finished answer to one request."""
        responder = FakeResponder()
        await self.exchange(request, responder)
        return responder

    def begin(self, request: HttpRequest) -> FakeResponder:
        """The answer to a request that goes on."""
        responder = FakeResponder()
        self.tasks.append(asyncio.ensure_future(self.exchange(request, responder)))
        return responder

    async def open(
        self, capabilities: Mapping[str, Any] | None = None, version: str = "2025-11-25"
    ) -> FakeResponder:
        """Open a handshake session; later `post`s are part of it."""
        params = {
            "protocolVersion": version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "c", "version": "1"},
        }
        responder = await self.ask(http(message("initialize", params)))
        if b"mcp-session-id" in responder.headers:
            self.session = {
                b"mcp-session-id": responder.headers[b"mcp-session-id"],
                b"mcp-protocol-version": responder.json()["result"]["protocolVersion"].encode(),
            }
        return responder

    def post(
        self, method: str, params: Mapping[str, Any] | None = None, number: Any = 1
    ) -> HttpRequest:
        return http(message(method, params, number), self.session)

    def get(self, last: bytes | None = None) -> HttpRequest:
        headers = {**self.session, b"accept": b"text/event-stream", b"last-event-id": last}
        return http(headers=headers, method="GET")


@asynccontextmanager
async def playing(engine: FakeEngine | None = None, **settings: Any):
    play = Play(engine or FakeEngine(), **settings)
    try:
        async with asyncio.timeout(60):
            yield play
    finally:
        for task in play.tasks:
            task.cancel()
        await asyncio.gather(*play.tasks, return_exceptions=True)
        await play.exchange.drain()
