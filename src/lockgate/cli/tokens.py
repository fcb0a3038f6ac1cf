"""`lockgate tokens`: what the tools of a configuration cost in every request of a model.

Must not know: how tokens are counted, or how anything is made shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lockgate.cli import exits, running, session
from lockgate.cli.access import endpoint_of, offered
from lockgate.cli.options import endpoint_option, load_config, log_options, start_log
from lockgate.cli.terminal import console, hang, say_error, visible
from lockgate.config.model import Config
from lockgate.context.bill import SHARE, Bill, Cost, bill
from lockgate.context.compact.levels import Level
from lockgate.context.tokens import DEFAULT, ENCODINGS, Count, Estimate, counter
from lockgate.gateway.exposing import exposures_of

_WORDS = """\
\b
WHAT is one of
  CONFIG   a configuration: its servers are asked for what they list
  FILE     tools as JSON: a list, a result of tools/list, or one tool a line
"""
_MOST_SHOWN = 10
_MOST_SERVERS = 15
_MOST_BYTES = 256 * 1024 * 1024
Tools = list[tuple[str, bytes]]


@click.command("tokens", epilog=f"{_WORDS}\n\n{exits.epilog()}")
@click.argument("what", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output, with every tool.")
@click.option(
    "--encoding",
    type=click.Choice(ENCODINGS),
    default=DEFAULT,
    show_default=True,
    help="The vocabulary that is counted in.",
)
@endpoint_option
@log_options
def command(
    what: Path,
    as_json: bool,
    encoding: str,
    endpoint: str | None,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Say how many tokens the tools of WHAT cost in every request, and what would save some.

    Counted is what models read of a tool: name, description and input schema, without the frame
    that each vendor puts around it. Without lockgate[tokens] it is estimated, and said so.
    """
    level: Level = "lossless"
    searches = False
    away: list[str] = []
    tools = _of_file(what)
    if tools is None:
        config, _ = load_config(what)
        start_log(config, log_level, log_format, fallback="error")
        path = endpoint_of(endpoint, config)
        level = config.compact(path).tools
        tools, away = running.run(_asked(session.only_at(config, path), path))
        searches = _searches(config, path, tools)
    count = counter(encoding)
    found = bill(tools, level, count)
    if as_json:
        click.echo(
            json.dumps(_plain(found, count, searches=searches), indent=2, ensure_ascii=False)
        )
    else:
        _show(found, count, searches=searches)
    for name in away:
        say_error(f"{visible(name)} is not ready, and not counted.", None)
    return exits.UNAVAILABLE if away else exits.OK


def _searches(config: Config, endpoint: str, tools: Tools) -> bool:
    """Whether models find tools there instead of reading a list of them all."""
    exposure = exposures_of(config).get(endpoint)
    if exposure is None or exposure.mode == "compact":
        return False
    if exposure.mode == "search":
        return True
    return bill(tools, config.compact(endpoint).tools, Estimate()).tokens > exposure.most


async def _asked(config: Config, endpoint: str) -> tuple[Tools, list[str]]:
    """What the servers list, and the names of those that do not answer."""
    async with session.running(config) as gateway:
        session.require_any(gateway.servers())
        await session.all_tools(gateway, endpoint)
        tools = [
            (server, definition.encode())
            for server, name, definition in gateway.tools_as_written()
            if offered(config, endpoint, server, "tool", name)
        ]
        return tools, [one.name for one in session.absent(gateway.servers())]


def _of_file(path: Path) -> Tools | None:
    """The tools in a file; None: it is a configuration."""
    if path.suffix in (".yaml", ".yml", ".toml"):
        return None
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise click.UsageError(f"{path} has more than {_MOST_BYTES} bytes.")
        data = path.read_bytes()
    except OSError:
        return None  # whoever reads configurations says what is wrong
    try:
        whole: Any = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        whole = _lines(data)
    if isinstance(whole, dict):
        members = cast("dict[str, Any]", whole)
        members = cast("dict[str, Any]", members.get("result", members))
        whole = members.get("tools", [members] if "inputSchema" in members else None)
    if not isinstance(whole, list) or not whole:
        return None
    return list(_read(cast("list[Any]", whole)))


def _lines(data: bytes) -> list[Any] | None:
    try:
        return [msgspec.json.decode(one) for one in data.splitlines() if one.strip()]
    except msgspec.MsgspecError:
        return None


def _read(tools: list[Any]) -> Iterator[tuple[str, bytes]]:
    for tool in tools:
        if isinstance(tool, dict):
            one = cast("dict[str, Any]", tool)
            one = cast("dict[str, Any]", one.get("tool", one))
            server = cast("dict[str, Any]", tool).get("server", "-")
            yield str(server), msgspec.json.encode(one)


def _plain(found: Bill, count: Count, *, searches: bool) -> dict[str, Any]:
    now = found.tokens
    return {
        "encoding": count.encoding,
        "exact": count.exact,
        "level": found.level,
        "searched": searches,
        "tokens": now,
        "servers": [
            {"server": one.server, "tools": one.tools, "tokens": one.tokens}
            for one in found.servers
        ],
        "tools": [
            {"server": one.server, "name": one.tool, "tokens": one.tokens} for one in found.tools
        ],
        "settings": [
            {
                "setting": one.setting,
                "tokens": one.tokens,
                "saved": now - one.tokens,
                "loses": one.loses,
            }
            for one in found.settings
        ],
    }


def _show(found: Bill, count: Count, *, searches: bool) -> None:
    out = console()
    servers, tools = len(found.servers), len(found.tools)
    hang(
        out,
        Text.assemble(
            f"Your {servers} server{'s' * (servers != 1)} with {tools} tool{'s' * (tools != 1)} "
            f"{'would cost' if searches else 'cost'} ",
            (f"{found.tokens:,} tokens", "bold"),
            " in every request",
            (f" ({count.encoding}, {'counted' if count.exact else 'estimated'}).", "dim"),
        ),
    )
    if not found.tokens:
        return
    if searches:
        cost = f"{found.searched.tokens:,}"
        hang(out, Text(f"They are found instead of listed, so a session costs some {cost}."))
    if len(found.servers) > 1:
        out.print(_table("server", _few(found.servers), found.tokens))
    most = found.most
    share = sum(one.tokens for one in most) / found.tokens
    if len(most) <= _MOST_SHOWN:
        plural = "s are" if len(most) != 1 else " is"
        said = (
            f"{'These ' if len(most) != 1 else 'This '}{len(most)} tool{plural} {share:.0%} of it:"
        )
    else:
        said = f"{len(most)} tools are {SHARE:.0%} of it; those that cost most:"
    out.print(Text(said))
    out.print(_table("tool", most[:_MOST_SHOWN], found.tokens))
    out.print(Text("What settings of this endpoint would make of it:"))
    out.print(_settings(found, searches=searches))
    if not count.exact:
        hang(out, Text("Install lockgate[tokens] to have tokens counted.", "dim"))


def _few(servers: Sequence[Cost]) -> list[Cost]:
    """Those that cost most, and what the others do together."""
    shown, rest = list(servers[:_MOST_SERVERS]), servers[_MOST_SERVERS:]
    if rest:
        tools, tokens = sum(one.tools for one in rest), sum(one.tokens for one in rest)
        shown.append(Cost(f"{len(rest)} more", None, tools, tokens))
    return shown


def _table(heading: str, costs: Sequence[Cost], total: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(heading, overflow="fold")
    if heading == "server":
        table.add_column("tools", justify="right")
    table.add_column("tokens", justify="right")
    table.add_column("share", justify="right")
    for one in costs:
        name = one.server if one.tool is None else _called(one.server, one.tool)
        cells = [visible(name), f"{one.tokens:,}", f"{one.tokens / total:.0%}"]
        if heading == "server":
            cells.insert(1, str(one.tools))
        table.add_row(*map(Text, cells))
    return table


def _called(server: str, tool: str) -> str:
    """The name that clients see, or where to find it."""
    return tool if tool.startswith(f"{server}__") else f"{server}/{tool}"


def _settings(found: Bill, *, searches: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", overflow="fold")
    for heading in ("tokens", "saves"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in found.settings:
        listed = one.setting == f"compact.tools: {found.level}"
        now = one == found.searched if searches else listed
        saves = 1 - one.tokens / found.tokens
        note = "now" if now else "models are told less" if one.loses else ""
        table.add_row(
            Text(one.setting, "bold" if now else ""),
            Text(f"{one.tokens:,}"),
            Text("-" if listed else f"{saves:.0%}"),
            Text(note, "dim"),
        )
    return table
