"""What this machine can hold stdio servers to, and what each is held to, for people and machines.

Must not know: how anything is enforced. Starts no server.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lockgate.cli.terminal import console, hang, visible
from lockgate.gateway.holding import HostReport, ServerReport

_SIGNS: Final = {True: ("yes", "green"), False: ("no", "red"), None: ("-", "dim")}


def plain(host: HostReport | None, servers: Sequence[ServerReport] | None) -> dict[str, Any]:
    """Both as values of JSON; what is None is left out."""
    found: dict[str, Any] = {}
    if host is not None:
        found["host"] = msgspec.to_builtins(host)
    if servers is not None:
        found["servers"] = msgspec.to_builtins(servers)
    return found


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def show_host(host: HostReport) -> None:
    """What the machine has, and what can be asked of it."""
    out = console()
    plain = not sys.stdout.isatty()
    means = [(one.name, one.there, one.says) for one in host.means]
    offers = [(one.asked, one.enforced, "; ".join(one.lacks)) for one in host.offers]
    out.print(Text(f"This machine: {visible(host.system)}"))
    for heading, rows in (("has", means), ("can be asked of a sandbox", offers)):
        if plain:
            for name, there, says in rows:
                hang(out, Text(f"{name}: {_SIGNS[there][0]}{f', {visible(says)}' * bool(says)}"))
            continue
        table = _table(heading, "", "")
        for name, there, says in rows:
            table.add_row(Text(name), Text(*_SIGNS[there]), Text(visible(says)))
        out.print(table)
    _show_remedies([remedy for one in host.offers for remedy in one.remedies])


def show_servers(servers: Sequence[ServerReport]) -> None:
    """What each server is held to."""
    out = console()
    if not servers:
        out.print("No stdio server is enabled: there is nothing to put in a sandbox.")
        return
    if sys.stdout.isatty():
        table = _table("server", "sandbox", "network", "enforced", "")
        for one in servers:
            table.add_row(*(Text(cell) for cell in _cells(one)))
        out.print(table)
    else:
        for one in servers:
            name, level, network, enforced, says = _cells(one)
            hang(out, Text(f"server {name}: {level} network={network} enforced={enforced}: {says}"))
    _show_remedies([remedy for one in servers for remedy in one.remedies])


def _cells(one: ServerReport) -> list[str]:
    if one.level == "off":
        return [visible(one.name), "off", "any", "-", "it may do whatever Lockgate may"]
    enforced = "yes" if not one.lacks else "in part" if one.starts else "no"
    says = "; ".join(one.lacks) if one.lacks else ", ".join(one.holds)
    if one.unpinned is not None:
        says = f"{one.unpinned}, and its packages have to be pinned"
    if not one.starts:
        says = f"it will not be started: {says}"
    return [visible(one.name), one.level, visible(one.network), enforced, visible(says)]


def _show_remedies(remedies: Sequence[str]) -> None:
    for remedy in dict.fromkeys(remedies):
        hang(console(), Text(f"→ {remedy.rstrip('.')}."))
