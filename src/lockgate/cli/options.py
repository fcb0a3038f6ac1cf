"""Options and steps that several commands share: the file, the log, the loaded configuration.

Must not know: which command uses them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lockgate.config.finding import Finding
from lockgate.config.load import Loaded, examine
from lockgate.config.model import Config
from lockgate.errors import ConfigError
from lockgate.observe import log

Command = TypeVar("Command", bound=Callable[..., Any])


def config_argument(command: Command) -> Command:
    """The positional CONFIG."""
    return click.argument("config", type=click.Path(path_type=Path))(command)


def log_options(command: Command) -> Command:
    """`--log-level` and `--log-format`."""
    command = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        callback=_at_once,
        help="How log lines look on stderr.",
    )(command)
    return click.option(
        "--log-level",
        type=click.Choice(log.LEVELS),
        help=f"The least severe level logged; otherwise {log.VARIABLE}, then the file, decides.",
    )(command)


def _at_once(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """What is wrong with the configuration is told in this format too, before it can be read."""
    if value == "json":
        log.configure("info", "json")
    return value


endpoint_option = click.option(
    "--endpoint",
    metavar="PATH",
    help="The endpoint whose view counts; the first one, if left out.",
)


def examined(path: Path) -> tuple[Loaded, Config]:
    """What became of a file, and the configuration in it.

    Raises:
        ConfigError: the file has errors.
    """
    loaded = examine(path, os.environ)
    if loaded.config is None:
        raise ConfigError(loaded.findings.ordered())
    return loaded, loaded.config


def load_config(path: Path) -> tuple[Config, list[Finding]]:
    """The configuration in a file, and the warnings about it.

    Raises:
        ConfigError: the file has errors.
    """
    loaded, config = examined(path)
    return config, warnings_of(loaded)


def warnings_of(loaded: Loaded) -> list[Finding]:
    """What looks wrong in a file that works."""
    return [one for one in loaded.findings.ordered() if one.severity == "warning"]


def start_log(
    config: Config, level: str | None, form: str | None, *, fallback: str | None = None
) -> str:
    """Configure logging from flags, environment and file, in this order.

    `fallback` replaces the file's level, for commands whose user wants a result and no log.
    Returns the format in force, `text` or `json`.
    """
    settings = config.lockgate.log
    chosen = form or ("json" if settings.format == "json" else "text")
    log.configure(
        log.level_of(level, os.environ, fallback or settings.level),
        "json" if chosen == "json" else "text",
        config.secrets,
        coloured=log.colours(os.environ, sys.stderr),
    )
    return chosen
