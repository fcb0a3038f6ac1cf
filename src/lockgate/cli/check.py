"""`lockgate check`: what is wrong with a server, or with every server of a configuration.

Must not know: how anything is looked at, or how it is shown.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click
import msgspec

from lockgate.cli import exits

if TYPE_CHECKING:
    from lockgate.cli.check_subjects import Wanted
    from lockgate.doctor.report import Report
    from lockgate.gateway.embedder_trial import EmbedderReport
    from lockgate.gateway.holding import ServerReport

_WORDS: Final = """\
\b
WHAT is one of
  URL      an MCP endpoint
  COMMAND  a server that is started, with its arguments; put -- before it if
           some of them begin with a dash: lockgate check -- npx -y package
  CONFIG   a configuration (.json, .yaml): every server in it, how far its
           sandbox can be held on this machine, and the embedder that tools are
           found with
Without WHAT, this machine: what it can hold stdio servers to.

Nothing is changed: of the tools, one is called only if it says that it only
reads and needs no argument.
"""
_CONFIGS: Final = frozenset({".json", ".jsonc", ".yaml", ".yml", ".toml"})
_GRAVE: Final = {"error": ("error",), "warning": ("error", "warning"), "never": ()}
Kind = Literal["url", "command", "config"]


class _Command(click.Command):
    """Says what to do when options of the server's own command are taken for ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{error.format_message()} If it belongs to the server's command, put -- before "
                "that command.",
                ctx,
            ) from None


@click.command("check", cls=_Command, epilog=f"{_WORDS}\n\n{exits.epilog()}")
@click.argument("what", nargs=-1)
@click.option("--verbose", "-v", is_flag=True, help="Show every exchange, without secrets.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything, without secrets, into a new file, to go with a bug report.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="The least severity that the exit code tells of.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1.0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest that one server may take in all.",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help="For a URL: the variable that holds a token or API key; never the token itself.",
)
@click.option(
    "--env",
    "env",
    multiple=True,
    metavar="NAME",
    help="For a COMMAND: a variable it is to get beside the small set that servers get.",
)
@click.option(
    "--origin",
    default="http://localhost:6274",
    show_default=True,
    metavar="ORIGIN",
    help="For HTTP: the page in a browser that CORS is looked at for.",
)
@click.option(
    "--no-start",
    is_flag=True,
    help="Of a CONFIG, say what servers are held to; start and ask none.",
)
@click.option("--host", "host_too", is_flag=True, help="With CONFIG: report on this machine, too.")
def command(
    what: tuple[str, ...],
    verbose: bool,
    as_json: bool,
    bundle: Path | None,
    fail_on: str,
    timeout: float,
    token_env: str | None,
    env: tuple[str, ...],
    origin: str,
    no_start: bool,
    host_too: bool,
) -> int:
    """Look at a server from all sides, and say what is wrong, why, and what to do.

    Ends with 0 if nothing is, with 1 if something is (or, of a CONFIG, a sandbox cannot be held),
    and with 3 if a server could not be asked: it cannot be reached or started, or wants a
    credential.
    """
    from lockgate.cli.check_shown import Shown  # noqa: PLC0415 - rich is slow to import

    shown = Shown(verbose=verbose, quiet=as_json)
    words = list(what)
    if not words:
        return _machine(as_json=as_json)
    first, kind = words[0], _kind(words)
    if kind == "config" and len(words) > 1:
        raise click.UsageError("One CONFIG at a time.")
    if kind == "config" and no_start:
        return _held(Path(first), as_json=as_json, host_too=host_too)
    from lockgate.cli import check_subjects as subjects  # noqa: PLC0415 - needs the gateway
    from lockgate.doctor.bundle import reserve  # noqa: PLC0415 - as above

    held: list[ServerReport] | None = None
    if kind == "config":
        wanted, held = subjects.of_config(Path(first), origin)
    elif kind == "url":
        wanted = subjects.of_url(first, token_env, origin)
    else:
        wanted = subjects.of_command(_split(words), env)
    if bundle is not None:
        reserve(bundle)
    if held is not None and not as_json:
        _show_machine(held, host_too=host_too)
    reports, embedder = subjects.looked_at(wanted, timeout, shown)
    _write(bundle, wanted, reports)
    if as_json:
        found = _plain(held, embedder, host_too=host_too)
        found["checks"] = [one.plain(exchanges=verbose) for one in reports]
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show_embedder(embedder)
        shown.end(reports, bundle)
    return _code(reports, held, embedder, fail_on)


def _kind(what: Sequence[str]) -> Kind:
    first = what[0]
    if len(what) == 1 and "://" in first:
        return "url"
    return "config" if Path(first).suffix.lower() in _CONFIGS else "command"


def _split(what: Sequence[str]) -> list[str]:
    """The words of a command; one that was given as a single word with spaces is taken apart."""
    if len(what) > 1 or Path(what[0]).exists():
        return list(what)
    try:
        words = shlex.split(what[0], posix=os.name == "posix")
    except ValueError as error:
        raise click.UsageError(f"The command cannot be read: {error}.") from None
    if not words:
        raise click.UsageError("The command is empty.")
    return words


def _machine(*, as_json: bool) -> int:
    from lockgate.cli import check_host  # noqa: PLC0415 - rich is slow to import
    from lockgate.gateway.holding import host_report  # noqa: PLC0415 - as above

    host = host_report()
    if as_json:
        click.echo(json.dumps(check_host.plain(host, None), indent=2, ensure_ascii=False))
    else:
        check_host.show_host(host)
    return exits.OK if host.fit else exits.FAILED


def _held(config: Path, *, as_json: bool, host_too: bool) -> int:
    from lockgate.cli.options import examined  # noqa: PLC0415 - as above
    from lockgate.gateway.holding import server_reports  # noqa: PLC0415 - as above

    servers = server_reports(examined(config)[1])
    if as_json:
        found = _plain(servers, None, host_too=host_too)
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show_machine(servers, host_too=host_too)
    return exits.OK if _fine(servers) else exits.FAILED


def _plain(
    servers: Sequence[ServerReport] | None, embedder: EmbedderReport | None, *, host_too: bool
) -> dict[str, Any]:
    from lockgate.cli import check_host  # noqa: PLC0415 - as above
    from lockgate.gateway.holding import host_report  # noqa: PLC0415 - as above

    host = host_report() if host_too else None
    found = check_host.plain(host, servers)
    return found if embedder is None else {**found, "embedder": msgspec.to_builtins(embedder)}


def _show_machine(servers: Sequence[ServerReport], *, host_too: bool) -> None:
    from lockgate.cli import check_host  # noqa: PLC0415 - as above
    from lockgate.gateway.holding import host_report  # noqa: PLC0415 - as above

    if host_too:
        check_host.show_host(host_report())
    check_host.show_servers(servers)


def _show_embedder(one: EmbedderReport | None) -> None:
    from lockgate.cli.check_embedder import show  # noqa: PLC0415 - rich is slow to import

    if one is not None:
        show(one)


def _write(path: Path | None, wanted: Wanted, reports: Sequence[Report]) -> None:
    if path is None:
        return
    from lockgate.doctor.bundle import bundle, write  # noqa: PLC0415 - as above

    write(path, bundle(list(zip(wanted.subjects, reports, strict=True)), wanted.black))


def _fine(servers: Sequence[ServerReport]) -> bool:
    return all(one.starts and not one.lacks for one in servers)


def _code(
    reports: Sequence[Report],
    held: Sequence[ServerReport] | None,
    embedder: EmbedderReport | None,
    fail_on: str,
) -> int:
    """What is wrong before what could not be looked at."""
    grave = _GRAVE[fail_on]
    wrong = any(
        finding.severity in grave
        for one in reports
        if one.outcome != "unreachable"
        for finding in one.found
    )
    without = None if embedder is None else embedder.outcome
    unfit = without == "unfit" and "error" in grave
    if wrong or unfit or (grave and held is not None and not _fine(held)):
        return exits.FAILED
    if without == "late" and "warning" in grave:
        return exits.FAILED
    away = without == "away" or any(one.outcome in ("unreachable", "guarded") for one in reports)
    return exits.UNAVAILABLE if away and grave else exits.OK
