"""Raw clients of both eras, fast enough for a storm, and the book of everything they were told.

Must not know: the gateway's inside, servers, schedules. A client keeps one connection, sends one
request at a time, and holds every answer against the protocol: exactly one response, with its id.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

Json = dict[str, Any]
PREFIX = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
INFO = {"name": "storm", "version": "1"}
PATIENCE = 60.0
NONCES = count(1)


class GatewayGone(Exception):
    """The connection ended before the answer did."""


class Broken(AssertionError):
    """The gateway broke the protocol."""


@dataclass(frozen=True)
class Told:
    """What one call came to.

    kind  `result`; `error`; `left`, as the client hung up itself; `lost`, as the gateway did.
    """

    server: str
    tool: str
    nonce: str
    kind: str
    at: float
    seconds: float
    status: int = 0
    body: Json = field(default_factory=dict)

    @property
    def data(self) -> Json:
        """The data of an error."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def reason(self) -> str:
        """The gateway's reason for it, or `own` for an error of the server's own."""
        return str(self.data.get("reason", "own"))


class Caller:
    """One client."""

    def __init__(self, number: int, era: str, port: int) -> None:
        self.number = number
        self.modern = era == "modern"
        self.port = port
        self.session: str | None = None
        self.reopened = 0
        self._ids = count(1)
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> Caller:
        """Shake hands, where the era has that."""
        if self.modern:
            return self
        self.session = None
        facts = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": INFO}
        _, answer, fields = await self._ask("initialize", facts)
        if "result" not in answer:
            raise Broken(f"initialize was answered {answer}")
        self.session = fields["mcp-session-id"]
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        status, _, body = await self._read()
        if status != 202 or body:
            raise Broken(f"a notification was answered {status} {body!r}")
        return self

    async def list_tools(self) -> set[str]:
        """The names of all tools."""
        status, answer, _ = await self._ask("tools/list", {})
        if answer.get("error", {}).get("data", {}).get("reason") == "draining":
            raise GatewayGone("it stops")
        if "result" not in answer:
            raise Broken(f"tools/list was answered {status} {answer}")
        return {tool["name"] for tool in answer["result"]["tools"]}

    async def call(
        self, server: str, tool: str, nonce: str = "", give_up: float | None = None
    ) -> Told:
        """Call a tool; `give_up`: hang up after so many seconds."""
        nonce = nonce or f"{self.number}-{next(NONCES)}"
        params = {"name": f"{server}__{tool}", "arguments": {"nonce": nonce}}
        began = asyncio.get_running_loop().time()

        def told(kind: str, status: int = 0, body: Json | None = None) -> Told:
            seconds = asyncio.get_running_loop().time() - began
            return Told(server, tool, nonce, kind, began, seconds, status, body or {})

        try:
            async with asyncio.timeout(give_up):
                status, answer, _ = await self._ask("tools/call", params)
        except TimeoutError:
            if give_up is None:
                raise
            self.close()
            return told("left")
        except GatewayGone:
            self.close()
            return told("lost")
        if "result" in answer:
            return told("result", status, answer["result"])
        return told("error", status, answer["error"])

    async def _ask(self, method: str, params: Json) -> tuple[int, Json, dict[str, str]]:
        number = next(self._ids)
        if self.modern:
            meta: Json = {
                PREFIX + "protocolVersion": MODERN,
                PREFIX + "clientCapabilities": {},
                PREFIX + "clientInfo": INFO,
            }
            params = {**params, "_meta": meta}
        try:
            async with asyncio.timeout(PATIENCE):
                message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                await self._post(message)
                status, fields, body = await self._read()
        except TimeoutError:
            raise Broken(f"{method} {params.get('name', '')} was never answered") from None
        except (OSError, asyncio.IncompleteReadError) as gone:
            raise GatewayGone(f"{method}: {gone!r}") from gone
        return status, _response(number, status, fields, body), fields

    async def _post(self, message: Json) -> None:
        body = json.dumps(message).encode()
        fields = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(len(body)),
        }
        if self.modern:
            fields["MCP-Protocol-Version"] = MODERN
            fields["Mcp-Method"] = message["method"]
            if "name" in message.get("params", {}):
                fields["Mcp-Name"] = message["params"]["name"]
        elif self.session is not None:
            fields["MCP-Protocol-Version"] = HANDSHAKE
            fields["Mcp-Session-Id"] = self.session
        if self._line is None:
            self._line = await asyncio.open_connection("127.0.0.1", self.port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._line[1].write(f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body)

    async def _read(self) -> tuple[int, dict[str, str], bytes]:
        assert self._line is not None
        reader = self._line[0]
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        if fields.get("transfer-encoding") == "chunked":
            parts: list[bytes] = []
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                parts.append((await reader.readexactly(size + 2))[:-2])
            await reader.readexactly(2)
            body = b"".join(parts)
        else:
            body = await reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return int(lines[0].split(" ")[1]), fields, body

    def close(self) -> None:
        """Hang up; the next request takes a new connection."""
        line, self._line = self._line, None
        if line is not None:
            line[1].close()


def _response(number: int, status: int, fields: dict[str, str], body: bytes) -> Json:
    kind = fields.get("content-type", "")
    if kind.startswith("application/json"):
        messages = [json.loads(body)]
    elif kind.startswith("text/event-stream"):
        events = body.replace(b"\r\n", b"\n").split(b"\n\n")
        data = [
            b"\n".join(x[5:].strip() for x in e.split(b"\n") if x.startswith(b"data:"))
            for e in events
        ]
        messages = [json.loads(one) for one in data if one]
    else:
        raise Broken(f"{status} {kind}: {body[:200]!r}")
    responses = [one for one in messages if "method" not in one]
    if len(responses) != 1 or messages[-1] is not responses[0]:
        raise Broken(f"one response was due, at the end: {messages}")
    response = responses[0]
    if status == 503 and response.get("id", 0) is None and "error" in response:
        return response  # refused before its body was read
    if response.get("id") != number or ("result" in response) == ("error" in response):
        raise Broken(f"request {number} was answered {response}")
    return response


class Load:
    """Many clients that call all servers, each after a short pause, and write down what comes."""

    def __init__(self, callers: list[Caller], servers: list[str], seed: int) -> None:
        self.callers = callers
        self.servers = servers
        self.book: list[Told] = []
        self.lists: list[tuple[float, float, set[str]]] = []
        self.met: Counter[str] = Counter()
        self.pause = 0.08
        self.leaves = 0.04
        self._seed = seed
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._work(one)) for one in self.callers]

    def check(self) -> None:
        """Raise what a client met that must not be."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Let every client finish its call."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _work(self, caller: Caller) -> None:
        chance = Random(f"{self._seed} client {caller.number}")  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            await asyncio.sleep(chance.uniform(0, 2 * self.pause))
            began = loop.time()
            try:
                if chance.random() < 0.03:
                    names = await caller.list_tools()
                    self.lists.append((began, loop.time() - began, names))
                    continue
                tool = "act" if chance.random() < 0.7 else "look"
                give_up = chance.uniform(0.01, 0.3) if chance.random() < self.leaves else None
                told = await caller.call(chance.choice(self.servers), tool, give_up=give_up)
            except GatewayGone:
                self.met["gone"] += 1
                caller.close()
                continue
            self.book.append(told)
