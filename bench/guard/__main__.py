"""`python -m bench.guard`: how well definitions are judged, beside a naive list and others' rules.

Exit status: 0 good; 1 a bar was missed; 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.guard import corpora, growth, judges
from bench.guard.corpora import ROOT, Corpora, Row
from bench.guard.judges import Judged, Published, Unavailable
from bench.guard.tables import Measured, bars, show, shown_growth

Judge = Callable[[Sequence[dict[str, Any]]], Judged]


def main() -> int:
    """Measure what the command line asks for."""
    options = _options()
    why = corpora.absent()
    if why:
        print(why, file=sys.stderr)
        return 2
    data = corpora.load()
    measured = [_measure("lockgate", judges.lockgate, data), _measure("naive", judges.naive, data)]
    unavailable: dict[str, str] = {}
    for one in judges.PUBLISHED if options.others else ():
        try:
            measured.append(_published(one, options.environments, data))
        except Unavailable as error:
            unavailable[one.name] = str(error)
    show(measured, unavailable)
    grown = growth.ratios() if options.growth else {}
    shown_growth(grown)
    missed = bars(measured[0], grown)
    for line in missed:
        print(f"missed: {line}")
    if options.json:
        found = {one.judge: one.figures() for one in measured}
        options.json.write_text(json.dumps({**found, "growth": grown}, indent=2) + "\n")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument(
        "--alone",
        dest="others",
        action="store_false",
        help="Without the rule sets of others, which are installed from PyPI.",
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=ROOT / ".cache" / "guard",
        help="Where they are installed, each by itself (.cache/guard).",
    )
    parser.add_argument("--no-growth", dest="growth", action="store_false")
    parser.add_argument("--json", type=Path, help="Write the figures to a file as well.")
    return parser.parse_args()


def _published(one: Published, folder: Path, data: Corpora) -> Measured:
    place = one.prepare(folder)
    return _measure(one.name, lambda tools: one.judge(place, tools), data, one.every)


def _measure(name: str, judge: Judge, data: Corpora, every: int = 1) -> Measured:
    """All sets in one go, so that a judge that starts a program starts it once."""
    sets: dict[str, list[Row]] = {
        **{f"attack {source}": rows for source, rows in data.attacks.items()},
        "real": data.real,
        "neighbours": data.neighbours,
        "negatives": data.negatives,
        **{f"own {style}": rows for style, rows in data.own.items()},
    }
    chosen = {
        name: rows
        if len(rows) <= 120
        else rows[:: max(1, every if len(rows) > 1000 else every // 6)]
        for name, rows in sets.items()
    }
    judged = judge([row.tool for rows in chosen.values() for row in rows])
    grades: dict[str, list[int]] = {}
    at = 0
    for set_, rows in chosen.items():
        grades[set_] = judged.grades[at : at + len(rows)]
        at += len(rows)
    return Measured(name, grades, judged.ms)


def _step(rows: Sequence[Row], every: int) -> int:
    """How many to go on by: small sets are judged whole."""
    if len(rows) > 1000:
        return every
    return max(1, every // 6) if len(rows) > 120 else 1


if __name__ == "__main__":
    sys.exit(main())
