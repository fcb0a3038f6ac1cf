"""`lockgate login` and `lockgate logout`: an account at a server, from the terminal.

Must not know: how logins work, where they are kept.
"""

from __future__ import annotations

import asyncio
import webbrowser
from pathlib import Path
from typing import Final

import click

from lockgate.cli import exits, running
from lockgate.cli.options import load_config, log_options, start_log
from lockgate.cli.terminal import say
from lockgate.config.model import Config
from lockgate.gateway.logging_in import LoggingIn

WITHIN: Final = 600.0
_server: Final = click.argument("server")
_config: Final = click.argument(
    "config", type=click.Path(path_type=Path), default=Path("mcp.json"), required=False
)
_owner: Final = click.option(
    "--as",
    "owner",
    metavar="ID",
    help="Whose login it is, where callers of the gateway are told apart: a principal's id.",
)


@click.command("login", epilog=exits.epilog())
@_server
@_config
@_owner
@click.option("--no-browser", is_flag=True, help="Only print the address; open no browser.")
@click.option(
    "--paste",
    is_flag=True,
    help="The browser is on another machine: paste the address it ends at.",
)
@log_options
def command(
    server: str,
    config: Path,
    owner: str | None,
    no_browser: bool,
    paste: bool,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Log in to SERVER of CONFIG (mcp.json), in a browser.

    The login is kept, sealed, where the gateway of the same CONFIG finds it; one that runs already
    takes it over by itself.
    """
    loaded, _ = load_config(config)
    start_log(loaded, log_level, log_format, fallback="error")
    opens = not (no_browser or paste)
    running.run(_log_in(loaded, server, owner, opens=opens, paste=paste))
    say(f"Logged in to {server}.")
    return exits.OK


async def _log_in(
    config: Config, server: str, owner: str | None, *, opens: bool, paste: bool
) -> None:
    logging_in = LoggingIn(config, server, owner)
    try:
        address = await logging_in.begin()
        say("Open this address and log in:")
        click.echo(address)
        if opens:
            await asyncio.to_thread(webbrowser.open, address)
        if paste:
            ended = await asyncio.to_thread(click.prompt, "The address the browser ended at")
            await logging_in.pasted(str(ended))
        await logging_in.finished(1.0 if paste else WITHIN)
    finally:
        await logging_in.close()


@click.command("logout", epilog=exits.epilog())
@_server
@_config
@_owner
@log_options
def logout(
    server: str, config: Path, owner: str | None, log_level: str | None, log_format: str | None
) -> int:
    """Forget the login at SERVER of CONFIG (mcp.json), and end it there."""
    loaded, _ = load_config(config)
    start_log(loaded, log_level, log_format, fallback="error")
    had = running.run(_log_out(loaded, server, owner))
    say(f"Logged out of {server}." if had else f"There was no login at {server}.")
    return exits.OK


async def _log_out(config: Config, server: str, owner: str | None) -> bool:
    logging_in = LoggingIn(config, server, owner)
    try:
        return await logging_in.log_out()
    finally:
        await logging_in.close()
