"""`lockgate config check|show|schema|import`.

Must not know: how the gateway runs. These commands start nothing.
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

from lockgate.cli import exits
from lockgate.cli.options import config_argument
from lockgate.cli.terminal import console, show_findings, visible
from lockgate.config import show as effective
from lockgate.config.clients import Places, sources
from lockgate.config.finding import Finding
from lockgate.config.gather import Gathered, Line, gather, write, written
from lockgate.config.load import examine
from lockgate.config.schema import schema as written_schema
from lockgate.errors import ConfigError, LockgateError
from lockgate.gateway.key_files import review_keys
from lockgate.gateway.launches import review_launches

_json_flag = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group("config")
def command() -> None:
    """Check, show or import configurations."""


@command.command("check")
@config_argument
@_json_flag
def check(config: Path, as_json: bool) -> int:
    """Say what is wrong with CONFIG, where, and what to do (exit code 2 on errors)."""
    loaded = examine(config, os.environ)
    review_launches(loaded)
    review_keys(loaded)
    findings = loaded.findings.ordered()
    if as_json:
        click.echo(json.dumps([_written(one) for one in findings], indent=2, ensure_ascii=False))
        return exits.USAGE if loaded.findings.fatal else exits.OK
    show_findings(findings, to_stderr=False)
    if loaded.config is None or loaded.findings.fatal:
        return exits.USAGE
    servers, off = len(loaded.config.enabled), len(loaded.config.servers)
    more = f", {off - servers} disabled" if off > servers else ""
    console().print(f"{config} is usable: {servers} server{'s' * (servers != 1)}{more}.")
    return exits.OK


@command.command("show")
@config_argument
@_json_flag
def show(config: Path, as_json: bool) -> None:
    """Print the configuration in effect, defaults filled in and secrets masked."""
    loaded = examine(config, os.environ)
    if loaded.config is None or loaded.tree is None:
        raise ConfigError(loaded.findings.ordered())
    values = effective.shown(loaded.config, loaded.tree)
    click.echo(effective.as_json(values) if as_json else effective.as_yaml(values))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors."""
    click.echo(json.dumps(written_schema(), indent=2, ensure_ascii=False))


@command.command("import")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False), default="lockgate.json")
@click.option("--force", is_flag=True, help="Replace OUTPUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="The folder whose project files (.mcp.json, .vscode, .cursor, …) are read too.",
)
@_json_flag
def import_(output: Path, force: bool, dry_run: bool, project: Path, as_json: bool) -> int:
    """Gather the servers of the MCP clients installed here into OUTPUT.

    The clients' own files are read and never changed. OUTPUT holds the values as they are, secrets
    included, so only you can read it.
    """
    places = Places.of(os.environ, sys.platform, project.absolute())
    looked = [one for one in sources(places) if one.path.absolute() != output.absolute()]
    gathered = gather(looked)
    if as_json:
        click.echo(json.dumps(_plain(gathered), indent=2, ensure_ascii=False))
    else:
        _report(gathered.lines)
    if not gathered.servers:
        raise LockgateError(
            "No servers were found in the files of the clients known here; nothing was written.",
            'Name a folder with a project\'s files with --project, or write {"mcpServers": {…}}.',
            reason="nothing-to-import",
        )
    if not dry_run:
        _write(output, gathered, force)
    return exits.OK


def _written(finding: Finding) -> dict[str, Any]:
    return {"code": finding.code, **msgspec.to_builtins(finding)}


def _plain(gathered: Gathered) -> dict[str, Any]:
    return {"servers": list(gathered.servers), "found": msgspec.to_builtins(gathered.lines)}


_SAYS = {
    "taken": "imported",
    "renamed": "imported as {name!r}: another server has its name",
    "same": "the same as {name!r}; one is enough",
    "itself": "left out: it is Lockgate",
    "unreadable": "cannot be read: {detail}",
    "none": "has no servers",
}


def _report(lines: list[Line]) -> None:
    out = console(stderr=True)
    heading = ""
    for line in lines:
        above = f"{line.client}  {line.path}"
        if above != heading:
            heading = above
            out.print(Text.assemble((line.client, "bold"), "  ", (visible(line.path), "dim")))
        said = _SAYS[line.outcome].format(name=line.name, detail=line.detail)
        what = f"  {line.server}: {said}" if line.server else f"  {said}"
        out.print(Text(visible(what)))


def _write(output: Path, gathered: Gathered, force: bool) -> None:
    try:
        write(output, written(gathered.servers, output.suffix), force=force)
    except FileExistsError as error:
        raise LockgateError(
            f"{output} exists and was left as it is.",
            "Give another name, or --force to replace it.",
            reason="output-exists",
        ) from error
    except OSError as error:
        raise LockgateError(
            f"{output} cannot be written: {error.strerror}.",
            "Check the folder.",
            reason="output-unwritable",
        ) from error
    number = len(gathered.servers)
    click.echo(
        f"Wrote {output} with {number} server{'s' * (number != 1)}, readable by you only because "
        f"it may hold secrets.\nNext: lockgate config check {output}, then lockgate up {output}",
        err=True,
    )
