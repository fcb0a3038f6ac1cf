"""`lockgate checklist CONFIG`: what a configuration still lacks for production.

Must not know: items, or how they are judged. Starts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.text import Text

from lockgate.checklist.item import AREAS, Result
from lockgate.checklist.run import judged
from lockgate.cli import exits
from lockgate.cli.options import config_argument, examined
from lockgate.cli.terminal import console, hang, show_remedy, visible
from lockgate.gateway.launches import review_launches

_STYLES: Final = {"holds": "green", "lacks": "bold red", "unknown": "yellow", "moot": "dim"}
_WORDS: Final = {"holds": "yes", "lacks": "NO", "unknown": "?", "moot": "-"}
_WIDTH: Final = 3


@click.command("checklist", epilog=exits.epilog())
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.option("--lacking", is_flag=True, help="Show what is lacking, and nothing else.")
def command(config: Path, as_json: bool, lacking: bool) -> int:
    """Say which items of the checklist for production hold for CONFIG, and what to change.

    Ends with 1 if any is lacking. What a configuration cannot tell is shown with the command that
    does; it changes nothing in how this ends.
    """
    loaded, read = examined(config)
    review_launches(loaded)
    results = judged(loaded, read)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_plain(results)), indent=2).decode())
    else:
        _show(results, lacking=lacking, name=str(config))
    return exits.FAILED if any(one.verdict.state == "lacks" for one in results) else exits.OK


def _plain(results: Sequence[Result]) -> dict[str, Any]:
    items = [
        {
            "id": one.item.id,
            "area": one.item.area,
            "state": one.verdict.state,
            "holds": one.item.holds,
            "said": one.verdict.said,
            "setting": one.item.setting,
            "ask": one.item.ask,
        }
        for one in results
    ]
    return {"items": items, "counts": dict(Counter(one.verdict.state for one in results))}


def _show(results: Sequence[Result], *, lacking: bool, name: str) -> None:
    out = console()
    for area, title in AREAS.items():
        shown = [
            one
            for one in results
            if one.item.area == area and (one.verdict.state == "lacks" or not lacking)
        ]
        if shown:
            out.print(Text(title, "bold"))
        for one in shown:
            _item(out, one, name)
    out.print(Text(_counted(results), "bold"))


def _item(out: Console, one: Result, name: str) -> None:
    state, said = one.verdict.state, visible(one.verdict.said)
    sign = (f"{_WORDS[state]:>{_WIDTH}} ", _STYLES[state])
    hang(out, Text.assemble(sign, one.item.holds, (f"  [{one.item.id}]", "dim")))
    if said:
        hang(out, Text(f"    {said}", "dim" if state == "moot" else ""))
    if state == "lacks":
        show_remedy(out, one.item.setting.replace("CONFIG", visible(name)))
    elif state == "unknown":
        show_remedy(out, one.item.ask.replace("CONFIG", visible(name)))


def _counted(results: Sequence[Result]) -> str:
    counts = Counter(one.verdict.state for one in results)
    return (
        f"{counts['holds']} hold, {counts['lacks']} lacking, {counts['unknown']} to be asked "
        f"elsewhere, {counts['moot']} moot"
    )
