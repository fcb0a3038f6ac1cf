"""The start-up table: one row per server, and what to do about those that are not ready.

Must not know: gateways; it shows `ServerStatus` values.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lockgate.cli.terminal import coded, console, hang, show_remedy, visible
from lockgate.gateway.status import ServerStatus, Withheld

_STYLES: Final = {
    "ready": "green",
    "idle": "cyan",
    "connecting": "yellow",
    "needs-login": "magenta",
    "muted": "magenta",
    "backoff": "red",
    "crash-looping": "bold red",
}
_WORDS: Final = {
    "idle": "lazy",
    "connecting": "starting",
    "backoff": "failed",
    "needs-login": "needs login",
    "muted": "withheld",
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
        _tools(server),
        "-" if server.seconds is None else f"{server.seconds:.2f} s",
    ]


def _tools(server: ServerStatus) -> str:
    if server.tools is None:
        return "-"
    shown = server.tools - server.tools_withheld
    return str(shown) if shown == server.tools else f"{shown} of {server.tools}"


def _phase(server: ServerStatus) -> str:
    return "muted" if server.muted else server.phase


def _state(server: ServerStatus) -> str:
    retrying = server.error and server.phase == "connecting"
    word = "retrying" if retrying else _word(_phase(server))
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
        cells[3].stylize(_STYLES.get(_phase(server), "") if server.breaker == "closed" else "red")
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
    """`3 of 5 servers ready, 1 withheld, 27 tools (4 more withheld)`."""
    ready = sum(server.phase in ("ready", "idle") and not server.muted for server in servers)
    muted = sum(server.muted for server in servers)
    withheld = sum(server.tools_withheld for server in servers)
    tools = sum(server.tools or 0 for server in servers) - withheld
    servers_word = f"server{'s' * (len(servers) != 1)}"
    said = [f"{ready} of {len(servers)} {servers_word} ready"]
    said += [f"{muted} withheld"] if muted else []
    more = f" ({withheld} more withheld)" if withheld else ""
    return ", ".join([*said, f"{tools} tool{'s' * (tools != 1)}{more}"])


def advice(server: ServerStatus, config: str) -> list[tuple[str, str]]:
    """What of a server is withheld and why, and the command that shows it: once for each why."""
    found: dict[tuple[str, str], list[Withheld]] = {}
    for one in server.withheld:
        why, verb = _WITHHELD.get(one.reason, _FOUND)
        found.setdefault((why, verb), []).append(one)
    return [
        (
            f"{server.name}: {_counted(some)} withheld: {why}.",
            _command(verb, config, *([server.name] if verb == "approve" else [])),
        )
        for (why, verb), some in found.items()
    ]


_NEW: Final = "new, or changed since somebody approved them"
_FOUND: Final = "their definitions hold what manipulates models", "scan"
_WITHHELD: Final = {
    "pin-new": (_NEW, "approve"),
    "pin-changed": (_NEW, "approve"),
    "pin-server": ("nobody has approved this server", "approve"),
    "pin-denied": ("somebody denied them", "approve"),
    "pin-unreadable": ("malformed, so that nobody can approve them", "scan"),
}


def _command(*words: str) -> str:
    return f"lockgate {shlex.join(words)}"


def _counted(some: Sequence[Withheld]) -> str:
    counts: dict[str, int] = {}
    for one in some:
        counts[one.kind] = counts.get(one.kind, 0) + one.count
    return ", ".join(f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items())


def show_withheld(servers: Sequence[ServerStatus], config: str) -> None:
    """What is withheld of these servers, and what to do; nothing where nothing is."""
    out = console(stderr=True)
    for server in servers:
        for what, how in advice(server, config):
            hang(out, Text(visible(what)))
            show_remedy(out, how)
