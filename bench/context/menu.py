"""What finding tools costs a model, against listing them all.

Must not know: how anything is ranked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import mean
from typing import Final

from bench.context.corpora import Query, Tool
from bench.context.searchers import Searcher
from lockgate.context.tokens import counter
from lockgate.core.names import spell
from lockgate.gateway import own_tools
from lockgate.gateway.finding import called

SEARCHES: Final = 3


def tokens(tools: Sequence[Tool], queries: Sequence[Query], searcher: Searcher) -> dict[str, float]:
    """Tokens: of the full list, of the own tools, of an answer, of a session of three searches.

    `estimated` is 1 where the vocabulary is not installed.
    """
    count = counter()
    by_id = {str(tool["id"]): tool for tool in tools}
    listed = [
        {key: tool[key] for key in ("name", "description", "inputSchema") if key in tool}
        for tool in tools
    ]
    own = [dict(own_tools.definition(name, role)) for name, role in own_tools.named(()).items()]
    found = [searcher.find(query.text) for query in queries]
    answers = [count("\n".join(_line(by_id[one]) for one in those)) for those in found]
    menu = count(_json(own))
    answer = mean(answers) if answers else 0.0
    return {
        "all tools": count(_json(listed)),
        "own tools": menu,
        "one answer, mean": round(answer, 1),
        "one answer, longest": max(answers, default=0),
        f"session of {SEARCHES} searches": round(menu + SEARCHES * answer, 1),
        "estimated": int(not count.exact),
    }


def _line(tool: Tool) -> str:
    name = spell(str(tool.get("server") or ""), tool["name"], "prefix")
    return called(name, tool.get("description"), tool.get("inputSchema"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
