"""Scripted servers with one stream each way, over HTTP with SSE and over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from itertools import count
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from lockgate.upstreams.pool import HttpPool
from lockgate.upstreams.spec import HttpSpec, UpstreamLimits, UpstreamSpec, WebSocketSpec
from lockgate.upstreams.upstream import Upstream
from tests.upstreams.calls import QUICK, nothing_left
from tests.upstreams.scripted import Answer, Asked, ScriptedServer

META_VERSION = "io.modelcontextprotocol/protocolVersion"
Json = dict[str, Any]


class Peer:
    """One connection: its server's side of the protocol.

    eras  what it speaks: `handshake`, `modern` or both.
    """

    def __init__(self, number: int, eras: set[str]) -> None:
        self.number = number
        self.eras = eras
        self.heard: list[Json] = []
        self.opened: Json | None = None
        self.waiting: Any = None
        self.out: asyncio.Queue[Json | str | None] = asyncio.Queue()

    def say(self, **message: Any) -> None:
        self.out.put_nowait({"jsonrpc": "2.0", **message})

    def methods(self) -> list[str]:
        return [one.get("method", "") for one in self.heard]

    def take(self, message: Json) -> None:
        self.heard.append(message)
        method, number = message.get("method"), message.get("id")
        params = message.get("params", {})
        modern = META_VERSION in params.get("_meta", {})
        if method is None:
            self.say(id=self.waiting, result={"got": message.get("result")})
        elif number is None:
            return
        elif method == "initialize" and "handshake" in self.eras:
            self.opened = params
            self.say(id=number, result=INTRODUCTION)
        elif modern and "modern" not in self.eras:
            self.say(id=number, error={"code": -32602, "message": "what?"})
        elif method == "server/discover":
            self.say(id=number, result={"supportedVersions": ["2026-07-28"], "capabilities": {}})
        elif method == "tools/list":
            self.say(id=number, result={"tools": [{"name": "echo", "inputSchema": {}}]})
        elif method == "tools/call" and (modern or self.opened is not None):
            self.call(number, params)
        else:
            self.say(id=number, error={"code": -32601, "message": "Method not found"})

    def call(self, number: Any, params: Json) -> None:
        name = params["name"]
        if name == "ask":
            self.waiting = number
            self.say(id="q1", method="elicitation/create", params={"message": "?"})
        elif name == "huge":
            self.say(id=number, result={"content": "x" * 5000})
        elif name == "noisy":
            token = params["_meta"]["progressToken"]
            self.say(
                method="notifications/progress", params={"progressToken": token, "progress": 1}
            )
            self.say(id=number, result={"ok": True})
        elif name == "die":
            self.out.put_nowait(None)
        elif name == "binary":
            self.out.put_nowait("binary")
        elif name != "hang":
            self.say(id=number, result={"content": [], "peer": self.number})


INTRODUCTION = {
    "protocolVersion": "2024-11-05",
    "capabilities": {"tools": {"listChanged": True}, "logging": {}},
    "serverInfo": {"name": "streamy", "version": "1"},
}


class SseServer(ScriptedServer):
    """HTTP with SSE. `endpoint` may hold `{}` for the session; POSTs elsewhere are 404 or 405.

    wanted  the Authorization headers it takes; none: all of them.
    """

    def __init__(self, endpoint: str = "messages?session={}", modern_body: bool = False) -> None:
        super().__init__(self._handle)
        self.endpoint = endpoint
        self.peers: dict[str, Peer] = {}
        self.refused: dict[str, int] = {}
        self.slow_initialized = asyncio.Event()
        self.slow_initialized.set()
        self.gets = 0
        self.wanted: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/a/sse"

    async def _handle(self, asked: Asked, answer: Answer) -> None:
        if self.wanted and asked.headers.get("authorization") not in self.wanted:
            answer.send(401, www_authenticate="Bearer")
            return
        if asked.http == "GET":
            await self._stream(answer)
            return
        path, _, session = asked.target.partition("?session=")
        peer = self.peers.get(session)
        if path != "/a/messages":
            answer.send(405)
        elif peer is None:
            answer.send(404)
        elif asked.method in self.refused:
            answer.send(self.refused[asked.method])
        else:
            if asked.method == "notifications/initialized":
                await self.slow_initialized.wait()
            peer.take(asked.json)
            answer.send(202)

    async def _stream(self, answer: Answer) -> None:
        self.gets += 1
        peer = self.peers[str(self.gets)] = Peer(self.gets, {"handshake"})
        answer.stream()
        answer.raw_event(self.endpoint.format(self.gets), "endpoint")
        gone = asyncio.create_task(answer.gone())
        try:
            while True:
                message = asyncio.create_task(peer.out.get())
                await asyncio.wait([message, gone], return_when=asyncio.FIRST_COMPLETED)
                if not message.done() or message.result() is None:
                    message.cancel()
                    break
                answer.raw_event(json.dumps(message.result()), "message")
        finally:
            gone.cancel()
            del self.peers[str(peer.number)]
        raise ConnectionError


class SocketServer:
    """A WebSocket. `status` refuses the upgrade with it; `wanted` is as for the other."""

    def __init__(self, *eras: str, **options: Any) -> None:
        self.eras = set(eras or ("handshake",))
        self.status = 0
        self.wanted: set[str] = set()
        self.peers: list[Peer] = []
        self.requests: list[Request] = []
        self.closed: list[int | None] = []
        self.port = 0
        self.options = options
        self.alive: set[ServerConnection] = set()
        self._numbers = count(1)
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws{'s' if self.options.get('ssl') else ''}://localhost:{self.port}/mcp?k=v"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def start(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=[Subprotocol("mcp")],
            process_request=self._judge,
            close_timeout=1,
            **self.options,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _judge(self, socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        shown = request.headers.get("authorization", "")
        status = 401 if self.wanted and shown not in self.wanted else self.status
        if not status:
            return None
        response = socket.respond(HTTPStatus(status), "no")
        response.headers["location"] = "ws://127.0.0.1:1/other"
        return response

    async def _serve(self, socket: ServerConnection) -> None:
        peer = Peer(next(self._numbers), self.eras)
        self.peers.append(peer)
        self.alive.add(socket)
        speaking = asyncio.create_task(self._speak(socket, peer))
        with suppress(ConnectionClosed):
            async for message in socket:
                assert isinstance(message, str)
                peer.take(json.loads(message))
        speaking.cancel()
        self.alive.discard(socket)
        self.closed.append(socket.close_code)

    @staticmethod
    async def _speak(socket: ServerConnection, peer: Peer) -> None:
        while (message := await peer.out.get()) is not None:
            if isinstance(message, str):
                await socket.send(b"binary")
            else:
                text = json.dumps(message)
                # In pieces, as some senders do.
                await socket.send([text[:10], text[10:]] if peer.number % 2 else text)
        await socket.close(4321, "had enough")


@asynccontextmanager
async def reaching(
    server: SseServer | SocketServer, tls: Any = None, **more: Any
) -> AsyncIterator[Upstream]:
    """An upstream of this server; nothing of it is left behind."""
    headers, credentials = more.pop("headers", {}), more.pop("credentials", None)
    if isinstance(server, SocketServer):
        transport: Any = WebSocketSpec(url=more.pop("url", server.url), headers=headers)
    else:
        transport = HttpSpec(url=server.url, headers=headers, kind=more.pop("kind", "auto"))
    limits = UpstreamLimits(**more.pop("limits", {}))
    settings = {"start_timeout": 5.0, "call_timeout": 10.0, **more}
    pool = HttpPool(tls=tls)
    spec = UpstreamSpec(name="it", transport=transport, limits=limits, **settings)
    one = Upstream(spec, pool=pool, backoff=QUICK, credentials=credentials)
    try:
        yield one
    finally:
        await one.stop(1.0)
        await pool.close()
    if isinstance(server, SseServer):
        await nothing_left()
