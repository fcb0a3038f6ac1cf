"""From rankings to figures, bars and tables. Pure but for printing.

Must not know: how anything was searched.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import log2
from typing import Any, Final

MEASURES: Final = ("R@1", "R@5", "R@10", "nDCG@10")
OURS: Final = "lockgate"
THEIRS: Final = "fastmcp"
LEAST_MORE: Final = 0.08
MOST_MS: Final = 1.0
AT: Final = 5000
DRAWN: Final = 1000
"""How often queries are drawn again to see how sure a mean is."""

Row = tuple[float, ...]
Table = dict[str, dict[str, Row]]
"""By source, by searcher: the mean of each of `MEASURES`."""
Margin = dict[str, tuple[float, float, float]]
"""By measure: how much more, and from where to where that is in 95 of 100 cases."""


def measured(ranked: Sequence[str], relevant: Mapping[str, float]) -> Row:
    """One query: the share of what is relevant among the first 1, 5, 10; and nDCG@10."""
    recalls = [sum(one in relevant for one in ranked[:most]) / len(relevant) for most in (1, 5, 10)]
    best = sorted(relevant.values(), reverse=True)[:10]
    ideal = sum(grade / log2(place + 2) for place, grade in enumerate(best))
    gained = sum(relevant.get(one, 0.0) / log2(at + 2) for at, one in enumerate(ranked[:10]))
    return (*recalls, gained / ideal)


def mean(rows: Sequence[Row]) -> Row:
    """The mean of each measure."""
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def with_macro(table: Table) -> Table:
    """The table and, as its last row, the mean over the sources, each counted once."""
    rows = list(table.values())
    names = [name for name in rows[0] if all(name in row for row in rows)]
    macro = {name: mean([row[name] for row in rows]) for name in names}
    return {**table, "macro": macro}


def margins(pairs: Sequence[Sequence[tuple[Row, Row]]]) -> Margin:
    """How much more one finds than another, and between what that lies in 95 of 100 cases.

    Args:
        pairs: by source, for each query, the figures of both.

    Returns:
        By measure, each source counted once: the mean; and from where to where it is if as many
        queries of each source are drawn again, with repetition, many times.
    """
    chance = random.Random(7)  # noqa: S311 - always the same, and no secret
    found: Margin = {}
    for measure in ("R@5", "nDCG@10"):
        at = MEASURES.index(measure)
        more = [[one[at] - other[at] for one, other in source] for source in pairs]
        drawn = sorted(
            sum(sum(chance.choices(those, k=len(those))) / len(those) for those in more) / len(more)
            for _ in range(DRAWN)
        )
        mean = sum(sum(those) / len(those) for those in more) / len(more)
        found[measure] = mean, drawn[DRAWN // 40], drawn[-DRAWN // 40]
    return found


def said(margin: Margin) -> str:
    """Margins in a line."""
    return ", ".join(
        f"{measure} {mean:+.3f} ({low:+.3f} to {high:+.3f})"
        for measure, (mean, low, high) in margin.items()
    )


def bars(table: Table, latency: Mapping[int, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """What is not as it has to be."""
    missed: list[str] = []
    ours, theirs = (table["macro"].get(name) for name in (OURS, THEIRS))
    if ours and theirs:
        for measure in ("nDCG@10", "R@5"):
            more = ours[MEASURES.index(measure)] - theirs[MEASURES.index(measure)]
            if more < LEAST_MORE:
                missed.append(f"{measure}: {more:+.3f} against FastMCP, {LEAST_MORE:+} is asked")
    took = latency.get(AT, {}).get(OURS, {}).get("p50")
    if took is not None and took > MOST_MS:
        missed.append(f"p50 at {AT} tools: {took:.2f} ms, at most {MOST_MS} is asked")
    return missed


def show(table: Table, counts: Mapping[str, int]) -> None:
    """Sources as rows, searchers as columns."""
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    print(f"{' / '.join(MEASURES):<36}" + "".join(f"{name:>28}" for name in names))
    for source, row in table.items():
        head = f"{source} ({counts[source]})" if source in counts else source
        cells = [
            " ".join(f"{value:.3f}".lstrip("0") for value in row[n]) if n in row else ""
            for n in names
        ]
        print(f"{head[:35]:<36}" + "".join(f"{cell:>28}" for cell in cells))


def show_speed(speed: Mapping[int, Mapping[str, Mapping[str, float]]]) -> None:
    """Milliseconds and megabytes, by how many tools there are."""
    for count, found in speed.items():
        for name, figures in found.items():
            said = ", ".join(f"{what} {value:.3g}" for what, value in figures.items())
            print(f"{count:>6} tools  {name:<28} {said}")


def plain(table: Table) -> dict[str, Any]:
    """The table for a file."""
    return {
        source: {name: dict(zip(MEASURES, values, strict=True)) for name, values in row.items()}
        for source, row in table.items()
    }
