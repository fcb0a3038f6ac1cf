"""`python -m bench.context`: how well and how fast tools are found, beside others' search.

Exit status: 0 good; 1 a bar was missed; 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from bench.context import corpora, figures
from bench.context.corpora import Corpora, Query, Tool
from bench.context.figures import OURS, THEIRS, Row
from bench.context.menu import tokens
from bench.context.searchers import FastMcp, Fts5, Lockgate, Searcher

SIZES: Final = (500, 5_000, 10_000)
MOST_QUERIES: Final = 2000
TIMED: Final = 200
SLOW: Final = 40

Make = Callable[[Sequence[Tool]], Searcher]
MEANT: Final = f"{OURS}, semantic"
MAKERS: Final[dict[str, Make]] = {
    OURS: Lockgate,
    THEIRS: FastMcp,
    "fts5": Fts5,
}


def main() -> int:
    """Measure what the command line asks for."""
    options = _options()
    try:
        data, where = corpora.load(options.tools, options.queries)
    except (OSError, ValueError, KeyError) as error:
        print(f"the data cannot be read: {error}", file=sys.stderr)
        return 2
    if not data.queries:
        print("there is no query with something relevant", file=sys.stderr)
        return 2
    semantic = _semantic(data) if options.semantic else {}
    table, counts, margin = _ranked(data, options.most, MAKERS | _embedding(options.semantic))
    speed = {size: _speed(data, size) for size in SIZES} if options.speed else {}
    largest = max((name for name in data.tools if name), key=lambda name: len(data.tools[name]))
    asked = [query for query in data.queries if data.of(query) == largest] or data.queries
    tools = data.tools[largest]
    menu = tokens(tools, asked, Lockgate(tools)) if options.speed else {}
    missed = figures.bars(table, speed)
    found: dict[str, Any] = {
        "data": where,
        "tools": len(data.all()),
        "queries": counts,
        "ranking": figures.plain(table),
        "margin": margin,
        "speed": speed,
        "semantic": semantic,
        "tokens": menu,
        "missed": missed,
    }
    if options.json == "-":
        print(json.dumps(found, indent=2))
    else:
        print(f"{where}: {len(data.all())} tools\n")
        figures.show(table, counts)
        print(f"\nmore than {THEIRS} (and the middle 95 % if queries were drawn again):")
        print(f"  {figures.said(margin)}\n")
        figures.show_speed(speed)
        if semantic:
            said = ", ".join(f"{what} {value:.3g}" for what, value in semantic.items())
            print(f"\n{MEANT}: {said}")
        if menu:
            print(f"\ntokens, of the {len(data.tools[largest])} tools of {largest}:")
            print("  " + ", ".join(f"{what} {value:g}" for what, value in menu.items()))
        print(*(f"missed: {line}" for line in missed), sep="\n")
        if options.json:
            Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.context", description=__doc__)
    parser.add_argument(
        "--tools", type=Path, help="Tools, JSON lines; see bench/context/corpora.py."
    )
    parser.add_argument("--queries", type=Path, help="Queries, JSON lines.")
    parser.add_argument(
        "--json", nargs="?", const="-", help="The figures as JSON, printed, or into a file as well."
    )
    parser.add_argument(
        "--most",
        type=int,
        default=MOST_QUERIES,
        help=f"At most so many queries of a source, evenly taken ({MOST_QUERIES}).",
    )
    parser.add_argument(
        "--semantic", action="store_true", help="By meaning as well; needs lockgate[semantic]."
    )
    parser.add_argument("--no-speed", dest="speed", action="store_false")
    options = parser.parse_args()
    if (options.tools is None) != (options.queries is None):
        parser.error("--tools and --queries go together")
    return options


def _embedding(asked: bool) -> dict[str, Make]:
    if not asked:
        return {}
    from bench.context.semantic import Semantic  # noqa: PLC0415 - it is optional

    return {MEANT: Semantic}


def _semantic(data: Corpora) -> dict[str, float]:
    """What the model costs: to load, for each tool, for each query, and in memory."""
    from bench.context import semantic  # noqa: PLC0415 - it is optional

    before, began = semantic.resident(), perf_counter()
    semantic.model()
    found = {"load s": perf_counter() - began, "model MB": semantic.resident() - before}
    tools = data.all()
    searcher = semantic.Semantic(tools)
    texts = [query.text for query in _evenly(data.queries, TIMED)]
    took = _times(searcher, texts, tries=1)
    found |= {
        "tools": len(tools),
        "build s": searcher.built,
        "ms/tool": 1000 * searcher.built / len(tools),
        "query p50 ms": median(took),
        "query p95 ms": quantiles(took, n=20)[-1],
    }
    for size in SIZES:
        many = semantic.Semantic(corpora.grown(tools, size), searcher.vectors)
        took = _times(many, texts)
        found |= {f"rank p50 ms at {size}": median(took), f"vectors MB at {size}": many.megabytes}
    return found


def _ranked(
    data: Corpora, most: int, makers: Mapping[str, Make]
) -> tuple[figures.Table, dict[str, int], figures.Margin]:
    by_source: dict[str, list[Query]] = {}
    for query in data.queries:
        by_source.setdefault(query.source, []).append(query)
    chosen = {name: _evenly(asked, most) for name, asked in by_source.items()}
    wanted = {data.of(query) for asked in chosen.values() for query in asked}
    table: figures.Table = {name: {} for name in chosen}
    every: dict[str, list[list[Row]]] = {}
    for name, make in makers.items():
        searchers = {corpus: make(data.tools[corpus]) for corpus in wanted}
        for source, asked in chosen.items():
            rows = _rows(data, searchers, asked)
            every.setdefault(name, []).append(rows)
            table[source][name] = figures.mean(rows)
            if name in (OURS, MEANT) and any(query.hint for query in asked):
                hinted = _rows(data, searchers, asked, hinted=True)
                table[source][f"{name}, server hint"] = figures.mean(hinted)
    pairs = zip(every[OURS], every[THEIRS], strict=True)
    margin = figures.margins([list(zip(*pair, strict=True)) for pair in pairs])
    return figures.with_macro(table), {name: len(asked) for name, asked in chosen.items()}, margin


def _rows(
    data: Corpora, searchers: dict[str, Searcher], asked: Sequence[Query], *, hinted: bool = False
) -> list[Row]:
    rows: list[Row] = []
    for query in asked:
        ranked = searchers[data.of(query)].find(query.text, query.hint if hinted else "")
        rows.append(figures.measured(ranked, query.relevant))
    return rows


def _evenly(asked: list[Query], most: int) -> list[Query]:
    if len(asked) <= most:
        return asked
    return [asked[number * len(asked) // most] for number in range(most)]


def _speed(data: Corpora, size: int) -> dict[str, dict[str, float]]:
    tools = corpora.grown(data.all(), size)
    texts = [query.text for query in _evenly(data.queries, TIMED)]
    found: dict[str, dict[str, float]] = {}
    for name, make in (
        (OURS, Lockgate),
        (f"{THEIRS}, scan alone", FastMcp),
        (f"{THEIRS}, as it is", lambda tools: FastMcp(tools, hashed=True)),
        ("fts5", Fts5),
    ):
        began = perf_counter()
        searcher = make(tools)
        built = perf_counter() - began
        slow = name.startswith(THEIRS)
        took = _times(searcher, texts[:: max(1, len(texts) // SLOW)] if slow else texts)
        found[name] = {
            "p50": median(took),
            "p95": quantiles(took, n=20)[-1],
            "build s": built,
        }
    found[OURS]["MB"] = _megabytes(tools)
    return found


def _times(searcher: Searcher, texts: Sequence[str], tries: int = 3) -> list[float]:
    """Milliseconds for each query, the best of a few tries: the machine has other things to do."""
    least = [float("inf")] * len(texts)
    for _ in range(tries):
        for number, text in enumerate(texts):
            began = perf_counter()
            searcher.find(text)
            least[number] = min(least[number], perf_counter() - began)
    return [1000 * one for one in least]


def _megabytes(tools: Sequence[Tool]) -> float:
    """What the index holds on to."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    searcher = Lockgate(tools)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del searcher
    return held / 1e6


if __name__ == "__main__":
    sys.exit(main())
