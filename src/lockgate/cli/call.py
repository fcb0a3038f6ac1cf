"""`lockgate call`: one tool, once, from the terminal.

Must not know: how calls travel.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

import click

from lockgate.cli import exits, running, session
from lockgate.cli.arguments import BadArgument, parse
from lockgate.cli.options import (
    config_argument,
    endpoint_option,
    load_config,
    log_options,
    start_log,
)
from lockgate.cli.render import show_result
from lockgate.cli.terminal import Waiting, console, say, say_error, waiting
from lockgate.cli.tools import signature
from lockgate.config.model import Config
from lockgate.core.message import Notification
from lockgate.core.names import nearest
from lockgate.errors import CallFailed, ServerUnavailable, UnfitCall
from lockgate.gateway.status import ServerStatus

_WORDS = """\
\b
Values take the type the tool declares. Also:
  key=a key=b     a list
  outer.inner=1   a member of an object
  key:=JSON       any JSON value
"""


@click.command("call", epilog=f"{_WORDS}\n\n{exits.epilog()}")
@config_argument
@click.argument("tool")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--args", "given", help="Arguments as one JSON object; - reads it from stdin.")
@click.option("--json", "as_json", is_flag=True, help="The result as the server gave it.")
@endpoint_option
@log_options
def command(
    config: Path,
    tool: str,
    words: tuple[str, ...],
    given: str | None,
    as_json: bool,
    endpoint: str | None,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Call TOOL and show its result."""
    loaded, _ = load_config(config)
    start_log(loaded, log_level, log_format, fallback="error")
    start = _given(given)
    narrowed = session.only_for(loaded, tool, endpoint)
    result = running.run(_call(narrowed, tool, words, start, endpoint))
    return _show(tool, result, as_json)


def _given(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value: Any = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise click.UsageError(f"--args is no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise click.UsageError("--args must be a JSON object.")
    return cast("dict[str, Any]", value)


async def _call(
    config: Config,
    tool: str,
    words: tuple[str, ...],
    start: dict[str, Any],
    endpoint: str | None,
) -> dict[str, Any]:
    async with session.running(config) as gateway:
        session.require_any(gateway.servers())
        tools = await session.all_tools(gateway, endpoint)
        found = next((one for one in tools if one.get("name") == tool), None)
        if found is None:
            why = gateway.withheld().get(tool)
            if why is not None:
                raise CallFailed(why)
            _unknown_tool(tool, [str(one.get("name")) for one in tools], gateway.servers())
        schema = cast("dict[str, Any]", found.get("inputSchema") or {})
        try:
            arguments = parse(words, schema, start)
        except BadArgument as error:
            usage = " ".join((tool, *signature(found)))
            raise UnfitCall(
                f"{tool}: {error}", f"Its arguments, * for required: {usage}"
            ) from error
        with waiting(f"Calling {tool}") as shown:
            return await gateway.request(
                "tools/call",
                {"name": tool, "arguments": arguments},
                on_notification=_progress(tool, shown),
                endpoint=endpoint,
            )


def _unknown_tool(tool: str, names: list[str], servers: list[ServerStatus]) -> NoReturn:
    away = session.absent(servers)
    if away:
        for server in away:
            say_error(session.why_absent(server), server.remedy, server.code)
        raise ServerUnavailable(
            f"No tool is called {tool!r}; it may be one of a server that is not ready."
        )
    guess = nearest(tool, names)
    hint = f"Did you mean {guess!r}?" if guess else "`lockgate tools` lists them."
    raise UnfitCall(f"No tool is called {tool!r}.", hint)


def _progress(tool: str, shown: Waiting) -> Callable[[Notification], None]:
    """Shows progress and log messages of the call while it runs."""

    def take(notification: Notification) -> None:
        params = notification.params
        if notification.method == "notifications/progress":
            done, total = params.get("progress"), params.get("total")
            share = f" {done:g}" if isinstance(done, int | float) else ""
            share += f" of {total:g}" if share and isinstance(total, int | float) else ""
            shown.update(f"Calling {tool}:{share} {params.get('message') or ''}")
        elif notification.method == "notifications/message":
            data = params.get("data")
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            say(f"{params.get('level', 'info')}: {text}", "dim")

    return take


def _show(tool: str, result: dict[str, Any], as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif "inputRequests" not in result:
        show_result(result, console())
    if "inputRequests" in result:
        say_error(
            f"{tool} asks for input before it can go on, which this command cannot give.",
            "Call it from an MCP client.",
        )
        return exits.FAILED
    if result.get("isError"):
        say_error(f"{tool} reported an error.", None)
        return exits.TOOL_ERROR
    return exits.OK
