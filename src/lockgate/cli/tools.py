"""`lockgate tools`: what a configuration offers.

Must not know: how lists are gathered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

import click
from rich.text import Text

from lockgate.cli import exits, running, session
from lockgate.cli.arguments import kinds
from lockgate.cli.options import (
    config_argument,
    endpoint_option,
    load_config,
    log_options,
    start_log,
)
from lockgate.cli.terminal import console, say_error, visible
from lockgate.config.model import Config
from lockgate.core.codes import CODES
from lockgate.core.message import Failure
from lockgate.gateway.status import ServerStatus


@click.command("tools", epilog=exits.epilog())
@config_argument
@click.option("--json", "as_json", is_flag=True, help="The tools as the servers define them.")
@endpoint_option
@log_options
def command(
    config: Path,
    as_json: bool,
    endpoint: str | None,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """List the tools that CONFIG offers, with their arguments.

    An argument with * is required. Servers that are not ready are named on stderr.
    """
    loaded, _ = load_config(config)
    start_log(loaded, log_level, log_format, fallback="error")
    tools, servers, withheld = running.run(
        _list(session.as_written(session.only_at(loaded, endpoint)), endpoint)
    )
    if as_json:
        click.echo(json.dumps(tools, indent=2, ensure_ascii=False))
    else:
        _show(tools)
    _report_withheld(withheld)
    return _report_absent(servers)


async def _list(
    config: Config, endpoint: str | None
) -> tuple[list[dict[str, Any]], list[ServerStatus], dict[str, Failure]]:
    async with session.running(config) as gateway:
        session.require_any(gateway.servers())
        tools = await session.all_tools(gateway, endpoint)
        return tools, gateway.servers(), gateway.withheld()


def _report_withheld(withheld: dict[str, Failure]) -> None:
    """Say what is missing from the list, by what can be done about it."""
    by_remedy: dict[tuple[str, str | None], list[str]] = {}
    for name, why in withheld.items():
        by_remedy.setdefault((why.reason, why.remedy), []).append(name)
    for (reason, remedy), names in by_remedy.items():
        said = f"Withheld from clients: {', '.join(sorted(names))}."
        say_error(visible(said), remedy, CODES.get(reason))


def _report_absent(servers: list[ServerStatus]) -> int:
    away = session.absent(servers)
    for server in away:
        say_error(session.why_absent(server), server.remedy, server.code)
    return exits.UNAVAILABLE if away else exits.OK


def _show(tools: list[dict[str, Any]]) -> None:
    out = console()
    if not tools:
        out.print("No tools.")
    for tool in tools:
        out.print(_heading(tool))
        description = _first_line(str(tool.get("description") or tool.get("title") or ""))
        if description:
            out.print(Text(f"    {visible(description)}", "dim"))


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return f"{lines[0]} …" if len(lines) > 1 else "".join(lines)


def _heading(tool: dict[str, Any]) -> Text:
    line = Text.assemble((visible(str(tool.get("name"))), "bold"))
    for argument in signature(tool):
        name, kind = argument.rsplit(":", 1)
        line.append_text(Text.assemble((f" {visible(name)}", "cyan"), (f":{visible(kind)}", "dim")))
    return line


def signature(tool: dict[str, Any]) -> list[str]:
    """The arguments of a tool as `name:type`, with * after the names of required ones."""
    schema = _object(tool.get("inputSchema"))
    wanted = schema.get("required")
    required = cast("list[Any]", wanted) if isinstance(wanted, list) else []
    return [
        f"{name}{'*' * (name in required)}:{_kind(_followed(_object(described), schema))}"
        for name, described in _object(schema.get("properties")).items()
    ]


def _followed(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference into the schema's own definitions stands for; anything else as it is."""
    where = described.get("$ref")
    for root in ("$defs", "definitions"):
        if isinstance(where, str) and where.startswith(f"#/{root}/"):
            return _object(_object(schema.get(root)).get(where.removeprefix(f"#/{root}/")))
    return described


_MOST_MEMBERS: Final = 8
"""Of an object among the arguments, to be named in its place."""


def _object(value: object) -> dict[str, Any]:
    """What a server sent where an object belongs; empty for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _kind(described: dict[str, Any]) -> str:
    found = "|".join(sorted(kinds(described), key=lambda kind: kind == "null")) or "any"
    members = _object(described.get("properties"))
    if found != "object" or not members or len(members) > _MOST_MEMBERS:
        return found
    wanted = described.get("required")
    required = cast("list[Any]", wanted) if isinstance(wanted, list) else []
    return "{" + ",".join(f"{name}{'*' * (name in required)}" for name in members) + "}"
