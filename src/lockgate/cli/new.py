"""`lockgate new`: a project that runs and passes its tests, or an older one brought up to date.

Must not know: what is in a project, or how one is rendered.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
from rich.text import Text

from lockgate.cli import exits
from lockgate.cli.terminal import console, say, visible
from lockgate.scaffold.engine import TEMPLATES
from lockgate.scaffold.names import fault, nearest


@click.command("new", epilog=exits.epilog())
@click.argument("name", required=False)
@click.option("--template", type=click.Choice(TEMPLATES), help="What kind of project; basic.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="The folder that the project's own folder is made in; this one.",
)
@click.option("--description", metavar="TEXT", help="What it is for, in one sentence.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port it listens on.")
@click.option("--defaults", is_flag=True, help="Ask nothing: what is not said has its default.")
@click.option(
    "--update",
    is_flag=True,
    help="Bring a project that was made before up to date: NAME in --output, or --output itself.",
)
def command(
    name: str | None,
    template: str | None,
    output: Path,
    description: str | None,
    port: int | None,
    defaults: bool,
    update: bool,
) -> int:
    """Make a project called NAME: an MCP server, or a gateway's configuration.

    What is not said with options is asked, if there is a terminal. Nothing that is there already is
    overwritten.
    """
    answers = {"template": template, "description": description, "port": port}
    said = {key: value for key, value in answers.items() if value is not None}
    ask = not defaults and sys.stdin.isatty() and sys.stderr.isatty()
    if update:
        if said:
            raise click.UsageError("--update keeps what was answered: give it no other options.")
        return _update(output / (name or ""), ask=ask)
    if name is None:
        raise click.UsageError("Missing argument 'NAME'.")
    _check(name)
    return _create(output / name, {"name": name, **said}, ask=ask)


def _check(name: str) -> None:
    wrong = fault(name)
    if wrong is not None:
        guess = nearest(name)
        hint = f" How about {guess!r}?" if guess else ""
        raise click.UsageError(f"{visible(name)!r} cannot be a project's name. {wrong}{hint}")


def _create(folder: Path, answers: dict[str, object], *, ask: bool) -> int:
    from lockgate.scaffold.project import create  # noqa: PLC0415 - after what can be told early
    from lockgate.scaffold.updating import answers_of  # noqa: PLC0415 - as above

    written = create(folder, answers, ask=ask)
    template = answers_of(folder)["template"]
    out = console()
    out.print(Text(f"{visible(str(folder))}: {len(written)} files, from the template {template}"))
    out.print(Text("Next:"))
    for line, why in _next(folder, str(template)):
        note = (f"  # {why}", "dim") if why else ""
        out.print(Text.assemble(f"  {line:<44}" if why else f"  {line}", note))
    return exits.OK


def _next(folder: Path, template: str) -> list[tuple[str, str]]:
    package = folder.name.replace("-", "_")
    run = f"python -m {package}"
    if template == "gateway":
        run = "lockgate up lockgate.yaml"
    first = {
        "gateway": [("lockgate keys new api-keys.json me", "your key, shown once")],
        "oauth": [
            ("python -m identity_provider &", "for tests: anybody may log in"),
            (f"export {package.upper()}_ISSUER_URL=http://127.0.0.1:9000", ""),
        ],
    }
    return [
        (f"cd {shlex.quote(str(folder))}", ""),
        ("python -m venv .venv && . .venv/bin/activate", ""),
        ("pip install -r requirements-dev.txt", ""),
        ("python -m pytest", "its own tests"),
        *first.get(template, []),
        (run, "README.md has the rest"),
    ]


def _update(folder: Path, *, ask: bool) -> int:
    from lockgate.scaffold.updating import update  # noqa: PLC0415 - after what can be told early

    done = update(folder, ask=ask)
    if not done.changed:
        say("Nothing has changed in the template since this project was made.")
        return exits.OK
    out = console()
    for name in done.changed:
        wrong = name in done.conflicts
        out.print(
            Text(f"  {visible(name)}{'  both changed' if wrong else ''}", "red" if wrong else "")
        )
    if done.conflicts:
        say("Choose between the two in the files that both changed, test, and commit.")
        return exits.FAILED
    say("Look at the difference (git diff), test, and commit. Nothing was committed.")
    return exits.OK
