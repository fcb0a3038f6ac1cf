"""`lockgate check [CONFIG]`: what this machine can hold servers to, and what each is held to.

Must not know: how anything is enforced. Starts no server.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lockgate.cli import exits
from lockgate.cli.options import examined
from lockgate.cli.terminal import console, hang, visible
from lockgate.gateway.holding import HostReport, ServerReport, host_report, server_reports

_SIGNS: Final = {True: ("yes", "green"), False: ("no", "red"), None: ("-", "dim")}


@click.command("check", epilog=exits.epilog())
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--host", "host_too", is_flag=True, help="With CONFIG: report on this machine, too.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(config: Path | None, host_too: bool, as_json: bool) -> int:
    """Say what this machine can hold stdio servers to, and with CONFIG what each is held to.

    Ends with 0 if all of it can be enforced (both levels, or what CONFIG asks for), and with 1 if
    not, or if a server would not be started. One that may run with less is not held to all.
    """
    host = host_report() if config is None or host_too else None
    servers = None if config is None else server_reports(examined(config)[1])
    if as_json:
        click.echo(json.dumps(_plain(host, servers), indent=2, ensure_ascii=False))
    else:
        if host is not None:
            _show_host(host)
        if servers is not None:
            _show_servers(servers)
    if servers is not None:
        fine = all(one.starts and not one.lacks for one in servers)
        return exits.OK if fine else exits.FAILED
    return exits.OK if host is None or host.fit else exits.FAILED


def _plain(host: HostReport | None, servers: list[ServerReport] | None) -> dict[str, Any]:
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


def _show_host(host: HostReport) -> None:
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


def _show_servers(servers: Sequence[ServerReport]) -> None:
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
