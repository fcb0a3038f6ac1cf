"""`python -m bench.context.cross`: what choosing weights by some queries is worth on others.

Weights start plain: every field counts alike, and nothing but its own terms finds a tool. Then they
are chosen one after another, by all sources of queries but one, and measured on that one; so for
each source, and for each fifth of the servers. What is written by hand (synonyms, words that count
less, verbs of two words) and that there are such weights at all is not chosen here: for those only
queries that nobody has looked at can speak.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.context import corpora, figures
from bench.context.corpora import Corpora, Query, Tool
from bench.context.figures import MEASURES, OURS, THEIRS, Row
from bench.context.searchers import FastMcp, Lockgate, Searcher
from lockgate.context.search.postings import FIELDS, Field
from lockgate.context.search.weights import WEIGHTS, Weights

PASSES: Final = 1
LEAST: Final = 0.001
"""What another value has to gain where it is chosen; less is chance."""
FAMILIES: Final = 5
FIELD_WEIGHTS: Final = (0.4, 1.5, 3.0)
LENGTHS: Final = (0.4,)
CHOICES: Final[Mapping[str, Sequence[float]]] = {
    "synonym": (0.2, 0.4, 0.6),
    "unknown": (0.3, 0.5, 0.7),
    "near": (0.4, 0.6),
    "idle": (0.3, 0.6),
    "number": (0.2, 0.5),
    "called": (0.1, 0.2, 0.4),
    "server": (0.2, 0.4, 0.6),
}


class Setting(NamedTuple):
    """All that is chosen: the weight and the length of each field, and the other weights."""

    fields: tuple[tuple[str, Field], ...]
    weights: Weights


PLAIN: Final = Setting(
    tuple((name, field._replace(weight=1.0, length=0.75)) for name, field in FIELDS.items()),
    Weights(synonym=0, unknown=0, near=0, idle=1, number=1, called=0, server=0),
)
SHIPPED: Final = Setting(tuple(FIELDS.items()), WEIGHTS)

Rows = list[Row]


class Trial:
    """Measures settings on the queries of some data; each setting once."""

    def __init__(self, data: Corpora) -> None:
        self._data = data
        self._known: dict[Setting, Rows] = {}
        self._corpora = sorted({data.of(query) for query in data.queries})

    def rows(self, setting: Setting) -> Rows:
        """The figures of each query."""
        found = self._known.get(setting)
        if found is None:
            fields, weights = dict(setting.fields), setting.weights
            found = self.by(lambda tools: Lockgate(tools, fields, weights))
            self._known[setting] = found
        return found

    def by(self, make: Callable[[Sequence[Tool]], Searcher]) -> Rows:
        """The figures of each query, as another searches."""
        searchers = {name: make(self._data.tools[name]) for name in self._corpora}
        return [
            figures.measured(searchers[self._data.of(one)].find(one.text), one.relevant)
            for one in self._data.queries
        ]


Groups = Mapping[str, Sequence[int]]
"""By name: the places of queries."""


def tuned(trial: Trial, groups: Sequence[Sequence[int]]) -> Setting:
    """The setting that is best for these queries, every group counted once."""

    def worth(setting: Setting) -> float:
        rows = trial.rows(setting)
        means = [figures.mean([rows[place] for place in group]) for group in groups]
        macro = figures.mean(means)
        return (macro[MEASURES.index("R@5")] + macro[MEASURES.index("nDCG@10")]) / 2

    chosen, best = PLAIN, worth(PLAIN)
    for _ in range(PASSES):
        before = chosen
        for knob in _knobs():
            for other in knob(chosen):
                value = worth(other)
                if value > best + LEAST:
                    chosen, best = other, value
        if chosen == before:
            break
    return chosen


def _knobs() -> list[Callable[[Setting], list[Setting]]]:
    """What can be turned, the fields first; each gives the settings with another value."""

    def field(name: str, part: str, values: Sequence[float]) -> Callable[[Setting], list[Setting]]:
        def turn(setting: Setting) -> list[Setting]:
            old = dict(setting.fields)
            return [
                setting._replace(
                    fields=tuple({**old, name: old[name]._replace(**{part: value})}.items())
                )
                for value in values
            ]

        return turn

    def weight(name: str, values: Sequence[float]) -> Callable[[Setting], list[Setting]]:
        def turn(setting: Setting) -> list[Setting]:
            return [
                setting._replace(weights=setting.weights._replace(**{name: value}))
                for value in values
            ]

        return turn

    found = [field(name, "weight", FIELD_WEIGHTS) for name in FIELDS]
    found += [field(name, "length", LENGTHS) for name in FIELDS]
    return found + [weight(name, values) for name, values in CHOICES.items()]


def sources(queries: Sequence[Query]) -> Groups:
    """The queries by where they are from."""
    found: dict[str, list[int]] = {}
    for place, query in enumerate(queries):
        found.setdefault(query.source, []).append(place)
    return found


def families(data: Corpora) -> Groups:
    """The queries by whose tools are the best answers, each server in one of a few groups."""
    servers = {tool["id"]: str(tool.get("server") or tool["id"]) for tool in data.all()}
    found: dict[str, list[int]] = {}
    for place, query in enumerate(data.queries):
        best = min(query.relevant, key=lambda one: (-query.relevant[one], one))
        digest = blake2b(servers.get(best, best).encode(), digest_size=2).digest()
        found.setdefault(f"servers, {digest[0] % FAMILIES + 1}", []).append(place)
    return dict(sorted(found.items()))


def left_out(
    trial: Trial, groups: Groups, within: Groups
) -> tuple[dict[str, Setting], Mapping[int, Row]]:
    """For each group the setting chosen without it, and its queries' figures by that.

    What the setting is chosen by is what is left of each group in `within`.
    """
    settings: dict[str, Setting] = {}
    rows: dict[int, Row] = {}
    for name, places in groups.items():
        out = set(places)
        rest = [[one for one in group if one not in out] for group in within.values()]
        settings[name] = tuned(trial, [group for group in rest if group])
        measured = trial.rows(settings[name])
        rows |= {place: measured[place] for place in places}
    return settings, rows


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.context.cross", description=__doc__)
    parser.add_argument(
        "--data",
        nargs=2,
        action="append",
        type=Path,
        metavar=("TOOLS", "QUERIES"),
        help="Files of JSON lines, again for more; else the development data.",
    )
    parser.add_argument("--json", type=Path, help="The figures, into a file as well.")
    options = parser.parse_args()
    data = _together(options.data) if options.data else corpora.load(None, None)[0]
    trial = Trial(data)
    within = sources(data.queries)
    chosen, by_source = left_out(trial, within, within)
    _, by_family = left_out(trial, families(data), within)
    everyone = [list(group) for group in within.values()]
    shown: dict[str, Sequence[Row]] = {
        THEIRS: trial.by(FastMcp),
        "plain": trial.rows(PLAIN),
        "without the source": [by_source[place] for place in range(len(data.queries))],
        "without the servers": [by_family[place] for place in range(len(data.queries))],
        "by all of them": trial.rows(tuned(trial, everyone)),
        OURS: trial.rows(SHIPPED),
    }
    table = figures.with_macro(
        {
            source: {
                name: figures.mean([rows[place] for place in places])
                for name, rows in shown.items()
            }
            for source, places in within.items()
        }
    )
    figures.show(table, {name: len(places) for name, places in within.items()})
    margins = {
        name: figures.margins(
            [
                [(rows[place], shown[THEIRS][place]) for place in places]
                for places in within.values()
            ]
        )
        for name, rows in shown.items()
        if name != THEIRS
    }
    print(f"\nmore than {THEIRS}, and the middle 95 % if queries were drawn again:")
    for name, margin in margins.items():
        print(f"  {name:<20} {figures.said(margin)}")
    print("\nchosen without:")
    for name, setting in chosen.items():
        print(f"  {name:<26} {_short(setting)}")
    if options.json:
        found: dict[str, Any] = {"ranking": figures.plain(table), "margins": margins}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _together(files: Sequence[tuple[Path, Path]]) -> Corpora:
    every = [corpora.read(tools, queries) for tools, queries in files]
    tools = {name: those for one in every for name, those in one.tools.items() if name}
    return Corpora(tools, [query for one in every for query in one.queries])


def _short(setting: Setting) -> str:
    """What was chosen otherwise than plain."""
    plain = dict(PLAIN.fields)
    said = [
        f"{name} {field.weight:g}/{field.length:g}"
        for name, field in setting.fields
        if field != plain[name]
    ]
    pairs = zip(Weights._fields, setting.weights, PLAIN.weights, strict=True)
    return ", ".join([*said, *(f"{name} {one:g}" for name, one, other in pairs if one != other)])


if __name__ == "__main__":
    raise SystemExit(main())
