"""`lockgate lock`: write down what the servers define, or hold them against what is written.

Must not know: how a server is asked, or how the file is made.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec.structs import replace

from lockgate.cli import exits, running, session
from lockgate.cli.differences import plain, show_drift
from lockgate.cli.options import config_argument, load_config, log_options, start_log
from lockgate.cli.terminal import console, say, say_error, visible
from lockgate.config.model import Config
from lockgate.config.pins import lock_file
from lockgate.core.codes import CODES
from lockgate.core.message import Failure
from lockgate.errors import LockgateError, ServerUnavailable
from lockgate.gateway.pin_file import PinFile
from lockgate.gateway.pin_survey import Surveyed
from lockgate.guard.pins.book import Book, Entry, Pin, ServerPins, Thing
from lockgate.guard.pins.drift import Drift, drift


@click.command("lock", epilog=exits.epilog())
@config_argument
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 where something differs.")
@click.option("--update", is_flag=True, help="Record what differs from what was approved, too.")
@click.option("--by", metavar="NAME", help="Who approves; by default whoever runs this.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@log_options
def command(
    config: Path,
    check: bool,
    update: bool,
    by: str | None,
    as_json: bool,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Record in lockgate.lock what the servers of CONFIG define, for review.

    Every server is started and asked in both protocol eras. Servers that the file does not know are
    recorded; what differs from what was approved before is shown, and recorded with --update alone.
    Denials stay. Commit the file with the configuration, and look at its differences in review.

    --check is for continuous integration: it says what differs, and changes nothing.
    """
    if check and update:
        raise click.UsageError("--check changes nothing, so it cannot --update.")
    settings, _ = load_config(config)
    start_log(settings, log_level, log_format, fallback="error")
    file = PinFile(settings.lock_file or lock_file(None, config.parent))
    book = file.read()
    found = running.run(surveyed(settings))
    drifts = [
        one
        for name, survey in found.items()
        for one in drift(
            name,
            (book or Book()).servers.get(name),
            settings.identity(name),
            survey.entries,
            whole=survey.problem is None,
        )
        if one.what != "denied"
    ]
    away = _away(found)
    if check:
        return _checked(file.path, drifts, away, as_json)
    fresh = {one.server for one in drifts if one.what == "new server"}
    taken = {name for name in found if name not in away and (update or name in fresh)}
    after = file.change(lambda now: recorded(now or Book(), settings, found, taken, who(by)))
    return _told(file.path, after, drifts, taken, away, as_json)


def who(by: str | None) -> str:
    """Who says yes."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def now() -> str:
    """The time, as the book has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def surveyed(config: Config) -> dict[str, Surveyed]:
    """What every server defines now, whatever was approved of it."""
    servers = {
        name: one.model_copy(update={"pins": "off", "start": "eager"})
        for name, one in config.enabled.items()
    }
    open_ = config.model_copy(update={"servers": servers})
    async with session.running(open_) as gateway:
        found = await gateway.survey()
        for server in gateway.servers():
            one = found.get(server.name)
            if one is not None and one.problem is not None and server.error:
                why = one.problem.replace(message=server.error, remedy=server.remedy)
                found[server.name] = replace(one, problem=why)
        return found


def recorded(
    book: Book, config: Config, found: Mapping[str, Surveyed], taken: set[str], by: str
) -> Book:
    """The book with what was found of the servers that are taken, in place of what it had."""
    for name in sorted(taken):
        before, survey = book.servers.get(name), found[name]
        pins = ServerPins(
            identity=config.identity(name),
            met=survey.met,
            version=survey.version,
            entries=_entries(before or ServerPins(identity={}), survey, by),
        )
        if before != pins:
            book = book.with_server(name, pins)
    return book


def _entries(before: ServerPins, survey: Surveyed, by: str) -> dict[Thing, Entry]:
    """What was found, with who approved of what was there before, and with all denials."""
    at = now()
    entries: dict[Thing, Entry] = {
        thing: Entry((), entry.denied)
        for thing, entry in before.entries.items()
        if entry.denied is not None
    }
    for thing, entry in survey.entries.items():
        known = before.of(thing)
        old = {pin.fingerprint: pin for pin in known.pins}
        pins = [
            old.get(pin.fingerprint) or Pin(pin.fingerprint, pin.definition, by, at)
            for pin in entry.pins
        ]
        entries[thing] = Entry(tuple(pins), known.denied)
    return entries


def _away(found: Mapping[str, Surveyed]) -> dict[str, Failure]:
    """The servers that could not be asked, and why."""
    return {name: one.problem for name, one in found.items() if one.problem is not None}


def _checked(
    path: Path, drifts: Sequence[Drift], away: Mapping[str, Failure], as_json: bool
) -> int:
    _show(drifts, as_json)
    _say_away(away)
    if drifts:
        raise LockgateError(
            f"{len(drifts)} difference{'s' * (len(drifts) != 1)} from {path}.",
            "Look at them with `lockgate approve`, or record them with `lockgate lock --update`.",
            reason="pins-drift",
        )
    if away:
        return exits.UNAVAILABLE
    say(f"{path} says what the servers define.")
    return exits.OK


def _say_away(away: Mapping[str, Failure]) -> None:
    for name, why in away.items():
        say_error(f"{name} could not be asked: {why.message}", why.remedy, CODES.get(why.reason))


def _show(drifts: Sequence[Drift], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([plain(one) for one in drifts], indent=2))
        return
    out = console()
    for one in drifts:
        new = one.what == "new" and any(
            other.what == "new server" and other.server == one.server for other in drifts
        )
        show_drift(out, one, full=not new)


def _told(
    path: Path,
    book: Book,
    drifts: Sequence[Drift],
    taken: set[str],
    away: Mapping[str, Failure],
    as_json: bool,
) -> int:
    _show(drifts, as_json)
    for name in sorted(taken):
        server = book.servers[name]
        say(f"{visible(name)}: {counted(server)} recorded")
    _say_away(away)
    left = [
        one
        for one in drifts
        if one.server not in taken
        and one.what != "gone"
        and not (one.server in away and one.what == "new server")  # --update has nothing to record
    ]
    if away and not book.servers:
        raise ServerUnavailable("No server could be asked, so nothing was recorded.")
    if taken:
        say(f"{path}: review it, and commit it with the configuration.")
    elif away and not left:
        say(f"{path} says what the other servers define.")
    if left:
        raise LockgateError(
            f"{len(left)} difference{'s' * (len(left) != 1)} from what was approved, not recorded.",
            "Look at each with `lockgate approve`, or record all of them with --update.",
            reason="pins-drift",
        )
    return exits.UNAVAILABLE if away else exits.OK


def counted(server: ServerPins) -> str:
    """`3 tools, 1 prompt`."""
    words: list[str] = []
    for kind in ("tool", "prompt", "template"):
        number = sum(thing[0] == kind for thing in server.entries)
        if number:
            words.append(f"{number} {kind}{'s' * (number != 1)}")
    return ", ".join(words) or "no tool, prompt or template"
