"""The start-up table: one row per server, and what to do about those that are not ready.

Must not know: gateways; it shows `ServerStatus` values.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lockgate.cli.terminal import coded, console, hang, show_remedy, visible
from lockgate.gateway.status import ServerStatus

_STYLES: Final = {
    "ready": "green",
    "idle": "cyan",
    "connecting": "yellow",
    "needs-login": "magenta",
    "backoff": "red",
    "crash-looping": "bold red",
}
_WORDS: Final = {
    "idle": "lazy",
    "connecting": "starting",
    "backoff": "failed",
    "needs-login": "needs login",
}


def show_servers(servers: Sequence[ServerStatus]) -> None:
    """The table on a terminal, one plain line per server elsewhere; to stderr."""
    if sys.stderr.isatty():
        _show_table(servers)
    else:
        for server in servers:
            console(stderr=True).print(Text(_line(server)))
    for server in servers:
        if server.error:
            _show_error(server)


def _cells(server: ServerStatus) -> list[str]:
    return [
        visible(server.name),
        server.transport,
        ", ".join(server.eras) or "-",
        _state(server),
        "-" if server.tools is None else str(server.tools),
        "-" if server.seconds is None else f"{server.seconds:.2f} s",
    ]


def _state(server: ServerStatus) -> str:
    retrying = server.error and server.phase == "connecting"
    word = "retrying" if retrying else _word(server.phase)
    if server.replicas:
        well = sum(one.phase == "ready" for one in server.replicas)
        word = f"{word} ({well} of {len(server.replicas)})"
    return word if server.breaker == "closed" else f"{word} (breaker {server.breaker})"


def _word(phase: str) -> str:
    return _WORDS.get(phase, phase)


def _show_table(servers: Sequence[ServerStatus]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("server", "transport", "era", "state"):
        table.add_column(heading, overflow="fold")
    for heading in ("tools", "time"):
        table.add_column(heading, justify="right")
    for server in servers:
        cells = [Text(cell) for cell in _cells(server)]
        cells[3].stylize(_STYLES.get(server.phase, "") if server.breaker == "closed" else "red")
        table.add_row(*cells)
    console(stderr=True).print(table)


def _line(server: ServerStatus) -> str:
    name, transport, eras, state, tools, seconds = _cells(server)
    return f"server {name}: {state} transport={transport} era={eras} tools={tools} time={seconds}"


def show_server(server: ServerStatus) -> None:
    """One server that was not yet there when the table was shown."""
    console(stderr=True).print(Text(_line(server)))
    if server.error:
        _show_error(server)


def _show_error(server: ServerStatus) -> None:
    out = console(stderr=True)
    why = visible(server.error or "").removesuffix(".")
    hang(
        out,
        Text.assemble(
            (visible(server.name), "bold"), f": {why}; {_when(server)}", coded(server.code)
        ),
    )
    show_remedy(out, server.remedy)


def _when(server: ServerStatus) -> str:
    if server.phase == "needs-login":
        return "it waits for one"
    if server.retry_in is None:
        return "it is being tried again"
    return f"next attempt in {max(server.retry_in, 1):.0f} s"


def summary(servers: Sequence[ServerStatus]) -> str:
    """`3 of 4 servers ready, 27 tools`."""
    ready = sum(server.phase in ("ready", "idle") for server in servers)
    tools = sum(server.tools or 0 for server in servers)
    servers_word = f"server{'s' * (len(servers) != 1)}"
    return f"{ready} of {len(servers)} {servers_word} ready, {tools} tool{'s' * (tools != 1)}"
