"""What hardening a server in its own process costs a call: `python -m bench.harden`.

Must not know: policies. The same small call is made of each server as it is and of the same server
hardened, in turn, in one process and without sockets, which would be the same for both. Figures are
processor time for one call, the best of the rounds, for what else a machine does can only add. The
configuration is the default one, so everything that is on by default is on.

`--http` measures whole programs instead, with wrk: under uvicorn as they are and hardened, and
behind Lockgate's own web server. It takes minutes and wants a machine that is quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, Literal

import uvicorn
import uvloop

import lockgate
from bench import wrk
from bench.cells import Era
from bench.messages import SCENARIOS, close_session, open_session
from bench.processes import usage
from lockgate.build import kind
from lockgate.upstreams.inprocess import AsgiApp, InProcess
from lockgate.upstreams.reply import HttpReply
from lockgate.wire.url import Url

WAYS: Final = ("as it is", "hardened", "hardened, own server")
SERVERS: Final = ("sdk", "lowlevel", "fastmcp")
ERAS: Final[tuple[Era, ...]] = ("modern", "handshake")
CALLS: Final = 100
"""Calls of one round."""
_CALL: Final = SCENARIOS[0]
_URL: Final = Url.parse("http://localhost:8000/mcp")
_COMMON: Final = [
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
]
_HELLO: Final[dict[str, Any]] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


def echo(text: str) -> str:
    """Give back what was sent."""
    return text


def made(server: str, tools: int) -> Any:
    """A server of `tools` tools that are all alike."""
    names = ["echo", *(f"tool_{number}" for number in range(1, tools))]
    if server == "fastmcp":
        from fastmcp import FastMCP  # noqa: PLC0415 - each process loads what it serves

        front: Any = FastMCP("bench")
        for name in names:
            front.tool(echo, name=name)
        return front
    if server == "sdk":
        from mcp.server.mcpserver import MCPServer  # noqa: PLC0415 - as above

        plain: Any = MCPServer("bench", log_level="ERROR")
        for name in names:
            plain.tool(name=name)(echo)
        return plain
    return _lowlevel(names)


def _lowlevel(names: list[str]) -> Any:
    import mcp_types as types  # noqa: PLC0415 - as above
    from mcp.server.lowlevel import Server  # noqa: PLC0415 - as above

    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    listed = [types.Tool(name=name, input_schema=schema) for name in names]

    async def tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call(context: Any, params: Any) -> types.CallToolResult:
        said = types.TextContent(type="text", text=params.arguments["text"])
        return types.CallToolResult(content=[said])

    return Server("bench", on_list_tools=tools, on_call_tool=call)


def serve(server: str, tools: int, way: str, port: int) -> None:
    """Serve until ended."""
    one = made(server, tools)
    if way == WAYS[2]:
        lockgate.harden(one).run("http", port=port)
        return
    if way == WAYS[0]:
        app = one.http_app() if server == "fastmcp" else one.streamable_http_app()
    else:
        app = lockgate.harden(one)
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False
    )


@contextmanager
def running(server: str, tools: int, way: str) -> Iterator[tuple[int, int]]:
    """Its process id and its port."""
    from tests.support.running import await_listening, free_port  # noqa: PLC0415 - of the repository

    port = free_port()
    command = [sys.executable, "-m", "bench.harden", "--serve", server, str(tools), way, str(port)]
    quiet = {**os.environ, "FASTMCP_LOG_LEVEL": "ERROR"}
    child = subprocess.Popen(command, env=quiet, stderr=subprocess.DEVNULL)
    try:
        await_listening(port)
        yield child.pid, port
    finally:
        child.kill()
        child.wait()


@dataclass
class Seen:
    """Of one way: a value for each round, in microseconds."""

    cpu: list[float] = field(default_factory=list[float])
    p50: list[float] = field(default_factory=list[float])


def measured(server: str, tools: int, rounds: int, seconds: int) -> dict[tuple[Era, str], Seen]:
    """The ways of one server, in turn."""
    seen: dict[tuple[Era, str], Seen] = {(era, way): Seen() for era, way in product(ERAS, WAYS)}
    with ExitStack() as stack:
        places = {way: stack.enter_context(running(server, tools, way)) for way in WAYS}
        for era, way in product(ERAS, WAYS):
            # What is only made with the first calls is not what a call costs.
            with suppress(RuntimeError):
                _once(places[way], era, 1)
        for turn, era in product(range(rounds), ERAS):
            for way in reversed(WAYS) if turn % 2 else WAYS:
                cpu, p50 = _once(places[way], era, seconds)
                seen[era, way].cpu.append(cpu)
                seen[era, way].p50.append(p50)
    return seen


def _once(
    place: tuple[int, int], era: Literal["modern", "handshake"], seconds: int
) -> tuple[float, float]:
    pid, port = place
    session = open_session(port) if era == "handshake" else None
    before = usage(pid).cpu
    load = wrk.run(port, _CALL, era, session, 1, seconds)
    used = usage(pid).cpu - before
    if session is not None:
        close_session(port, session)
    if load.errors or not load.requests:
        raise RuntimeError(f"{load.errors} of {load.requests} answers were wrong")
    return used / load.requests * 1e6, load.p50


async def _per_call(inside: InProcess, era: Era) -> Callable[[], Awaitable[float]]:
    """What measures an application once it is started: the microseconds of a call in a round."""
    await inside.start()
    known = [*_COMMON]
    if era == "handshake":
        opened = await _post(inside, known, "initialize", _HELLO)
        session = opened.headers[b"mcp-session-id"]
        known += [(b"mcp-session-id", session), (b"mcp-protocol-version", b"2025-11-25")]
        await _post(inside, known, "notifications/initialized", None)
    else:
        said = {"mcp-method": "tools/call", "mcp-name": "echo"}
        known += [(name.encode(), value.encode()) for name, value in said.items()]
        known.append((b"mcp-protocol-version", b"2026-07-28"))
    before, after = _CALL.body(era)
    body = f"{before}1{after}".encode()

    async def once() -> bytes:
        reply = await inside.request(_URL, b"POST", known, body)
        return await reply.read(1 << 20)

    assert b"quick brown" in await once()

    async def measure() -> float:
        began = time.process_time()
        for _ in range(CALLS):
            await once()
        return (time.process_time() - began) / CALLS * 1e6

    return measure


async def _post(
    inside: InProcess, known: list[tuple[bytes, bytes]], method: str, params: dict[str, Any] | None
) -> HttpReply:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message |= {"id": 1, "params": params}
    reply = await inside.request(_URL, b"POST", known, json.dumps(message).encode())
    await reply.read(1 << 20)
    return reply


async def inside(server: str, tools: int, rounds: int) -> dict[Era, tuple[float, float]]:
    """By era: microseconds of a call to the server as it is, and hardened."""
    found: dict[Era, tuple[float, float]] = {}
    for era in ERAS:
        one = made(server, tools)
        app: AsgiApp = one.http_app() if server == "fastmcp" else one.streamable_http_app()
        both = InProcess(app), InProcess(lockgate.harden(made(server, tools)))
        bare, hardened = await _per_call(both[0], era), await _per_call(both[1], era)
        seen = [(await bare(), await hardened()) for _ in range(rounds)]
        found[era] = min(one for one, _ in seen), min(other for _, other in seen)
        for ended in both:
            await ended.stop(1)
    return found


def _without_sockets(servers: list[str], tools: list[int], rounds: int) -> None:
    print(f"{'server':<10}{'tools':>6}  {'era':<10}{'as it is':>9}{'hardened':>9}{'more':>7}")
    for server, many in product(servers, tools):
        for era, (bare, hardened) in uvloop.run(inside(server, many, rounds)).items():
            more = hardened - bare
            print(f"{server:<10}{many:>6}  {era:<10}{bare:>9.0f}{hardened:>9.0f}{more:>+7.0f}")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--tools", type=int, nargs="*", default=[1, 100])
    parser.add_argument("--servers", nargs="*", default=list(SERVERS), choices=SERVERS)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--serve", nargs=4, metavar="WHAT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        server, tools, way, port = options.serve
        serve(server, int(tools), way, int(port))
        return
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Lockgate: {kind()}; load {load}; {options.rounds} rounds")
    if not options.http:
        _without_sockets(options.servers, options.tools, options.rounds)
        return
    print(
        f"{'server':<10}{'tools':>6}  {'era':<10}{'way':<22}{'CPU us':>8}{'p50 us':>8}{'ratio':>7}"
    )
    for server, tools in product(options.servers, options.tools):
        found = measured(server, tools, options.rounds, options.seconds)
        for (era, way), one in found.items():
            cpu, p50 = min(one.cpu), min(one.p50)
            ratio = cpu / min(found[era, WAYS[0]].cpu)
            print(f"{server:<10}{tools:>6}  {era:<10}{way:<22}{cpu:>8.0f}{p50:>8.0f}{ratio:>7.2f}")


if __name__ == "__main__":
    main()
