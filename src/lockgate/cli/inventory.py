"""`lockgate inventory`: which servers this machine's clients reach, and which past the gateway.

Must not know: where clients keep their files (config.clients) or how ports are asked (listeners).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from lockgate.cli import exits, running
from lockgate.cli.listeners import listening, speaking
from lockgate.cli.options import examined
from lockgate.cli.terminal import console, visible
from lockgate.config.clients import Places, sources
from lockgate.config.inventory import Found, inventory
from lockgate.config.model import Config


@click.command("inventory", epilog=exits.epilog())
@click.argument(
    "config", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="The folder whose project files (.mcp.json, .vscode, .cursor, …) are read too.",
)
@click.option(
    "--listeners",
    is_flag=True,
    help="Ask every port that is listened on here whether it speaks MCP, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(config: Path | None, project: Path, listeners: bool, as_json: bool) -> int:
    """Find the MCP servers that clients on this machine use, and those that bypass the gateway.

    With CONFIG, addresses of its gateway are known as such, and so are servers that it has. Exits
    with 1 if anything goes past the gateway.
    """
    ours = None if config is None else examined(config)[1]
    places = Places.of(os.environ, sys.platform, project.absolute())
    looked = [one for one in sources(places) if config is None or one.path != config.absolute()]
    found = inventory(looked, ours)
    open_ports = running.run(speaking(_foreign(listening(), ours))) if listeners else []
    if as_json:
        click.echo(json.dumps(_plain(found, open_ports), indent=2, ensure_ascii=False))
    else:
        _report(found, open_ports, listeners)
    past = bool(open_ports) or any(one.way == "past" for one in found)
    return exits.FAILED if past else exits.OK


def _foreign(ports: list[int], config: Config | None) -> list[int]:
    own = None if config is None else config.lockgate.port
    return [port for port in ports if port != own]


def _plain(found: list[Found], open_ports: list[tuple[int, str]]) -> dict[str, Any]:
    return {
        "clients": msgspec.to_builtins(found),
        "listeners": [{"port": port, "path": path} for port, path in open_ports],
    }


_SAYS = {
    "gateway": ("through the gateway", "green"),
    "past": ("past the gateway", "yellow"),
    "unreadable": ("cannot be read: {detail}", "red"),
}


def _report(found: list[Found], open_ports: list[tuple[int, str]], listeners: bool) -> None:
    out = console()
    heading = ""
    for one in found:
        above = f"{one.client}  {one.path}"
        if above != heading:
            heading = above
            out.print(Text.assemble((one.client, "bold"), "  ", (visible(one.path), "dim")))
        said, style = _SAYS[one.way]
        said = said.format(detail=visible(one.detail or ""))
        name = f"  {visible(one.server)} ({visible(one.where or '?')}): " if one.server else "  "
        known = f"; the gateway has it as {one.known!r}" if one.known else ""
        out.print(Text.assemble(name, (said, style), known))
    for port, path in open_ports:
        out.print(
            Text.assemble(f"127.0.0.1:{port}{path}: ", ("speaks MCP on this machine", "yellow"))
        )
    if not found:
        out.print("No client known here has a server configured.")
    if listeners and not open_ports:
        out.print("Nothing else that listens on this machine speaks MCP.")
