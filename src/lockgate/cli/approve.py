"""`lockgate approve`: look at what is withheld, and say yes or no to it.

Must not know: how anything came to be withheld, or how a running gateway hears of the answer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.text import Text

from lockgate.cli import exits, running
from lockgate.cli.differences import plain, show_drift, show_found, titled
from lockgate.cli.lock import now, surveyed, who
from lockgate.cli.options import load_config
from lockgate.cli.terminal import console, say, visible
from lockgate.config.model import Config
from lockgate.config.pins import LOCK_FILE
from lockgate.errors import LockgateError
from lockgate.gateway.pin_file import PENDING, PinFile
from lockgate.guard.pins.book import Book, Thing
from lockgate.guard.pins.decision import approved, denied, settled
from lockgate.guard.pins.drift import Drift, drift

_ANSWERS: Final = {"y": "approved", "n": "left as it is", "d": "denied"}
_CONFIGS: Final = (".json", ".jsonc", ".yaml", ".yml")


class _Wanted(NamedTuple):
    """What was asked for: everything, of one server, or one thing of it."""

    server: str | None
    name: str | None

    def has(self, server: str, thing: Thing | None) -> bool:
        if self.server is not None and server != self.server:
            return False
        return self.name is None or thing is None or thing[1] == self.name


@click.command("approve", epilog=exits.epilog())
@click.argument("words", nargs=-1, metavar="[CONFIG] [SERVER[/NAME]]")
@click.option("--yes", "-y", is_flag=True, help="Approve all that is shown, without asking.")
@click.option("--deny", is_flag=True, help="Deny it: it is withheld however it is defined.")
@click.option("--by", metavar="NAME", help="Who decides; by default whoever runs this.")
@click.option("--ask", is_flag=True, help="Start the servers and ask them what they define now.")
@click.option("--json", "as_json", is_flag=True, help="Show what waits for approval, as JSON.")
def command(
    words: tuple[str, ...], yes: bool, deny: bool, by: str | None, ask: bool, as_json: bool
) -> int:
    """Look at what is withheld because it is new or was changed, and approve or deny it.

    Without SERVER, everything that waits is shown, one after another; NAME is a tool, prompt or
    template in the server's own words. Without CONFIG, the lockgate.lock of this folder counts.
    What a running gateway has withheld is shown as it saw it; where none was running, the servers
    are started and asked. A running gateway takes the answer over at once.
    """
    if yes and deny:
        raise click.UsageError("--yes and --deny exclude each other.")
    config, wanted = _meant(words)
    folder, settings = _place(config)
    file, waiting = PinFile(folder), PinFile(folder.with_name(PENDING))
    book, pending = file.read() or Book(), waiting.read() or Book()
    found = _matching(_waiting(book, pending), wanted)
    if (ask or not found) and settings is not None:
        found = _matching(_asked(settings, book), wanted)
    found = found or _denied_before(book, wanted)
    if deny and not found:
        found = _known(book, wanted)
    if as_json:
        click.echo(json.dumps([plain(one) for one in found], indent=2))
        return exits.OK
    if not found:
        raise LockgateError(
            "Nothing of this name waits for approval." if wanted.server else "Nothing waits.",
            "Name the configuration, so that its servers can be asked."
            if settings is None
            else "`lockgate lock --check` says what is different from what was approved.",
            reason="nothing-to-approve",
        )
    taken, refused = _decide(found, "y" if yes else "d" if deny else None)
    _write(file, waiting, taken, refused, who(by))
    return exits.OK


def _meant(words: Sequence[str]) -> tuple[Path | None, _Wanted]:
    """The configuration, and what is meant of it."""
    left = list(words)
    config: Path | None = None
    if left and (len(left) > 1 or left[0].endswith(_CONFIGS) or Path(left[0]).is_file()):
        config = Path(left.pop(0))
    if len(left) > 1:
        raise click.UsageError("Name one SERVER or one SERVER/NAME.")
    server, slash, name = left[0].partition("/") if left else ("", "", "")
    return config, _Wanted(server or None, name if slash else None)


def _place(config: Path | None) -> tuple[Path, Config | None]:
    """Where the lock file is, and the configuration if it was named."""
    if config is not None:
        settings, _ = load_config(config)
        return settings.lock_file or config.absolute().parent / LOCK_FILE, settings
    here = Path.cwd() / LOCK_FILE
    if not here.exists() and not here.with_name(PENDING).exists():
        raise click.UsageError(f"There is no {LOCK_FILE} in this folder; name the CONFIG.")
    return here, None


def _waiting(book: Book, pending: Book) -> list[Drift]:
    """What gateways have withheld and nobody has decided on."""
    return [
        one
        for name, pins in pending.servers.items()
        for one in drift(name, book.servers.get(name), pins.identity, pins.entries, whole=False)
    ]


def _asked(settings: Config, book: Book) -> list[Drift]:
    """What is different now, from the servers themselves."""
    found = running.run(surveyed(settings))
    return [
        one
        for name, survey in found.items()
        if survey.entries
        for one in drift(
            name, book.servers.get(name), settings.identity(name), survey.entries, whole=False
        )
    ]


def _matching(found: Sequence[Drift], wanted: _Wanted) -> list[Drift]:
    """What was asked for; who a server is belongs to everything of it."""
    kept = [one for one in found if wanted.has(one.server, one.thing)]
    return kept if wanted.name is None or any(one.thing is not None for one in kept) else []


def _denied_before(book: Book, wanted: _Wanted) -> list[Drift]:
    """What somebody denied, and could be allowed again."""
    if wanted.server is None:
        return []
    return [
        Drift(server=name, what="denied", thing=thing)
        for name, pins in book.servers.items()
        for thing, entry in pins.entries.items()
        if entry.denied is not None and wanted.has(name, thing)
    ]


def _known(book: Book, wanted: _Wanted) -> list[Drift]:
    """What was approved, and could be denied."""
    if wanted.server is None:
        return []
    return [
        Drift(server=name, what="denied", thing=thing)
        for name, pins in book.servers.items()
        for thing in pins.entries
        if wanted.has(name, thing)
    ]


def _decide(found: Sequence[Drift], answer: str | None) -> tuple[list[Drift], list[Drift]]:
    """Show everything, and have it decided on: what is approved, and what is denied."""
    if answer is None and not sys.stdin.isatty():
        for one in found:
            _show(one)
        raise click.UsageError("Say --yes or --deny where nobody can be asked.")
    taken: list[Drift] = []
    refused: list[Drift] = []
    for one in found:
        _show(one)
        said = answer or click.prompt(
            "[y]es, [n]o for now, [d]eny", type=click.Choice(list(_ANSWERS)), show_choices=False
        )
        if said == "y":
            taken.append(one)
        elif said == "d":
            refused.append(one)
    return taken, refused


def _show(one: Drift) -> None:
    show_drift(console(), one)
    show_found(console(), one)


def _write(
    file: PinFile, waiting: PinFile, taken: Sequence[Drift], refused: Sequence[Drift], by: str
) -> None:
    things = [(one.server, one.thing) for one in refused if one.thing is not None]
    at = now()
    if taken or things:
        file.change(lambda book: denied(approved(book or Book(), taken, by, at), things, by, at))
        if waiting.path.exists():
            waiting.change(lambda pending: settled(pending or Book(), [*taken, *refused]))
    out = console()
    for said, every in (("approved", taken), ("denied", refused)):
        for one in every:
            out.print(Text(f"{titled(one.server, one.thing)}: {said} by {visible(by)}"))
    if taken or refused:
        say(f"{file.path}: commit it with the configuration.")
