"""Tools and labelled queries: the development data, files that are given, and our own.

Must not know: who searches. Both files are JSON lines:

    tools    {id, corpus, server, name, title?, description?, inputSchema?}
    queries  {qid, corpus, query, relevant: {tool id: grade}, source, server_hint?}

A query is put to the tools of its own corpus, or to all where none is of it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
SHARED: Final = ROOT.parent / "shared" / "data" / "context"
OWN: Final = Path(__file__).parent

Tool = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """What is asked, what should be found, and how good each of that is."""

    corpus: str
    source: str
    text: str
    relevant: dict[str, float]
    hint: str


@dataclass(frozen=True)
class Corpora:
    """Tools by corpus, and what is asked of them."""

    tools: dict[str, list[Tool]]
    queries: list[Query]

    def of(self, query: Query) -> str:
        """The corpus a query is put to; empty: all tools."""
        return query.corpus if query.corpus in self.tools else ""

    def all(self) -> list[Tool]:
        """Every tool once."""
        return [tool for name, tools in self.tools.items() if name for tool in tools]


def load(tools: Path | None, queries: Path | None) -> tuple[Corpora, str]:
    """The data, and where it is from; without files the development data, or else our own."""
    if tools and queries:
        return read(tools, queries), f"{tools}, {queries}"
    ours = (SHARED / "ci_tools.jsonl", SHARED / "ci_queries.jsonl")
    if all(path.is_file() for path in ours):
        return read(*ours), "the development data"
    return own(), "our own examples (the development data is not in git, and not here)"


def own() -> Corpora:
    """The small set that is in the repository."""
    return read(OWN / "own_tools.jsonl", OWN / "own_queries.jsonl")


def read(tools: Path, queries: Path) -> Corpora:
    """Two files. Lines that have not what is needed are left out."""
    by_corpus: dict[str, list[Tool]] = {}
    every: list[Tool] = []
    for tool in _records(tools):
        if not isinstance(tool.get("name"), str):
            continue
        tool.setdefault("id", f"{tool.get('server', '')}:{tool['name']}")
        by_corpus.setdefault(str(tool.get("corpus") or "all"), []).append(tool)
        every.append(tool)
    asked = list(filter(None, map(_query, _records(queries))))
    return Corpora({**by_corpus, "": every}, asked)


def _query(record: Tool) -> Query | None:
    relevant = record.get("relevant")
    if isinstance(relevant, list):
        relevant = dict.fromkeys(relevant, 1)
    relevant = {str(one): float(grade) for one, grade in (relevant or {}).items() if grade}
    if not relevant or not isinstance(record.get("query"), str):
        return None
    corpus = str(record.get("corpus") or "all")
    return Query(
        corpus,
        str(record.get("source") or corpus),
        record["query"],
        relevant,
        str(record.get("server_hint") or ""),
    )


def _records(path: Path) -> Iterator[Tool]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def grown(tools: Sequence[Tool], count: int, seed: int = 7) -> list[Tool]:
    """So many tools: those there are, then variations of them with other words in their texts."""
    chance = random.Random(seed)  # noqa: S311 - always the same, and no secret
    words = sorted({word for tool in tools for word in _words(tool)})
    # Words nobody else has, so that the vocabulary grows as it does with real servers.
    words += [f"{a}{b}" for a, b in zip(words[::3], words[1::3], strict=False)]
    found = list(tools[:count])
    while len(found) < count:
        number = len(found)
        tool = tools[number % len(tools)]
        said = str(tool.get("description") or "").split(" ")
        varied = [chance.choice(words) if chance.random() < 0.25 else one for one in said]
        found.append(
            {
                **tool,
                "id": f"{tool['id']}~{number}",
                "server": f"{tool.get('server', '')}-{number // len(tools)}",
                "name": f"{tool['name']}_{chance.choice(words)}",
                "description": " ".join(varied),
            }
        )
    return found


def _words(tool: Tool) -> list[str]:
    return re.findall(r"[a-z]{3,12}", str(tool.get("description") or "").lower())
