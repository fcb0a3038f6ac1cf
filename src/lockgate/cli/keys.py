"""`lockgate keys new|list|revoke`: the file of API keys that `lockgate.auth.keys_file` names.

Must not know: the gateway, which takes over a changed file by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lockgate.cli import exits
from lockgate.cli.alone import alone
from lockgate.cli.terminal import console, visible
from lockgate.config.quantities import seconds_of
from lockgate.errors import LockgateError
from lockgate.identity.keys import ApiKey, BadKeys, new_key, read_keys, write_keys

_file: Final = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.group("keys")
def command() -> None:
    """Make, list and revoke API keys.

    FILE is what `lockgate.auth.keys_file` names. It holds digests of keys, never a key: what is
    printed once is not to be had again. A running gateway takes a changed FILE over by itself.
    """


@command.command("new", epilog=exits.epilog())
@_file
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="A scope it is granted; may be repeated.")
@click.option("--group", "groups", multiple=True, help="A group it belongs to; may be repeated.")
@click.option("--expires", metavar="TIME", help="How long it is valid, such as 90d; else for ever.")
def new(
    file: Path, name: str, scopes: tuple[str, ...], groups: tuple[str, ...], expires: str | None
) -> int:
    """Make a key for NAME, add it to FILE (made if need be), and print it.

    To replace a key without a gap, make one of another name, hand it out, and revoke the old one.
    """
    now = time.time()
    until = None if expires is None else now + _span(expires)
    with alone(file):
        listed = _read(file) if file.exists() else []
        try:
            text, kept = new_key(name, now, scopes=scopes, groups=groups, expires=until)
            written = write_keys([*listed, kept])
            read_keys(written)
        except BadKeys as error:
            if any(one.name == name for one in listed):
                raise click.UsageError(f"{name!r} has a key already; revoke it first.") from error
            raise click.UsageError(f"{error}.") from error
        _write(file, written)
    click.echo(text)
    click.echo(
        f"This is the key of {name}; it is not kept, so copy it now. Clients send it as\n"
        "  Authorization: Bearer KEY",
        err=True,
    )
    return exits.OK


@command.command("list", epilog=exits.epilog())
@_file
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def list_(file: Path, as_json: bool) -> int:
    """List the keys of FILE, without anything that could be used as one."""
    listed = _read(file)
    if as_json:
        click.echo(json.dumps([_plain(one) for one in listed], indent=2, ensure_ascii=False))
        return exits.OK
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "scopes", "groups", "made", "expires"):
        table.add_column(title)
    for one in listed:
        table.add_row(
            visible(one.name),
            visible(" ".join(one.scopes)) or "-",
            visible(" ".join(one.groups)) or "-",
            _day(one.created),
            _day(one.expires) + (" (expired)" if _expired(one) else ""),
        )
    console().print(table)
    return exits.OK


@command.command("revoke", epilog=exits.epilog())
@_file
@click.argument("name")
def revoke(file: Path, name: str) -> int:
    """Take the key of NAME out of FILE, so that it is accepted no more."""
    with alone(file):
        listed = _read(file)
        left = [one for one in listed if one.name != name]
        if len(left) == len(listed):
            raise click.UsageError(f"{file} has no key of the name {name!r}.")
        _write(file, write_keys(left))
    click.echo(f"The key of {name} is revoked.", err=True)
    return exits.OK


def _span(text: str) -> float:
    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}.") from error
    if not isinstance(seconds, float) or seconds <= 0:
        raise click.UsageError("--expires: write a time such as 90d.")
    return seconds


def _read(file: Path) -> list[ApiKey]:
    try:
        return read_keys(file.read_bytes())
    except (OSError, BadKeys) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise LockgateError(
            f"{file} cannot be used: {said}.",
            "Check the path; `lockgate keys new FILE NAME` makes a new file.",
            reason="api-keys",
        ) from error


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, and readable by its owner alone."""
    try:
        handle, made = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            Path(made).replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(made).unlink()
            raise
    except OSError as error:
        raise LockgateError(
            f"{file} cannot be written: {error.strerror}.",
            "Check the folder.",
            reason="output-unwritable",
        ) from error


def _plain(one: ApiKey) -> dict[str, object]:
    return {
        "name": one.name,
        "id": one.id,
        "scopes": one.scopes,
        "groups": one.groups,
        "created": None if one.created is None else one.created.isoformat(),
        "expires": None if one.expires is None else one.expires.isoformat(),
        "expired": _expired(one),
    }


def _expired(one: ApiKey) -> bool:
    return one.expires is not None and one.expires <= datetime.now(UTC)


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else moment.astimezone(UTC).date().isoformat()
