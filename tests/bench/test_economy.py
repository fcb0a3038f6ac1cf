"""The token figures: what is counted is what is said to be, on data of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.context.corpora import Corpora, Query
from bench.context.economy import bars, definitions, menu, results
from lockgate.context.tokens import counter

COUNT = counter()
PROPERTIES = {
    name: {"type": "string", "title": name.title(), "description": f"What {name} is."}
    for name in ("owner", "repository", "branch", "path", "message")
}
TOOLS: list[dict[str, Any]] = [
    {
        "id": f"hub/tool_{at}",
        "server": "hub",
        "name": f"tool_{at}",
        "description": f"Does the thing number {at}.\n\nAnd more of it.",
        "inputSchema": {"type": "object", "properties": PROPERTIES, "required": ["owner"]},
    }
    for at in range(30)
]


def test_levels_of_a_menu() -> None:
    found = definitions(TOOLS, COUNT)
    levels = {name: one["tokens"] for name, one in found["levels"].items()}
    assert levels["off"] == found["tokens"]
    assert levels["signature"] < levels["bare"] < levels["lossless"] < levels["off"]
    assert levels["off"] < levels["python json.dumps"] < levels["indented"]


def test_a_session_that_searches() -> None:
    queries = [Query("x", "x-step", "thing number 7", {"hub/tool_7": 1.0}, "")]
    asked = [Query("x", "x-task", "thing " * 5000, {"hub/tool_7": 1.0}, "")]
    data = Corpora({"x": TOOLS}, queries + asked)
    found = menu(data, "x", COUNT, 90_000)
    assert found["own tools"] <= 300
    assert found["session"] == found["own tools"] + 3 * found["search"]["max"]
    assert not bars({"menu": {"x": found}})
    assert bars({"menu": {"x": {**found, "session": 1501}}})


def test_results(tmp_path: Path) -> None:
    rows = [{"name": f"n{at}", "size": at} for at in range(400)]
    texts = [json.dumps(rows, indent=2), "plain words " * 20, "a\u2028b"]
    path = tmp_path / "results.jsonl"
    lines = [json.dumps({"texts": [one], "wrapped": json.dumps({"text": one})}) for one in texts]
    path.write_text("\n".join(lines) + "\n")
    found = results(path, COUNT)
    assert found["results"] == 3
    assert found["tokens"] == sum(map(COUNT, texts))
    assert found["json"]["documents"] == found["json"]["worth it by columns"] == 1
    assert found["json"]["minified"] < -0.1
    assert found["json"]["that then say something else"] == 0
    assert found["previews"]["over 1000"]["of these"] > 0.9
    assert found["previews"][found["default"]]["of all"] > 0.9
    assert not bars({"menu": {}, "results": found})
    found["previews"][found["default"]]["of all"] = 0.69
    found["json"]["that then say something else"] = 1
    assert len(bars({"menu": {}, "results": found})) == 2
    assert found["wrapped as text in text"] > 0
