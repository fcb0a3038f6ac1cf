"""The entry point: which commands there are, and how any of them ends.

Must not know: what a command does. A command's module is imported when the command is run or asked
for its help, because pydantic, rich and the gateway take longer to import than `--version` may.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Final

import click

from lockgate import __version__, build
from lockgate.cli import exits
from lockgate.cli.early import EARLY
from lockgate.core.codes import CODES
from lockgate.core.names import nearest
from lockgate.errors import (
    CallFailed,
    ConfigError,
    LockgateError,
    ServerUnavailable,
    UnfitCall,
    UnsafeBind,
)

VARIABLE: Final = "LOCKGATE_LOG"

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "new": ("lockgate.cli.new", "Make a project: an MCP server, or a gateway's configuration."),
    "up": ("lockgate.cli.up", "Serve every server of CONFIG at one MCP endpoint."),
    "lock": ("lockgate.cli.lock", "Record what the servers define, or check it."),
    "approve": ("lockgate.cli.approve", "Look at what is withheld, and say yes or no to it."),
    "tools": ("lockgate.cli.tools", "List the tools that CONFIG offers."),
    "find": ("lockgate.cli.find", "Find tools as models do, and say what made them rank so."),
    "tokens": ("lockgate.cli.tokens", "Say what the tools cost models in every request."),
    "call": ("lockgate.cli.call", "Call a tool and show its result."),
    "login": ("lockgate.cli.login", "Log in to a server that wants a person's account."),
    "logout": ("lockgate.cli.logout", "Forget such a login."),
    "check": ("lockgate.cli.check", "Find out what is wrong with a server, and what to do."),
    "config": ("lockgate.cli.config", "Check, show or import configurations."),
    "keys": ("lockgate.cli.keys", "Make, list and revoke API keys."),
    "whoami": ("lockgate.cli.whoami", "Say what an endpoint asks of callers, and who you are."),
    "access": ("lockgate.cli.access", "Say who may use what, and which rule says so."),
    "inventory": (
        "lockgate.cli.inventory",
        "Find servers that clients here reach past the gateway.",
    ),
    "audit": ("lockgate.cli.audit", "Check that an audit log is as it was written."),
    "why": ("lockgate.cli.why", "Say why a tool is visible, hidden, withheld or refused."),
    "explain": ("lockgate.cli.explain", "Say what an error code means and what to do."),
    "scan": ("lockgate.cli.scan", "Look for what manipulates models in definitions."),
    "lint": ("lockgate.cli.lint", "Look for what goes wrong in the source of servers."),
    "checklist": ("lockgate.cli.checklist", "Say what CONFIG still lacks for production."),
    "completion": ("lockgate.cli.completion", "Print the completion script of a shell."),
}


class _Commands(click.Group):
    """Imports a command when somebody needs it; its summary needs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = import_module(module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing and not name.startswith("-"):
            guess = nearest(name, COMMANDS)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.command(
    cls=_Commands,
    epilog=exits.epilog(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    __version__,
    "--version",
    "-V",
    prog_name="lockgate",
    message=f"%(prog)s, version %(version)s, {build.kind()}",
)
def program() -> None:
    """Takes any MCP server to production: one fast endpoint in front of many.

    CONFIG is the file your MCP client already has, in JSON or YAML.
    """


def main() -> None:
    """Run the program and exit with a code of `exits.EXITS`."""
    EARLY.watch()
    _open_what_is_closed()
    sys.exit(run())


def _open_what_is_closed() -> None:
    """Give the program the three standard streams, whatever it was started without.

    Otherwise the first file or socket it opens would be taken for one of them.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays
            setattr(sys, name, stream)


def run(args: list[str] | None = None) -> int:
    """Run the program on `args` (those of the process by default); the exit code."""
    try:
        code = program.main(args, prog_name="lockgate", standalone_mode=False)
        sys.stdout.flush()  # here, where a failure can still be told
    except click.ClickException as error:
        _misused(error, sys.argv[1:] if args is None else args)
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        from lockgate.cli.terminal import say  # noqa: PLC0415 - see _explain

        say("Interrupted.")
        return exits.INTERRUPTED
    except LockgateError as error:
        return _explain(error)
    except OSError as error:
        return _unwritable(error)
    except Exception as error:
        return _apologise(error)
    return code if isinstance(code, int) else exits.OK


def _misused(error: click.ClickException, args: list[str]) -> None:
    if "--log-format=json" not in args and ("--log-format", "json") not in pairwise(args):
        error.show()
        return
    from lockgate.cli.terminal import say_error  # noqa: PLC0415 - see _explain
    from lockgate.observe import log  # noqa: PLC0415 - see _explain

    log.configure("info", "json")
    say_error(error.format_message(), "See --help.")


def _explain(error: LockgateError) -> int:
    # rich is imported only when something has gone wrong
    from lockgate.cli.terminal import say_error, show_findings  # noqa: PLC0415 - see above

    if isinstance(error, ConfigError) and error.findings:
        show_findings(error.findings, to_stderr=True)
        return exits.USAGE
    say_error(error.message, error.remedy, error.code)
    if isinstance(error, (ConfigError, UnsafeBind, UnfitCall)):
        return exits.USAGE
    if isinstance(error, ServerUnavailable):
        return exits.UNAVAILABLE
    if isinstance(error, CallFailed) and error.failure.reason in _UNREACHED:
        return exits.UNAVAILABLE
    return exits.FAILED


def _unwritable(error: OSError) -> int:
    """Standard output leads nowhere. Who has closed a pipe knows; anything else is said."""
    if error.errno not in _UNWRITABLE:
        return _apologise(error)
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if error.errno != errno.EPIPE:
        click.echo(f"error: The output cannot be written: {error.strerror}.", err=True)
    return exits.FAILED


def _apologise(error: Exception) -> int:
    """Something nobody foresaw: our mistake. The traceback only for those who ask for detail."""
    if os.environ.get(VARIABLE, "").lower() == "debug":
        raise error
    click.echo(
        f"error: Lockgate itself failed: {type(error).__name__}: {error}  [{CODES[FAULT]}]",
        err=True,
    )
    click.echo(f"  → Please report it, with what {VARIABLE}=debug shows.", err=True)
    return exits.FAILED


FAULT: Final = "lockgate-failed"
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EPIPE})
_UNREACHED: Final = frozenset(
    {"server-unavailable", "crash-looping", "upstream-timeout", "upstream-lost", "upstream-busy"}
)


if __name__ == "__main__":
    main()
