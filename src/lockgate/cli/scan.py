"""`lockgate scan`: what is suspicious in a configuration, a server or a file of definitions.

Must not know: what any finding means, or how definitions are judged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import msgspec

from lockgate.cli import exits
from lockgate.cli.scanned import Subject, lines
from lockgate.errors import LockgateError

_WORDS: Final = """\
\b
WHAT is one of
  CONFIG   a configuration, and what its servers list when they are asked
  URL      an MCP endpoint, asked for what it lists
  FILE     JSON Lines, one definition a line; - is standard input
"""
_GRADES: Final = {"block": exits.FOUND_BLOCK, "review": exits.FOUND_REVIEW}


@click.command("scan", epilog=f"{_WORDS}\n\n{exits.epilog()}")
@click.argument("what")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--sarif", "form", flag_value="sarif", help="SARIF 2.1.0, for code scanning.")
@click.option(
    "--fail-on",
    type=click.Choice(["block", "review", "never"]),
    default="review",
    show_default=True,
    help="The least severity that the exit code tells of.",
)
@click.option(
    "--no-start",
    is_flag=True,
    help="Of a CONFIG, look at the configuration alone; start and ask no server.",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help="For a URL: the variable that holds a token or API key; never the token itself.",
)
def command(
    what: str, form: str | None, fail_on: str, no_start: bool, token_env: str | None
) -> int:
    """Scan definitions for what manipulates models: poisoning, concealment, hidden text.

    Nothing leaves this machine but the requests to the servers that are scanned.
    """
    if token_env is not None and not os.environ.get(token_env):
        raise click.UsageError(f"--token-env: the variable {token_env} is not set.")
    subjects = _subjects(what, start=not no_start, token_env=token_env)
    if form == "json":
        return _code(_written(subjects), fail_on)
    if form == "sarif":
        from lockgate.cli.sarif import report  # noqa: PLC0415 - only for those who ask for it

        found = list(subjects)
        click.echo(report(found))
        return _code(found, fail_on)
    from lockgate.cli.scan_shown import shown  # noqa: PLC0415 - rich is slow to import

    return _code(shown(subjects), fail_on)


def _subjects(what: str, *, start: bool, token_env: str | None) -> Iterable[Subject]:
    if what == "-":
        return lines("<stdin>", sys.stdin.buffer)
    path = Path(what)
    if not what.startswith(("http://", "https://")) and _is_lines(path):
        return _of_file(path)
    from lockgate.cli.scan_servers import of_config, of_url  # noqa: PLC0415 - needs the gateway

    return of_url(what, token_env) if "://" in what else of_config(path, start=start)


def _is_lines(path: Path) -> bool:
    """Whether a file holds definitions, and no configuration."""
    if path.suffix in (".jsonl", ".ndjson"):
        return True
    if path.suffix in (".yaml", ".yml", ".toml"):
        return False
    try:
        with path.open("rb") as file:
            first = file.readline(1_000_000)
    except OSError:
        return False
    try:
        value = msgspec.json.decode(first, type=dict[str, object])
    except msgspec.MsgspecError:
        return False
    return not {"mcpServers", "servers", "mcp"} & value.keys()


def _of_file(path: Path) -> Iterator[Subject]:
    try:
        with path.open("rb") as file:
            yield from lines(str(path), _bounded(file))
    except OSError as error:
        raise LockgateError(
            f"{path} cannot be read: {error.strerror}.",
            "Name a file of definitions, a configuration or a URL.",
            reason="scan-unreadable",
        ) from error


def _bounded(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; one that is too long is passed on short, to be refused."""
    from lockgate.cli.scanned import LONGEST_LINE  # noqa: PLC0415 - beside its only use

    while line := file.readline(LONGEST_LINE + 2):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
            if not line:
                return


def _written(subjects: Iterable[Subject]) -> Iterator[Subject]:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for subject in subjects:
        out.write(encode(_plain(subject)) + b"\n")
        yield subject
    out.flush()


def _plain(subject: Subject) -> dict[str, Any]:
    plain: dict[str, Any] = {"severity": subject.severity, "findings": subject.findings}
    for name in ("name", "kind", "server", "line", "error"):
        value = getattr(subject, name)
        if value is not None:
            plain[name] = value
    return plain


def _code(subjects: Iterable[Subject], fail_on: str) -> int:
    """The exit code: findings before what could not be read."""
    grades: set[str | None] = {one.severity for one in subjects}
    failing = {"block": ("block",), "review": ("block", "review"), "never": ()}[fail_on]
    for grade in failing:
        if grade in grades:
            return _GRADES[grade]
    return exits.FAILED if None in grades else exits.OK
