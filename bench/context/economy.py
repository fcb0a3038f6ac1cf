"""`python -m bench.context.economy`: what models are given, in tokens, with and without each means.

The tools and queries are those of `bench.context`; results are JSON lines with `texts`,
`structuredContent` and `wrapped` (the same result as JSON within a text, as some proxies send it).
Everything is counted with a vocabulary, never estimated. Exit status: 0 good; 1 a bar was missed;
2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, quantiles
from typing import Any, Final, cast

from bench.context import corpora
from bench.context.corpora import SHARED, Corpora, Tool
from bench.context.exactly import read_exactly
from bench.context.results import Recorded, measured, read
from bench.context.searchers import Lockgate
from lockgate.context.body import is_json
from lockgate.context.compact.levels import LEVELS, shaped
from lockgate.context.encoding import columnar, minified
from lockgate.context.spent import definition_text
from lockgate.context.tokens import ENCODINGS, Count, counter
from lockgate.core.names import spell
from lockgate.gateway.finding import FOUND, called
from lockgate.gateway.own_tools import ROLES, definition
from lockgate.kit.pages import BUDGET
from lockgate.policies.shortening import OFF, WINS

SEARCHES: Final = 3
MOST_MENU: Final = 1_500
FEWEST_SAVED: Final = 0.70
_Figures = dict[str, Any]


def definitions(tools: Sequence[Tool], count: Count) -> _Figures:
    """What a full menu costs at each level."""
    written = [_definition(tool) for tool in tools]
    costs = {
        level: sum(
            count(definition_text(json.loads(shaped(one, level, type_lists=True))))
            for one in written
        )
        for level in LEVELS
    }
    plain = {
        "python json.dumps": sum(
            count(json.dumps(json.loads(one), ensure_ascii=False)) for one in written
        ),
        "indented": sum(
            count(json.dumps(json.loads(one), indent=2, ensure_ascii=False)) for one in written
        ),
    }
    before = costs["off"]
    return {
        "tools": len(written),
        "tokens": before,
        "levels": {
            name: {"tokens": tokens, "change": round(tokens / before - 1, 3)}
            for name, tokens in {**plain, **costs}.items()
        },
    }


def _definition(tool: Tool) -> bytes:
    members = {key: tool[key] for key in ("name", "description", "inputSchema") if key in tool}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def menu(data: Corpora, corpus: str, count: Count, full: int) -> _Figures:
    """What a session reads that searches `SEARCHES` times, against the full menu.

    Counted are the definitions of the gateway's own tools, and of every search the arguments the
    model writes and the lines it reads.
    """
    tools = data.tools[corpus]
    index = Lockgate(tools)
    named = {str(tool["id"]): tool for tool in tools}
    own = sum(count(definition_text(definition(role, role))) for role in ROLES)
    answers: list[int] = []
    schemas: list[int] = []
    written: list[int] = []
    for query in data.queries:
        # A task is what a person asks for; what is searched for is a step of it.
        if query.corpus != corpus or query.source.endswith("-task"):
            continue
        found = [named[one] for one in index.find(query.text)[:FOUND]]
        asked = count(json.dumps({"query": query.text}, ensure_ascii=False))
        answers.append(asked + count("\n".join(map(_line, found))))
        whole = [_definition(one) for one in found]
        written.append(asked + count(b"\n".join(whole).decode()))
        short = [shaped(one, "lossless", type_lists=False) for one in whole]
        schemas.append(asked + count(b"\n".join(short).decode()))
    session = own + SEARCHES * mean(answers)
    worst = own + sum(sorted(answers)[-SEARCHES:])
    return {
        "full": full,
        "own tools": own,
        "search": _spread(answers),
        "session": round(session),
        "worst session": worst,
        "saved": round(1 - session / full, 3),
        "session with full schemas": round(own + SEARCHES * mean(schemas)),
        "the same as servers wrote them": round(own + SEARCHES * mean(written)),
        "searches until the full menu is cheaper": round((full - own) / mean(answers)),
    }


def _line(tool: Tool) -> str:
    name = spell(str(tool.get("server") or ""), str(tool["name"]), "prefix")
    return called(name, tool.get("description"), tool.get("inputSchema"))


def results(path: Path, count: Count) -> _Figures:
    """What results cost as they came, and with each means."""
    lines = [json.loads(one) for one in path.read_text("utf-8").split("\n") if one]
    whole = [cast("list[str]", one["texts"]) for one in lines]
    before = [sum(map(count, texts)) for texts in whole]
    total = sum(before)
    wrapped = [
        (count(one["wrapped"]), cost)
        for one, cost in zip(lines, before, strict=True)
        if one.get("wrapped")
    ]
    return {
        "results": len(whole),
        "tokens": total,
        "each": _spread(before),
        "over": {
            f"{most}": {
                "results": sum(one > most for one in before),
                "share of tokens": round(sum(one for one in before if one > most) / total, 3),
            }
            for most in (2_000, BUDGET, 1_000)
        },
        "wrapped as text in text": round(
            sum(a for a, _ in wrapped) / sum(b for _, b in wrapped) - 1, 3
        ),
        "json": _encoded([text for texts in whole for text in texts], count),
        "previews": {
            f"over {most}": _previewed(read(path), most, count) for most in (2_000, BUDGET, 1_000)
        },
        "default": f"over {BUDGET}",
    }


def _encoded(texts: Sequence[str], count: Count) -> _Figures:
    documents = [text for text in texts if text.lstrip()[:1] in ("{", "[") and is_json(text)]
    before = [count(text) for text in documents]
    short = [minified(text) or text for text in documents]
    after = [count(text) for text in short]
    tables = [columnar(text) for text in short]
    wins = [
        (cost, count(table))
        for cost, table in zip(after, tables, strict=True)
        if table is not None and count(table) <= WINS * cost
    ]
    adaptive = sum(after) - sum(a - b for a, b in wins)
    return {
        "documents": len(documents),
        "tokens": sum(before),
        "minified": round(sum(after) / sum(before) - 1, 3),
        "that then say something else": sum(
            read_exactly(one) != read_exactly(text)
            for one, text in zip(short, documents, strict=True)
        ),
        "with tables": sum(one is not None for one in tables),
        "worth it by columns": len(wins),
        "saved there": round(1 - sum(b for _, b in wins) / sum(a for a, _ in wins), 3)
        if wins
        else 0,
        "minified, by columns where it is worth it": round(adaptive / sum(before) - 1, 3),
    }


def _previewed(lines: Sequence[Recorded], budget: int, count: Count) -> _Figures:
    """What the gateway makes of them; whoever reads all of one then has paid for both."""
    found = asyncio.run(measured(lines, budget, count=count))
    alone = asyncio.run(measured(lines, budget, shape=OFF, count=count))
    return {
        "results": found.over,
        "tokens of one": round(found.previews / max(found.over, 1)),
        "of these": round(1 - found.previews / max(found.long, 1), 3),
        "of all": round(found.saved, 3),
        "of all, nothing minified": round(alone.saved, 3),
        "of all, where one in three is then read whole": round(
            found.saved - found.long / 3 / found.before, 3
        ),
        "quality": found.quality,
    }


def _spread(values: Sequence[int]) -> dict[str, int]:
    parts = quantiles(values, n=10) if len(values) > 1 else [values[0]] * 9
    return {
        "mean": round(mean(values)),
        "p50": round(parts[4]),
        "p90": round(parts[8]),
        "max": max(values),
    }


def bars(found: _Figures) -> list[str]:
    """What was missed of what is promised."""
    missed: list[str] = []
    for name, one in found["menu"].items():
        if one["full"] >= 85_000 and one["session"] > MOST_MENU:
            missed.append(
                f"{name}: a session with {SEARCHES} searches reads {one['session']} tokens"
            )
    if "results" in found:
        saved = found["results"]["previews"][found["results"]["default"]]["of all"]
        if found["results"]["json"]["that then say something else"]:
            missed.append("minified results say something else")
        if saved < FEWEST_SAVED:
            missed.append(f"previews save {saved:.1%} of result tokens by default")
    return missed


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.context.economy", description=__doc__)
    parser.add_argument("--tools", type=Path, help="Tools, JSON lines.")
    parser.add_argument("--queries", type=Path, help="Queries, JSON lines.")
    parser.add_argument(
        "--results", type=Path, default=SHARED / "real_results_unwrapped.jsonl", help="JSON lines."
    )
    parser.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0])
    asked = parser.parse_args()
    count = counter(asked.encoding)
    if not count.exact:
        print("install lockgate[tokens]: nothing is measured by an estimate", file=sys.stderr)
        return 2
    data, where = corpora.load(asked.tools, asked.queries)
    found: _Figures = {"data": where, "encoding": count.encoding, "definitions": {}, "menu": {}}
    for name, tools in data.tools.items():
        if name:
            one = found["definitions"][name] = definitions(tools, count)
            found["menu"][name] = menu(data, name, count, one["tokens"])
    if asked.results.is_file():
        found["results"] = results(asked.results, count)
    found["missed"] = bars(found)
    print(json.dumps(found, indent=2))
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
