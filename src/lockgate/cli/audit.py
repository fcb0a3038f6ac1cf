"""`lockgate audit verify`: whether an audit log is as it was written.

Must not know: how it is written, or what its lines mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.text import Text

from lockgate.cli import exits
from lockgate.cli.terminal import console, visible
from lockgate.errors import LockgateError
from lockgate.observe.audit import head_path
from lockgate.observe.chained import Broken, Head, Verified, verify, whole_lines

_read_head: Final = msgspec.json.Decoder(Head).decode


@click.group("audit")
def command() -> None:
    """Look after the audit log that `lockgate.audit` names."""


@command.command("verify", epilog=exits.epilog())
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key",
    metavar="PUBLIC",
    help="The public key it has to be sealed with, in base64. Without it, only damage shows, and "
    "not that somebody wrote the whole log anew.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def verify_(file: Path, key: str | None, as_json: bool) -> int:
    """Check that no line of FILE was changed, taken out, put in or cut off.

    FILE.head beside it, where the newest seal is kept, is looked at too.
    """
    try:
        found = verify(whole_lines(file.read_bytes()), key, _head(file))
    except Broken as error:
        raise LockgateError(
            f"{file} is not as it was written: {error}.",
            "Find out who could write it, and compare it with what was shipped elsewhere.",
            reason="audit-broken",
        ) from error
    if as_json:
        click.echo(json.dumps({"file": str(file), **msgspec.to_builtins(found)}))
    else:
        _show(file, found, key)
    return exits.OK


def _head(file: Path) -> Head | None:
    path = head_path(file)
    try:
        return _read_head(path.read_bytes())
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise Broken(f"{path} is not a seal") from error


def _show(file: Path, found: Verified, key: str | None) -> None:
    out = console()
    out.print(Text(f"{visible(str(file))} is as it was written: {found.lines} lines.", "green"))
    if found.key is None:
        out.print("None of them is sealed yet, so who can write the file could have written them.")
        return
    out.print(f"Sealed up to line {found.sealed}, with the key {found.key}.")
    if key is None:
        out.print("Compare that key with the one you noted, or pass it as --key.")
