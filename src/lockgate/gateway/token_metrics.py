"""The part of `/metrics` that is about tokens.

Must not know: how they are counted, or how the format is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from lockgate.context.tokens import DEFAULT
from lockgate.gateway.face import Face
from lockgate.gateway.shaping import Write
from lockgate.observe.exposition import Exposition, Labels
from lockgate.observe.ledger import LISTS, OTHER, SAVED, Ledger

MOST: Final = 500
"""Series of one family; what was least is added up as `other`."""


def write_tokens(page: Exposition, ledger: Ledger, listed: Face, write: Write | None) -> None:
    """Put everything that is known of tokens on the page.

    Args:
        page: where it goes.
        ledger: what models were given.
        listed: the tools of all servers, as they wrote them.
        write: what makes them what is listed; None: nothing does.
    """
    tools: Counter[tuple[str, ...]] = Counter()
    clients: Counter[tuple[str, ...]] = Counter()
    identities: Counter[tuple[str, ...]] = Counter()
    lists: Counter[tuple[str, ...]] = Counter()
    for (thing, client, who), tokens in ledger.tokens().items():
        if thing == LISTS:
            lists[client, who] += round(tokens)
            continue
        tools[thing] += round(tokens)
        clients[client,] += round(tokens)
        identities[who,] += round(tokens)
    for name, help_text, labels, counts in (
        ("tool_result", "Tokens of what tools answered.", ("server", "tool"), tools),
        ("client_result", "The same by client.", ("client",), clients),
        ("identity_result", "The same by identity.", ("identity",), identities),
        ("listed", "Tokens of lists of tools that were sent.", ("client", "identity"), lists),
    ):
        page.family(f"lockgate_{name}_tokens_total", "counter", help_text, _most(counts, labels))
    _definitions(page, ledger, listed, write)
    _saved(page, ledger)
    if ledger.exact is not None:
        by = "vocabulary" if ledger.exact else "estimate"
        page.family(
            "lockgate_tokens_counted_by",
            "gauge",
            "How tokens are counted.",
            [((("by", by), ("encoding", DEFAULT)), 1)],
        )


def _most(
    counts: Counter[tuple[str, ...]], labels: tuple[str, ...]
) -> Iterable[tuple[Labels, float]]:
    ordered = counts.most_common()
    shown = dict(ordered[:MOST])
    if len(ordered) > MOST:
        rest = (OTHER,) * len(labels)
        shown[rest] = shown.get(rest, 0) + sum(count for _, count in ordered[MOST:])
    return [(tuple(zip(labels, key, strict=True)), count) for key, count in shown.items()]


def _definitions(page: Exposition, ledger: Ledger, listed: Face, write: Write | None) -> None:
    rate = ledger.rate(LISTS)
    sizes: list[tuple[Labels, float]] = []
    for part in listed.parts:
        written = [item.raw.encode() for item in part.items]
        shown = written if write is None else [write(one) for one in written]
        for form, every in (("written", written), ("shown", shown)):
            tokens = round(sum(map(len, every)) * rate)
            sizes.append(((("server", part.server), ("form", form)), tokens))
    page.family(
        "lockgate_definition_tokens",
        "gauge",
        "Tokens of a server's tools, as the server wrote them and as they are shown.",
        sizes,
    )


def _saved(page: Exposition, ledger: Ledger) -> None:
    rates: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for (thing, _, _), cell in ledger.cells.items():
        sizes[thing[0]] += cell.size
        rates[thing[0]] += round(cell.size * ledger.rate(thing))
    page.family(
        "lockgate_saved_tokens_total",
        "counter",
        "Tokens of results that were not sent, by what saved them.",
        [
            (
                (("server", server), ("how", how)),
                round(size * rates[server] / sizes[server]) if sizes[server] else 0,
            )
            for (server, how), size in SAVED.items()
        ],
    )
