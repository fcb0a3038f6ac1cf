"""`docs/command-line.md`, written from the commands: `python -m lockgate.cli.reference`.

Must not know: anything about a command that its help does not say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from lockgate.cli.exits import EXITS
from lockgate.cli.main import program
from lockgate.observe.log import VARIABLE

PAGE: Final = Path("docs/command-line.md")

_INTRODUCTION: Final = f"""\
# The command line

<!-- Generated from src/lockgate/cli by `python -m lockgate.cli.reference`. Do not edit. -->

Results go to stdout, everything else to stderr. Colours and moving displays are for terminals
only, and `NO_COLOR` or `TERM=dumb` switch colours off. `{VARIABLE}` (debug, info, warning, error)
sets the level of the log; `--log-level` wins over it, and it wins over the configuration.
"""


def page() -> str:
    """The page, as Markdown."""
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXITS.items())
    exits = f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"
    return "\n".join([_INTRODUCTION, exits, *_helps(program, "lockgate", None)])


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    text = command.get_help(context).split("\n\n  Exit codes:")[0].split("\n\nExit codes:")[0]
    title = context.command_path
    yield f"## `{title}`\n\n```text\n{text.rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from _helps(found, inner, context)


def main() -> None:
    """Write the page, to the path given or to its place in the repository."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
