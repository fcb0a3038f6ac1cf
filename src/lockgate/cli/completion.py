"""`lockgate completion SHELL`: the script that makes a shell complete our commands.

Must not know: anything about the commands; click derives the completions from them.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_WHERE = """\
\b
Put one of these into the start-up file of your shell:
  bash  eval "$(lockgate completion bash)"
  zsh   eval "$(lockgate completion zsh)"
  fish  lockgate completion fish | source
"""


@click.command("completion", epilog=_WHERE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"No completion is known for {shell}.")
    click.echo(
        found(
            click.get_current_context().find_root().command, {}, "lockgate", "_LOCKGATE_COMPLETE"
        ).source()
    )
