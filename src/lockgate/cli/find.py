"""`lockgate find`: what models find with a query, and why in this order.

Must not know: how anything is ranked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from lockgate.cli import exits, running, session
from lockgate.cli.options import (
    config_argument,
    endpoint_option,
    load_config,
    log_options,
    start_log,
)
from lockgate.cli.terminal import console, say_error, visible
from lockgate.config.model import Config
from lockgate.context.search.index import Hit
from lockgate.context.search.scoring import Part
from lockgate.core.codes import CODES
from lockgate.gateway.discovery import Explained
from lockgate.gateway.status import SemanticStatus


@click.command("find", epilog=exits.epilog())
@config_argument
@click.argument("query")
@click.option("--server", default="", help="Where it may be: a hint, as models can give one.")
@click.option(
    "--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@endpoint_option
@log_options
def command(
    config: Path,
    query: str,
    server: str,
    limit: int,
    as_json: bool,
    endpoint: str | None,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Find the tools of CONFIG that fit QUERY, as `find_tools` does for models.

    Below each tool stands what made it rank there: the terms it was found by, and what each adds.
    Those that stand for another word of the query, as synonyms or typing errors, are in brackets.
    Where tools are found by what is meant as well (`search.semantic`), it also says how much of the
    score is due to words and how much to meaning, at most 0.5 each.
    """
    loaded, _ = load_config(config)
    start_log(loaded, log_level, log_format, fallback="error")
    narrowed = session.only_at(loaded, endpoint)
    found, semantic = running.run(_find(narrowed, endpoint, query, limit, server))
    asked = loaded.lockgate.search.semantic != "off"
    if asked and found and all(hit.shares is None for _, hit, _ in found):
        _say_why(semantic)
    if as_json:
        click.echo(json.dumps([_plain(*one) for one in found], indent=2, ensure_ascii=False))
    else:
        _show(found)
    return exits.OK


async def _find(
    config: Config, endpoint: str | None, query: str, most: int, server: str
) -> tuple[Explained, SemanticStatus | None]:
    async with session.running(config) as gateway:
        session.require_any(gateway.servers())
        found = await gateway.find(query, most, server, endpoint)
        return found, gateway.status().semantic


def _say_why(semantic: SemanticStatus | None) -> None:
    """Why words are all that tools were found by, to stderr."""
    if semantic is None:
        why, remedy, code = "what it takes is not installed", None, CODES["semantic-unusable"]
    elif semantic.error is None:
        why, remedy, code = f"{semantic.embedder} was not ready in time", None, None
    else:
        why, remedy, code = semantic.error, semantic.remedy, semantic.code
    say_error(f"Found by words alone: {why}.", remedy, code)


def _plain(name: str, hit: Hit, parts: Sequence[Part]) -> dict[str, Any]:
    shares = zip(("words", "meaning"), hit.shares or (), strict=False)
    return {
        "name": name,
        "score": round(hit.score, 3),
        "exact": hit.exact,
        **{by: round(adds, 3) for by, adds in shares},
        "terms": [
            {"term": one.term, "weight": round(one.weight, 3), "adds": round(one.adds, 3)}
            for one in parts
        ],
    }


def _show(found: Explained) -> None:
    out = console()
    if not found:
        out.print("Nothing is found.")
    for name, hit, parts in found:
        out.print(Text.assemble((f"{hit.score:7.2f}  ", "cyan"), (visible(name), "bold")))
        said = ["its exact name"] if hit.exact else []
        if hit.shares is not None:
            said.append("words {:.2f}, meaning {:.2f}".format(*hit.shares))
        said += [
            f"{one.term} {one.adds:.2f}" if one.weight == 1 else f"({one.term} {one.adds:.2f})"
            for one in parts
        ]
        if said:
            out.print(Text(f"         {visible(', '.join(said))}", "dim"))
