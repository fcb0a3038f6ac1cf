"""`lockgate explain CODE`: what an error means, whose turn it is, and what to do.

Must not know: any particular error; the table in `lockgate.core.codes` does. What is pasted comes
from anywhere: it is bounded, never run or followed, and shown with control characters escaped.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import click

from lockgate.core import taxonomy
from lockgate.core.codes import ENTRIES, TABLE
from lockgate.core.names import nearest
from lockgate.core.taxonomy import Entry

_MOST_READ: Final = 1024 * 1024
_MOST_NESTED: Final = 100
_code: Final = re.compile(r"\b(?:LG[-_ ]?)(\d{3,4})\b", re.IGNORECASE)
_NUMBERS: Final[Mapping[str, Entry]] = {str(entry.number): entry for entry in TABLE}
_SERVERS_OWN: Final = ENTRIES["upstream-error"]


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    begun = incomplete.lower()
    words = [word for entry in TABLE for word in (entry.code, entry.reason)]
    return [word for word in words if word.lower().startswith(begun)]


@click.command("explain")
@click.argument("codes", nargs=-1, metavar="[CODE]...", shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(codes: tuple[str, ...], as_json: bool) -> None:
    """Say what an error CODE means, whose turn it is, and what to do.

    CODE is one such as LG-601, or a reason such as server-unavailable. Without one, an error is
    read from standard input: the JSON a client got, or lines of a log.
    """
    entries = [_named(word) for word in codes] if codes else _pasted()
    if as_json:
        click.echo(json.dumps([_plain(one) for one in entries], indent=2, ensure_ascii=False))
        return
    for number, entry in enumerate(entries):
        _show(entry, apart=number > 0)


def _named(word: str) -> Entry:
    """The entry a person means.

    Raises:
        click.UsageError: there is none; the nearest is suggested.
    """
    found = _known(word)
    if found is not None:
        return found
    said = word.strip()
    known = [one for entry in TABLE for one in (entry.code.lower(), entry.reason)]
    guess = nearest(said.lower(), known)
    if guess is None:
        hint = f"{taxonomy.PAGE} lists them all."
    else:
        hint = f"Did you mean {guess.upper() if guess.startswith('lg-') else guess}?"
    raise click.UsageError(f"No error is called {said[:64]!r}. {hint}")


def _known(word: str) -> Entry | None:
    said = word.strip().lower().replace("_", "-").replace(" ", "-")
    return ENTRIES.get(said) or _NUMBERS.get(said.removeprefix("lg").lstrip("-"))


def _pasted() -> list[Entry]:
    if sys.stdin.isatty():
        raise click.UsageError("Give a code, or an error on standard input.")
    text = sys.stdin.buffer.read(_MOST_READ).decode("utf-8", "replace")
    found = list(dict.fromkeys(_in_text(text)))
    if not found:
        raise click.UsageError("No error of Lockgate's is in what was read: no code, no reason.")
    return found


def _in_text(text: str) -> Iterator[Entry]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        numbers = (match[1] for match in _code.finditer(text))
        yield from (_NUMBERS[number] for number in numbers if number in _NUMBERS)
        return
    yield from _in_json(value, 0)


def _in_json(value: object, depth: int) -> Iterator[Entry]:
    if depth > _MOST_NESTED:
        return
    if isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _in_json(one, depth + 1)
    if not isinstance(value, dict):
        return
    members = cast("dict[str, object]", value)
    words = (members.get(key) for key in ("code", "reason", "id", "finding"))
    found = next((entry for one in words if isinstance(one, str) and (entry := _known(one))), None)
    if found is not None:
        yield found
        return
    inside = [entry for one in members.values() for entry in _in_json(one, depth + 1)]
    yield from inside
    if not inside and isinstance(members.get("code"), int) and "message" in members:
        # A JSON-RPC error without a word of ours in it.
        yield _SERVERS_OWN


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "code": entry.code,
        "reason": entry.reason,
        "meaning": entry.meaning,
        "fault": entry.fault,
        "severity": entry.severity,
        "jsonrpc": list(taxonomy.numbers(entry.codes)),
        "jsonrpc_handshake": list(taxonomy.numbers(entry.older or entry.codes)),
        "http": list(taxonomy.numbers(entry.modern)),
        "http_handshake": list(taxonomy.numbers(entry.handshake)),
        "retry": entry.retry,
        "remedy": entry.remedy,
        "docs": entry.anchor,
    }


def _show(entry: Entry, *, apart: bool) -> None:
    # rich takes longer to import than all the rest
    from rich.text import Text  # noqa: PLC0415 - see above

    from lockgate.cli.terminal import console, hang, show_remedy  # noqa: PLC0415 - see above

    out = console()
    if apart:
        out.print()
    out.print(Text.assemble((entry.code, "bold"), f"  {entry.reason}"))
    hang(out, Text(entry.meaning))
    show_remedy(out, entry.remedy)
    facts = [*taxonomy.facts(entry), ("more", entry.anchor)]
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        hang(out, Text.assemble((f"  {label:<{width}}  ", "dim"), text))
