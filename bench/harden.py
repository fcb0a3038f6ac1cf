"""What hardening a server in its own process costs a call: `python -m bench.harden`.

Must not know: policies. Each server is run three ways, each in a process of its own: as it is under
uvicorn, hardened under uvicorn, and hardened behind Lockgate's own web server. wrk makes the same
small call to each in turn, over one connection, in interleaved rounds. Figures are the best of the
rounds, for what else a machine does can only add to them: processor time of the server's process
for one call, and the time one call takes. The configuration is the default one, so everything that
is on by default is on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final, Literal

import uvicorn

import lockgate
from bench import wrk
from bench.cells import Era
from bench.messages import SCENARIOS, close_session, open_session
from bench.processes import usage
from lockgate.build import kind

WAYS: Final = ("as it is", "hardened", "hardened, own server")
SERVERS: Final = ("sdk", "lowlevel", "fastmcp")
ERAS: Final[tuple[Era, ...]] = ("modern", "handshake")
_CALL: Final = SCENARIOS[0]


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


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--tools", type=int, nargs="*", default=[1, 100])
    parser.add_argument("--servers", nargs="*", default=list(SERVERS), choices=SERVERS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", nargs=4, metavar="WHAT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        server, tools, way, port = options.serve
        serve(server, int(tools), way, int(port))
        return
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"Lockgate: {kind()}; load {load}; {options.rounds} rounds of {options.seconds} s, c=1")
    print(
        f"{'server':<10}{'tools':>6}  {'era':<10}{'way':<22}{'CPU us':>8}{'p50 us':>8}{'ratio':>7}"
    )
    for server, tools in product(options.servers, options.tools):
        found = measured(server, tools, options.rounds, options.seconds)
        for (era, way), one in found.items():
            cpu, p50 = min(one.cpu), min(one.p50)
            ratio = cpu / min(found[era, WAYS[0]].cpu)
            print(f"{server:<10}{tools:>6}  {era:<10}{way:<22}{cpu:>8.0f}{p50:>8.0f}{ratio:>7.2f}")
            if options.json:
                print(
                    json.dumps(
                        {"server": server, "tools": tools, "era": era, "way": way, **vars(one)}
                    )
                )


if __name__ == "__main__":
    main()
